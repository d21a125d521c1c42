import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { kernels, NatgradError } from '../../src/linalg';
import { loadAddon } from '../../src/linalg/loader';
import { platformName } from '../../src/linalg/platform';

const root = join(__dirname, '..', '..');

/** Runs a TypeScript program in a process of its own, where the addon has not been loaded yet. */
function run(program: string, env: Record<string, string>) {
  const hook = `
    const swc = require('@swc/core');
    require('node:module')._extensions['.ts'] = (module, path) => module._compile(swc.transformFileSync(path, {
      jsc: {parser: {syntax: 'typescript'}, target: 'es2022'}, module: {type: 'commonjs'}}).code, path);
    const linalg = require('./src/linalg/index.ts');`;
  const child = spawnSync(process.execPath, ['-e', hook + program], {
    cwd: root,
    encoding: 'utf8',
    env: { ...process.env, ...env },
  });
  return { status: child.status, out: child.stdout, err: child.stderr };
}

const missing = { NATGRAD_ADDON: '/nowhere/natgrad.node' };

describe('the loader', () => {
  it('finds the addon and says where: the one it is told of, else the local build', () => {
    const path = process.env.NATGRAD_ADDON ?? join(root, 'build', 'Release', 'natgrad.node');
    expect(loadAddon()).toMatchObject({ path });
  });

  it('names the platform as the folders of prebuilt binaries are named', () => {
    expect(platformName()).toMatch(/^[a-z0-9]+-[a-z0-9]+(-musl)?$/);
  });

  it('falls back to the reference with one warning that says why and what to do', () => {
    const { status, out, err } = run(
      `linalg.kernels(); linalg.kernels('auto'); console.log(linalg.inverse(new Float32Array([4]))[0]);`,
      missing,
    );
    expect({ status, out }).toEqual({ status: 0, out: '0.25\n' });
    expect(err.match(/NATGRAD_REFERENCE/g)).toHaveLength(1);
    expect(err).toContain('/nowhere/natgrad.node');
    expect(err).toContain(process.version);
    expect(err).toContain('npm run build:native');
  });

  it('makes a missing addon an error where cpu is asked for', () => {
    const { out } = run(
      `try { linalg.kernels('cpu'); } catch (error) { console.log(error.code, error.message); }`,
      missing,
    );
    expect(out).toMatch(/^ERR_NATGRAD_ADDON /);
    expect(out).toContain('NATGRAD_ADDON: no file /nowhere/natgrad.node');
  });

  it('reports a file that does not load, with the reason', () => {
    const { out } = run(
      `require('node:fs').writeFileSync(process.env.NATGRAD_ADDON, 'no machine code');
       try { linalg.kernels('cpu'); } catch (error) { console.log(error.code, error.message); }
       require('node:fs').unlinkSync(process.env.NATGRAD_ADDON);`,
      { NATGRAD_ADDON: join(root, 'build', `broken-${process.pid}.node`) },
    );
    expect(out).toMatch(/^ERR_NATGRAD_ADDON /);
    expect(out).toContain('does not load');
  });

  it('knows no other back ends', () => {
    expect(() => kernels('gpu' as 'cpu')).toThrow(NatgradError);
  });
});
