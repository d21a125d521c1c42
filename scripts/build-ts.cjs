'use strict';

// Compiles src to dist (CommonJS, declarations, source maps) and bench to dist-bench, and writes an ES module beside each
// public entry. The ES module hands on what the CommonJS module exports, so a program that uses both has one copy of all state.

const fs = require('node:fs');
const path = require('node:path');

const ts = require('typescript');

const { filesUnder, snapshot, markFresh } = require('./freshness.cjs');
const { inputs, output, stamp } = require('./typescript-inputs.cjs');

const root = path.dirname(__dirname);

const formatHost = {
  getCanonicalFileName: (name) => name,
  getCurrentDirectory: () => root,
  getNewLine: () => '\n',
};

function stopOn(diagnostics) {
  if (diagnostics.length === 0) return;
  const format = process.stderr.isTTY ? ts.formatDiagnosticsWithColorAndContext : ts.formatDiagnostics;
  process.stderr.write(format(ts.sortAndDeduplicateDiagnostics(diagnostics), formatHost));
  process.exit(1);
}

/** Removes outputs whose source is gone, which the compiler leaves lying. */
function removeOrphans(outDir, sourceDir) {
  for (const { name } of filesUnder([outDir])) {
    const source = /^(.*?)(\.d\.ts|\.js\.map|\.js|\.mjs|\.d\.mts)$/.exec(path.relative(outDir, name));
    if (source !== null && !fs.existsSync(path.join(sourceDir, `${source[1]}.ts`))) fs.rmSync(name);
  }
}

/** Compiles one project and returns its program, for questions about types. */
function compile(configName) {
  const config = ts.getParsedCommandLineOfConfigFile(
    path.join(root, configName),
    {},
    { ...ts.sys, onUnRecoverableConfigFileDiagnostic: (diagnostic) => stopOn([diagnostic]) },
  );
  removeOrphans(config.options.outDir, config.options.rootDir);
  const builder = ts.createIncrementalProgram({ rootNames: config.fileNames, options: config.options });
  stopOn([
    ...config.errors,
    ...builder.getOptionsDiagnostics(),
    ...builder.getSyntacticDiagnostics(),
    ...builder.getGlobalDiagnostics(),
    ...builder.getSemanticDiagnostics(),
    ...builder.emit().diagnostics,
  ]);
  return builder.getProgram();
}

/** Names of the values (not the types) that a source file exports. */
function exportedValues(program, file) {
  const checker = program.getTypeChecker();
  const module = checker.getSymbolAtLocation(program.getSourceFile(file));
  return checker
    .getExportsOfModule(module)
    .filter((symbol) => {
      const target = symbol.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(symbol) : symbol;
      return (target.flags & ts.SymbolFlags.Value) !== 0;
    })
    .map((symbol) => symbol.name)
    .sort();
}

function writeModule(program, script) {
  const base = path.basename(script);
  const stem = path.join(root, script.slice(0, -'.js'.length));
  const source = path.join(root, 'src', path.relative('dist', script)).replace(/\.js$/, '.ts');
  const names = exportedValues(program, source);
  const text =
    names.length === 0
      ? `import './${base}';\n`
      : `import module from './${base}';\n\nexport const { ${names.join(', ')} } = module;\n`;
  fs.writeFileSync(`${stem}.mjs`, text);
  fs.writeFileSync(`${stem}.d.mts`, `export * from './${base}';\n`);
}

const noted = snapshot(inputs);
// The compiler takes what it wrote once to be there still.
if (!fs.existsSync(output)) fs.rmSync(path.join(root, 'dist'), { recursive: true, force: true });
const program = compile('tsconfig.build.json');
for (const entry of Object.values(require('../package.json').exports)) {
  if (entry.require !== undefined) writeModule(program, entry.require.default);
}
fs.chmodSync(output, 0o755);
if (filesUnder([path.join(root, 'bench')]).some(({ name }) => name.endsWith('.ts')))
  compile('tsconfig.bench.json');
markFresh(stamp, noted);
