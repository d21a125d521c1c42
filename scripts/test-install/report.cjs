'use strict';

// The results as Markdown: a table, and below it why cells are empty or what failed.

const fs = require('node:fs');
const os = require('node:os');

const { checks } = require('./checks.cjs');

const begin = '<!-- results of npm run test:install: begin -->';
const end = '<!-- results of npm run test:install: end -->';

/** One row: label, then the installation, then every check. Reasons are collected in `notes`. */
function cells(row, notes) {
  const note = (text) => {
    if (!notes.includes(text)) notes.push(text);
    return `(${notes.indexOf(text) + 1})`;
  };
  const cell = (result) => {
    if (result === undefined) return '–';
    if (result.missing) return `not run ${note(`not run: ${result.missing}`)}`;
    return result.ok ? 'ok' : 'FAILED';
  };
  const { install } = row.results;
  const installed =
    install?.ok && install.seconds !== undefined ? `${install.seconds.toFixed(1)} s` : cell(install);
  return [row.label, installed, ...Object.keys(checks).map((name) => cell(row.results[name]))];
}

/** The table, with equal widths of columns, and the notes below it. */
function table(rows) {
  const notes = [];
  const lines = [['', 'install', ...Object.keys(checks)], ...rows.map((row) => cells(row, notes))];
  const widths = lines[0].map((_, column) => Math.max(...lines.map((line) => line[column].length)));
  const text = (line) => `| ${line.map((cell, column) => cell.padEnd(widths[column])).join(' | ')} |`;
  const rule = `| ${widths.map((width) => '-'.repeat(width)).join(' | ')} |`;
  const explained = notes.map((note, i) => `(${i + 1}) ${note}.`);
  return [
    text(lines[0]),
    rule,
    ...lines.slice(1).map(text),
    ...(notes.length > 0 ? ['', ...explained] : []),
  ].join('\n');
}

/** When, how and on what the table was made. */
function heading(command, description) {
  const date = new Date().toISOString().slice(0, 10);
  const load = `${os.availableParallelism()} cores, load ${os.loadavg()[1].toFixed(0)}`;
  return `\`${command}\`, ${date}, ${os.type()} ${os.machine()}, ${load}; ${description}.`;
}

/** Rewrites the section of a page between the two marks. */
function writeSection(file, text) {
  const page = fs.readFileSync(file, 'utf8');
  const [start, stop] = [page.indexOf(begin), page.indexOf(end)];
  if (start < 0 || stop < start) throw new Error(`${file} lacks the lines "${begin}" and "${end}"`);
  fs.writeFileSync(file, `${page.slice(0, start)}${begin}\n\n${text}\n\n${page.slice(stop)}`);
}

module.exports = { table, heading, writeSection };
