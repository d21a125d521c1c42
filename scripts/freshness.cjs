'use strict';

// Says whether a build step has anything to do: the names, sizes and times of its inputs are compared with those noted when
// it last succeeded. Comparing for equality, not for order, also notices files that were removed, renamed or checked out older.

const fs = require('node:fs');
const path = require('node:path');

/** All files under the given files and folders (missing ones count as empty), sorted. */
function filesUnder(paths) {
  const found = [];
  const visit = (name) => {
    const stat = fs.statSync(name, { throwIfNoEntry: false });
    if (stat === undefined) return;
    if (!stat.isDirectory()) found.push({ name, stat });
    else for (const entry of fs.readdirSync(name)) visit(path.join(name, entry));
  };
  paths.forEach(visit);
  return found.sort((a, b) => (a.name < b.name ? -1 : 1));
}

function snapshot(inputs) {
  return filesUnder(inputs)
    .map(({ name, stat }) => `${stat.size} ${stat.mtimeMs} ${name}`)
    .join('\n');
}

/** True when `output` exists and `inputs` are as they were at the last `markFresh(stamp, ...)`. */
function isFresh(stamp, output, inputs) {
  if (!fs.existsSync(output) || !fs.existsSync(stamp)) return false;
  return fs.readFileSync(stamp, 'utf8') === snapshot(inputs);
}

/** Notes the state of `inputs`, as taken by `snapshot` before the step ran, so that an edit made meanwhile is not lost. */
function markFresh(stamp, noted) {
  fs.mkdirSync(path.dirname(stamp), { recursive: true });
  fs.writeFileSync(stamp, noted);
}

module.exports = { filesUnder, snapshot, isFresh, markFresh };
