import { mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { inspectCuda, inverse, kernels, type CudaInspection } from '../../src/linalg';
import { errorWithCode } from '../errorWithCode';
import { describeWithCuda, failureOf, fakeLibraries, run } from '../support/fakeCuda';

describeWithCuda('the CUDA back end over test doubles of the CUDA libraries', () => {
  // Oracle: the processor in float64. The matrices have condition numbers of about ten.
  it.each([
    ['Float32Array', 'cuda', 2e-5],
    ['Float64Array', 'cuda', 1e-9],
    ['Float32Array', { name: 'cuda', precision: 'fp64' }, 2e-5],
    ['Float32Array', { name: 'cuda', precision: 'tf32' }, 1e-2],
  ])('computes what the processor does, %s with %j', (dtype, backend, bound) => {
    const found = run<Record<string, number>>('compare', {
      sizes: [1, 2, 5, 33, 64, 65, 129],
      dtype,
      backend,
    });
    expect(Object.keys(found)).toHaveLength(11);
    for (const error of Object.values(found)) expect(error).toBeLessThan(bound);
  });

  it('gives the same bits in a batch, overlapped and alone', () => {
    expect(run('sameBits', { sizes: [1, 5, 33, 65, 129] })).toEqual([true, true]);
  });

  it('keeps arrays, which jobs then find on the device, in whole and in part', () => {
    expect(run('keep')).toEqual({
      stale: [1, 2, 3, 4],
      other: [12, 16],
      twice: 'ERR_NATGRAD_BUFFER',
      early: ['ERR_NATGRAD_BUFFER', 'ERR_NATGRAD_BUFFER'],
      released: 'ERR_NATGRAD_TYPE',
      last: [28, 28, 12, 16],
    });
  });

  it('frees what nothing refers to any more', () => {
    const { held, all } = run<{ held: number; all: number }>('collect');
    expect(held).toBeLessThan(1.5 * all);
  });

  it('tells driver, libraries and devices', () => {
    const found = run<CudaInspection>('inspect');
    expect(found).toMatchObject({ reason: '', driver: '13.0' });
    expect(found.libraries.map(({ path }) => path)).toEqual([
      join(fakeLibraries, 'libcuda.so.1'),
      join(fakeLibraries, 'libcublas.so.13'),
      join(fakeLibraries, 'libcusolver.so.12'),
    ]);
    expect(found.devices).toEqual([
      { name: 'Fake GPU', computeCapability: '9.0', freeBytes: 2 ** 31, totalBytes: 2 ** 31 },
    ]);
    expect(found.plugin).toMatch(/natgrad-cuda\.so$/);
  });

  describe('where something is missing', () => {
    const compare = { sizes: [5], dtype: 'Float32Array' };
    const folder = mkdtempSync(join(tmpdir(), 'natgrad-cuda-'));
    symlinkSync(join(fakeLibraries, 'libcuda.so.1'), join(folder, 'libcuda.so.1'));
    afterAll(() => rmSync(folder, { recursive: true }));

    it.each([
      ['the driver', { LD_LIBRARY_PATH: '' }, /no NVIDIA driver.*libcuda\.so\.1/],
      ['cuBLAS', { LD_LIBRARY_PATH: folder }, /libcublas/],
      ['a device', { FAKE_CUDA_DEVICES: '0' }, /no.*device/i],
      ['the library of the back end', { NATGRAD_CUDA_PLUGIN: '/nowhere.so' }, /no file \/nowhere\.so/],
      ['its right version', { NATGRAD_CUDA_PLUGIN: join(fakeLibraries, 'libcuda.so.1') }, /another version/],
    ])('says that it is %s', (_, env, message) => {
      const failure = failureOf('compare', compare, env);
      expect(failure.code).toBe('ERR_NATGRAD_NO_CUDA');
      expect(failure.message).toMatch(message);
      expect(run<CudaInspection>('inspect', null, env).reason).toMatch(message);
    });

    it('has no second device', () => {
      const failure = failureOf('compare', { ...compare, backend: { name: 'cuda', device: 1 } });
      expect(failure.code).toBe('ERR_NATGRAD_NO_CUDA');
      expect(failure.message).toMatch(/no CUDA device 1, but 1/);
    });

    it('says that memory is, and who may have it', () => {
      const failure = failureOf('compare', compare, { FAKE_CUDA_MEMORY: '1000' });
      expect(failure.code).toBe('ERR_NATGRAD_NO_MEMORY');
      expect(failure.message).toMatch(/TF_FORCE_GPU_ALLOW_GROWTH=true/);
      const env = { FAKE_CUDA_MEMORY: '1000', TF_FORCE_GPU_ALLOW_GROWTH: 'true' };
      expect(failureOf('compare', compare, env).message).not.toMatch(/TF_FORCE/);
    });
  });

  it('says so when the device is lost', () => {
    const failure = failureOf(
      'compare',
      { sizes: [65], dtype: 'Float32Array' },
      { FAKE_CUDA_LOST_AFTER: '100' },
    );
    expect(failure.code).toBe('ERR_NATGRAD_DEVICE');
    expect(failure.message).toMatch(/device was lost/);
  });
});

describe('without the CUDA libraries', () => {
  it('says why there is no CUDA device, and leaves single calls to the processor', () => {
    const { reason } = inspectCuda();
    if (reason === '') return; // there is one
    expect(() => kernels('cuda')).toThrow(errorWithCode('ERR_NATGRAD_NO_CUDA'));
    expect(() => inverse(Float32Array.of(1), { backend: 'cuda' })).toThrow(
      errorWithCode('ERR_NATGRAD_NO_CUDA'),
    );
    expect(kernels('auto').name).toBe('cpu');
  });
});
