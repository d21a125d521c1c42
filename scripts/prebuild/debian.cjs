'use strict';

// Fetches packages of another Debian release or architecture with apt-get, signatures checked, in a state of its own: nothing is installed,
// and the machine's own package lists stay as they are.

const fs = require('node:fs');
const path = require('node:path');

const { run } = require('./command.cjs');

const mirror = process.env.NATGRAD_DEBIAN_MIRROR ?? 'http://deb.debian.org/debian';

/** A view of one release for one architecture, whose package lists lie in `folder`; they are fetched now. */
function debian({ suite, architecture, folder }) {
  const state = path.join(folder, 'state');
  const cache = path.join(folder, 'cache');
  for (const name of [path.join(state, 'lists', 'partial'), path.join(cache, 'archives', 'partial')])
    fs.mkdirSync(name, { recursive: true });
  const sources = path.join(folder, 'debian.sources');
  fs.writeFileSync(
    sources,
    [
      'Types: deb deb-src',
      `URIs: ${mirror}`,
      `Suites: ${suite}`,
      'Components: main',
      'Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg',
      '',
    ].join('\n'),
  );
  const settings = {
    'Dir::Etc::sourcelist': sources,
    'Dir::Etc::sourceparts': '-',
    'Dir::State': state,
    'Dir::State::status': '/dev/null',
    'Dir::Cache': cache,
    'APT::Architecture': architecture,
    'APT::Architectures::': architecture,
    // Root would hand the download to a user who may not write here.
    'APT::Sandbox::User': 'root',
  };
  const options = Object.entries(settings).map(([name, value]) => `-o${name}=${value}`);
  const apt = (args) => run('apt-get', [...options, '-qq', ...args], { cwd: folder });
  apt(['update']);

  return {
    /** Unpacks binary packages over each other into `target`. */
    unpack(packages, target) {
      fs.mkdirSync(target, { recursive: true });
      apt(['download', ...packages]);
      for (const file of fs.readdirSync(folder).filter((name) => name.endsWith('.deb'))) {
        run('dpkg', ['-x', path.join(folder, file), target]);
        fs.rmSync(path.join(folder, file));
      }
    },
    /** Unpacks a source package, with Debian's patches applied, into `target`, which must not exist. */
    unpackSource(name, version, target) {
      apt(['source', '--download-only', `${name}=${version}`]);
      const description = fs.readdirSync(folder).find((file) => file.endsWith('.dsc'));
      run('dpkg-source', ['-x', '--no-check', description, target], { cwd: folder });
    },
  };
}

module.exports = { debian };
