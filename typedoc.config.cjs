'use strict';

const { exports: entries } = require('./package.json');

/** The sources of what the package exports. */
const entryPoints = Object.values(entries)
  .filter((entry) => entry.require !== undefined)
  .map((entry) => entry.require.default.replace('./dist/', 'src/').replace(/\.js$/, '.ts'));

module.exports = {
  $schema: 'https://typedoc.org/schema.json',
  name: 'natgrad',
  entryPoints,
  out: 'docs/api',
  tsconfig: 'tsconfig.build.json',
  excludePrivate: true,
  excludeInternal: true,
  includeVersion: true,
  // Links to sources would need to know where the repository is published.
  disableSources: true,
  readme: 'README.md',
  projectDocuments: ['docs/*.md', 'docs/methods/*.md'],
  // From which StructureName and StructureOptions are computed.
  intentionallyNotExported: ['Structures', 'OwnOptions'],
  treatWarningsAsErrors: true,
};
