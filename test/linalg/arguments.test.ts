import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import * as linalg from '../../src/linalg';
import { kernels, NatgradError, type Job } from '../../src/linalg';
import { Random } from './random';

/** Correct jobs of every kind; each fuzz case spoils one value of one of them. */
function validJobs(): Job[] {
  const n = 3;
  const f = (length: number) => Float32Array.from({ length }, (_, i) => (i % 4 === 0 ? 3 : 0.5));
  const geometry = {
    batch: 1,
    inHeight: 4,
    inWidth: 4,
    channels: 1,
    kernelHeight: 2,
    kernelWidth: 2,
    strideHeight: 1,
    strideWidth: 2,
    dilationHeight: 1,
    dilationWidth: 1,
    padTop: 1,
    padLeft: 0,
    outHeight: 4,
    outWidth: 2,
  };
  return [
    {
      op: 'factor',
      inputs: [
        { data: f(6), rows: 2, columns: n, scale: 0.5 },
        { data: f(3), rows: 1, columns: n, scale: 0.5 },
      ],
      homogeneous: false,
      decay: 0.9,
      factor: f(9),
      size: n,
    },
    {
      op: 'factor',
      inputs: [{ data: f(16), geometry, scale: 1 }],
      homogeneous: true,
      decay: 0.9,
      factor: f(25),
      size: 5,
    },
    {
      op: 'diagonalFactor',
      inputs: [
        { indices: Int32Array.from([0, 2]), scale: 1 },
        { data: f(6), rows: 2, columns: n, scale: 1 },
      ],
      decay: 0.9,
      factor: f(n),
    },
    { op: 'inverse', matrix: f(9), size: n, damping: 3, partner: { matrix: f(4), size: 2 }, out: f(9) },
    {
      op: 'diagonalInverse',
      diagonal: f(n),
      damping: 3,
      partner: { matrix: f(2), size: 2, diagonal: true },
      out: f(n),
    },
    {
      op: 'inverseRoot',
      matrix: f(9),
      size: n,
      damping: 3,
      p: 2,
      method: 'auto',
      tolerance: 0,
      maxIterations: 0,
      out: f(9),
    },
    { op: 'eigh', matrix: f(9), size: n, values: f(n), vectors: f(9) },
    {
      op: 'kronecker',
      left: f(9),
      leftSize: n,
      leftForm: 'lower',
      right: f(2),
      rightSize: 2,
      rightForm: 'diagonal',
      input: f(4),
      inputLast: f(2),
      out: f(4),
      outLast: f(2),
    },
    { op: 'scale', diagonal: f(n), input: f(n), out: f(n) },
    { op: 'update', weights: f(n), direction: f(n), velocity: f(n), momentum: 0.9, step: 0.1, shrink: 1 },
    { op: 'combine', terms: [{ data: f(n), scale: 1 }], out: f(n) },
    { op: 'inverse', matrix: f(8), size: 2, count: 2, damping: 3, out: f(8) },
    {
      op: 'kronecker',
      left: f(9),
      leftSize: n,
      leftForm: 'full',
      leftTransposed: true,
      right: f(4),
      rightSize: 2,
      rightForm: 'full',
      rightTransposed: false,
      input: f(6),
      out: f(6),
    },
    {
      op: 'product',
      left: f(12),
      right: f(18),
      rows: 2,
      inner: n,
      columns: n,
      transposeLeft: false,
      transposeRight: true,
      count: 2,
      scale: 1,
      keep: 0.5,
      out: f(12),
    },
    {
      op: 'product',
      left: f(6),
      right: f(9),
      rows: 2,
      inner: n,
      columns: n,
      scale: 1,
      keep: 0.5,
      out: f(3),
      outLast: f(3),
    },
    { op: 'elementwise', how: 'divide', left: f(n), right: f(n), offset: 1, out: f(n) },
    { op: 'dot', left: f(n), right: f(n) },
    {
      op: 'scores',
      activation: { data: f(12), rows: 4, columns: n },
      outputGradient: { data: f(8), rows: 4, columns: 2 },
      examples: 2,
      homogeneous: true,
      scale: 1,
      keep: 0.5,
      out: f(16),
    },
    {
      op: 'lowRankScores',
      activation: { data: f(12), rows: 4, columns: n },
      outputGradient: { data: f(8), rows: 4, columns: 2 },
      examples: 2,
      homogeneous: true,
      scale: 1,
      rank: 1,
      left: f(8),
      right: f(4),
    },
    {
      op: 'scores',
      activation: { data: f(16), geometry },
      outputGradient: { data: f(16), rows: 8, columns: 2 },
      examples: 1,
      homogeneous: false,
      scale: 1,
      keep: 0,
      out: f(8),
    },
    {
      op: 'unitFactors',
      inputs: [
        { data: f(16), geometry, scale: 1, gradients: f(16) },
        { data: f(4), rows: 1, columns: 4, scale: -1, gradients: f(2) },
      ],
      homogeneous: true,
      decay: 0.9,
      factors: f(50),
      size: 5,
      count: 2,
    },
    {
      op: 'rationalFactor',
      version: 'C',
      groups: 2,
      inner: 3,
      numeratorSize: 3,
      denominatorSize: 2,
      inputs: [
        { activation: f(24), gradient: f(24), numerator: f(6), denominator: f(4), noise: f(10) },
        { activation: f(12), gradient: f(12), numerator: f(6), denominator: f(4) },
      ],
      examples: 2,
      decay: 0.9,
      scale: 1,
      factors: f(50),
    },
    { op: 'inverse', matrix: f(9), size: n, damping: 3, start: f(9), out: f(9) },
  ];
}

type Node = Record<string, unknown>;

/** Every place in a job where a value stands: the object that holds it, its key, and the path an error has to name. */
function places(job: unknown, path: string): { holder: Node; key: string; path: string }[] {
  return Object.entries(job as Node).flatMap(([key, value]) => {
    const here = {
      holder: job as Node,
      key,
      path: Array.isArray(job) ? `${path}[${key}]` : `${path}.${key}`,
    };
    const isLeaf = typeof value !== 'object' || ArrayBuffer.isView(value);
    return isLeaf ? [here] : [here, ...places(value, here.path)];
  });
}

function detached(): Float32Array {
  const array = new Float32Array(9);
  structuredClone(array, { transfer: [array.buffer] });
  return array;
}

function resizable(length: number): Float32Array {
  const Resizable = ArrayBuffer as unknown as new (bytes: number, options: object) => ArrayBuffer;
  return new Float32Array(new Resizable(4 * length, { maxByteLength: 4096 }));
}

const hostileNumbers = [-1, -0.5, 1.5, 2 ** 31, 2 ** 32, 2 ** 53, 1e300, NaN, Infinity, -Infinity];
const hostileOthers = [null, undefined, 'x', '', true, {}, [], () => 0, Symbol('s'), 10n, new Date(0)];

function hostileArrays(value: Float32Array | Int32Array): unknown[] {
  const { length } = value;
  const spoilt: unknown[] = [
    value.slice(0, -1),
    new Float32Array(length + 1),
    new Float32Array(0),
    new Float64Array(length),
    new Uint8Array(length),
    new Int32Array(length + 1).fill(7),
    Array.from(value),
    new DataView(new ArrayBuffer(4 * length)),
    value.buffer,
    new Float32Array(new SharedArrayBuffer(4 * length)),
    resizable(length),
    detached(),
  ];
  return spoilt;
}

/**
 * The outcome of one call: the code and message of the error, or the statuses. A NaN may lead to `notFinite`, an indefinite matrix to
 * `notPositiveDefinite`; those are documented results.
 */
function outcome(
  backend: 'cpu' | 'reference',
  job: unknown,
): { code: string; message: string } | { statuses: string[] } {
  try {
    const reports = kernels(backend).run([[job as Job]]);
    return { statuses: reports.flat().map(({ status }) => status) };
  } catch (error) {
    if (error instanceof NatgradError) return { code: error.code, message: error.message };
    throw error;
  }
}

/** Whether a value that looks odd is right in its place all the same. */
function mayBe(path: string, value: unknown): boolean {
  const key = path.slice(path.lastIndexOf('.') + 1);
  if (['scale', 'decay', 'momentum', 'step', 'shrink', 'keep', 'offset'].includes(key)) {
    return typeof value === 'number';
  }
  if (['damping', 'tolerance'].includes(key)) return (value as number) > 0;
  // Fewer indices are fewer counts.
  if (key === 'indices') return Object.prototype.toString.call(value) === '[object Int32Array]';
  if (['inputs', 'terms'].includes(key)) return Array.isArray(value) && value.length === 0;
  if (/^(left|right)Transposed$|^transpose(Left|Right)$/.test(key)) {
    return value === undefined || typeof value === 'boolean';
  }
  return value === undefined && ['velocity', 'partner', 'noise', 'start'].includes(key);
}

function show(value: unknown): string {
  const plain = typeof value === 'number' || typeof value === 'string' || typeof value === 'symbol';
  return plain ? String(value) : Object.prototype.toString.call(value);
}

const kinds = validJobs().map((job, index) => [`${job.op} (${index})`, index] as const);

/** Spoils one value of job `index` after the other, and calls `check` with each. */
function spoilEach(index: number, check: (job: Job, path: string, spoilt: unknown) => void): void {
  const count = places(validJobs()[index], '').length;
  for (let k = 0; k < count; k++) {
    const original = places(validJobs()[index], 'phases[0][0]')[k];
    const value = original.holder[original.key];
    const hostile =
      value instanceof Float32Array || value instanceof Int32Array
        ? [...hostileArrays(value), ...hostileOthers]
        : [...hostileNumbers, ...hostileOthers];
    for (const spoilt of hostile) {
      if (spoilt === value) continue;
      const job = validJobs()[index];
      const place = places(job, 'phases[0][0]')[k];
      place.holder[place.key] = spoilt;
      check(job, place.path, spoilt);
    }
  }
}

describe('options', () => {
  const m = () => Float32Array.of(4, 0, 0, 9);
  const rows = { data: m(), columns: 2 };
  const calls: [string, (options: object) => unknown][] = [
    ['conv2dGeometry', (options) => linalg.conv2dGeometry([1, 4, 4, 1], [2, 2], options)],
    ['eigh', (options) => linalg.eigh(m(), options)],
    ['inverse', (options) => linalg.inverse(m(), options)],
    ['inverseRoot', (options) => linalg.inverseRoot(m(), options)],
    ['kroneckerFactor', (options) => linalg.kroneckerFactor(rows, options)],
    ['updateFactor', (options) => linalg.updateFactor(m(), rows, options)],
    ['kroneckerMultiply', (options) => linalg.kroneckerMultiply(m(), m(), m(), options)],
    ['kroneckerSolve', (options) => linalg.kroneckerSolve(m(), m(), m(), options)],
    ['solve', (options) => linalg.solve(m(), m(), options)],
    ['updateWeights', (options) => linalg.updateWeights(m(), m(), { step: 1, ...options })],
  ];

  it('are checked by every function of the module that takes some', () => {
    const optionless = ['inspectCuda', 'kernels', 'NatgradError'];
    const tested = calls.map(([name]) => name);
    expect([...tested, ...optionless].sort()).toEqual(Object.keys(linalg).sort());
  });

  it.each(calls)('of %s that do not exist are refused, by a message with those that do', (_, call) => {
    expect(() => call({})).not.toThrow();
    const error: unknown = complaint(() => call({ dampling: 0.1 }));
    expect(error).toMatchObject({
      code: 'ERR_NATGRAD_ARGUMENT',
      message: expect.stringMatching(/^options\.dampling is not an option; use \w/) as string,
    });
  });

  it.each(calls.slice(0, -1))('of %s that are no object are refused', (_, call) => {
    for (const options of [null, 0.1, 'lower', [0.1]]) {
      expect(complaint(() => call(options as unknown as object))).toMatchObject({ code: 'ERR_NATGRAD_TYPE' });
    }
  });
});

function complaint(call: () => unknown): unknown {
  try {
    return call();
  } catch (error) {
    return error;
  }
}

describe.each(['cpu', 'reference'] as const)('arguments of %s', (backend) => {
  it('are accepted when they are right', () => {
    for (const job of validJobs()) expect(outcome(backend, job)).toEqual({ statuses: ['ok'] });
  });

  it.each(kinds)(
    'of %s: every wrong value is an error that names the job, or has a documented result',
    (_, index) => {
      const accepted: string[] = [];
      spoilEach(index, (job, path, spoilt) => {
        const result = outcome(backend, job);
        if ('code' in result) {
          expect(result.code).toMatch(/^ERR_NATGRAD_(ARGUMENT|TYPE|SHAPE|BUFFER|NOT_FINITE)$/);
          expect(result.message).toContain('phases[0][0]');
        } else {
          if (!mayBe(path, spoilt)) accepted.push(`${path} = ${show(spoilt)}`);
        }
      });
      expect(accepted).toEqual([]);
    },
  );

  it('that alias are refused where one of them is written', () => {
    const spoil = (index: number, from: string, to: string) => {
      const job = validJobs()[index] as unknown as Node;
      job[to] = job[from];
      return outcome(backend, job);
    };
    for (const [index, from, to] of [
      [3, 'matrix', 'out'],
      [4, 'diagonal', 'out'],
      [5, 'matrix', 'out'],
      [6, 'matrix', 'vectors'],
      [7, 'input', 'out'],
      [7, 'outLast', 'inputLast'],
      [8, 'input', 'out'],
      [9, 'direction', 'weights'],
      [9, 'velocity', 'weights'],
      [11, 'matrix', 'out'],
      [12, 'input', 'out'],
      [13, 'left', 'out'],
    ] as const) {
      expect(spoil(index, from, to)).toMatchObject({ code: 'ERR_NATGRAD_BUFFER' });
    }
  });

  it('that overlap in part are refused, also between jobs of a phase, but not between phases', () => {
    const memory = new Float32Array(20);
    const move = (from: number, to: number): Job => ({
      op: 'combine',
      terms: [{ data: memory.subarray(from, from + 5), scale: 1 }],
      out: memory.subarray(to, to + 5),
    });
    const run = (phases: Job[][]) => kernels(backend).run(phases);
    expect(() => run([[move(0, 4)]])).toThrow(
      expect.objectContaining({ code: 'ERR_NATGRAD_BUFFER' }) as Error,
    );
    expect(() => run([[move(0, 5), move(10, 5)]])).toThrow('phases[0][');
    expect(() => run([[move(0, 5), move(5, 10)]])).toThrow('overlaps');
    expect(run([[move(0, 5), move(0, 10)]])).toHaveLength(1);
    expect(run([[move(0, 5)], [move(5, 0)]])).toHaveLength(2);
    expect(run([[move(0, 0)]])).toHaveLength(1);
  });

  it('that overlap in part, or belong to another job, are refused in a pass that may work in place', () => {
    const memory = new Float32Array(12).fill(1);
    const at = (begin: number) => memory.subarray(begin, begin + 3);
    const job = (left: number, right: number, out: number): Job => ({
      op: 'elementwise',
      how: 'multiply',
      left: at(left),
      right: at(right),
      offset: 0,
      out: at(out),
    });
    const refused = expect.objectContaining({ code: 'ERR_NATGRAD_BUFFER' }) as Error;
    const run = (jobs: Job[]) => kernels(backend).run([jobs]);
    for (const good of [job(0, 3, 0), job(0, 3, 3), job(0, 0, 0), job(0, 1, 6)]) {
      expect(run([good])[0][0].status).toBe('ok');
    }
    for (const bad of [job(0, 3, 1), job(0, 3, 4), job(0, 1, 0)]) expect(() => run([bad])).toThrow(refused);
    expect(() => run([job(0, 3, 0), job(0, 3, 6)])).toThrow(refused);
    expect(() => run([job(0, 3, 6), job(0, 3, 6)])).toThrow(refused);
  });

  it('refuse a last row apart where there is none, or one in each of several results', () => {
    const data = new Float32Array(6);
    const job = { op: 'product', left: data, right: data, inner: 1, columns: 1, scale: 1, keep: 0 };
    const outs = { out: new Float32Array(1), outLast: new Float32Array(1) };
    const message = 'phases[0][0].outLast goes with a single product of at least one row';
    for (const sizes of [{ rows: 0 }, { rows: 2, count: 2 }, { rows: 2, count: 0 }]) {
      expect(outcome(backend, { ...job, ...sizes, ...outs })).toEqual({ code: 'ERR_NATGRAD_SHAPE', message });
    }
  });

  it('that would have more elements than can be counted are refused, not taken for empty ones', () => {
    // Each product of three of these sizes is a multiple of 2^64.
    const many = 2 ** 30;
    const data = new Float32Array(0);
    const message = 'phases[0][0].out would have more than 9007199254740991 elements';
    const refusal = { code: 'ERR_NATGRAD_SHAPE', message };
    const product = { op: 'product', left: data, right: data, scale: 1, keep: 0, out: data };
    const sizes = { rows: many, inner: many, columns: many, count: many };
    expect(outcome(backend, { ...product, ...sizes })).toMatchObject({ code: 'ERR_NATGRAD_SHAPE' });
    expect(outcome(backend, { ...product, ...sizes, inner: 0 })).toEqual(refusal);
    const scores = {
      op: 'scores',
      activation: { data, rows: 0, columns: many },
      outputGradient: { data, rows: 0, columns: many },
      examples: many,
      homogeneous: false,
      scale: 1,
      keep: 0,
      out: data,
    };
    expect(outcome(backend, scores)).toEqual(refusal);
    const inputs = [{ data: new Float32Array(4), rows: 2 ** 31 - 1, columns: 2 ** 31 - 1, scale: 1 }];
    const factor = { op: 'factor', inputs, homogeneous: false, decay: 1, factor: data, size: 0 };
    expect(outcome(backend, factor)).toMatchObject({ code: 'ERR_NATGRAD_SHAPE' });
  });

  it('that are empty are right, however often', () => {
    const data = new Float32Array(0);
    const often = 2 ** 31 - 1;
    const common = { scale: 1, keep: 0, out: data };
    const sizes = [
      { rows: 0, inner: 3, columns: 0, count: often },
      { rows: 0, inner: 0, columns: often, count: often },
      { rows: 0, inner: 0, columns: 0 },
      { rows: often, inner: 0, columns: 0, count: 1 },
      { rows: 3, inner: 4, columns: 5, count: 0 },
    ];
    const rows = (columns: number, count = 0) => ({ data, rows: count, columns });
    const jobs = [
      ...sizes.map((size) => ({ op: 'product', left: data, right: data, ...size, ...common })),
      { op: 'elementwise', how: 'divide', left: data, right: data, offset: 0, out: data },
      { op: 'dot', left: data, right: data },
      ...[rows(0), rows(3)].map((outputGradient) => ({
        op: 'scores',
        activation: rows(0),
        outputGradient,
        examples: often,
        homogeneous: outputGradient.columns === 0,
        ...common,
      })),
      {
        op: 'scores',
        activation: rows(2),
        outputGradient: rows(3),
        examples: 0,
        homogeneous: true,
        ...common,
      },
      ...[
        { size: 0, count: often },
        { size: 3, count: 0 },
      ].map((size) => ({
        op: 'unitFactors',
        inputs: [{ ...rows(size.size), scale: 1, gradients: data }],
        homogeneous: false,
        decay: 0.5,
        factors: data,
        ...size,
      })),
    ];
    for (const job of jobs) expect(outcome(backend, job)).toEqual({ statuses: ['ok'] });
  });

  it.each([undefined, null, 1, 'x', {}, [1], [null], [[1]], [[null]], [[[]]], [[{}]], [[{ op: 'nothing' }]]])(
    'refuses %j for phases',
    (phases) => {
      expect(() => kernels(backend).run(phases as Job[][])).toThrow(NatgradError);
      expect(() => kernels(backend).submit(phases as Job[][])).toThrow(NatgradError);
    },
  );

  it('accepts n = 1, and memory of a WebAssembly heap', () => {
    const { Memory } = (
      globalThis as unknown as { WebAssembly: { Memory: new (size: object) => { buffer: ArrayBuffer } } }
    ).WebAssembly;
    const heap = new Memory({ initial: 1 }).buffer;
    const matrix = new Float32Array(heap, 64, 1).fill(3);
    const out = new Float32Array(heap, 128, 1);
    const [[{ status }]] = kernels(backend).run([[{ op: 'inverse', matrix, size: 1, damping: 1, out }]]);
    expect(status).toBe('ok');
    expect(out[0]).toBe(0.25);
  });

  it('reports a matrix that holds a NaN or is not positive definite, and leaves the output as it was', () => {
    const run = (entries: number[], damping: number) => {
      const out = new Float64Array(4).fill(5);
      const matrix = new Float64Array(entries);
      const [[{ status }]] = kernels(backend).run([[{ op: 'inverse', matrix, size: 2, damping, out }]]);
      return { status, untouched: out.every((value) => value === 5) };
    };
    expect(run([1, 0, NaN, 1], 0.1)).toEqual({ status: 'notFinite', untouched: true });
    expect(run([1, 0, Infinity, 1], 0.1)).toEqual({ status: 'notFinite', untouched: true });
    expect(run([1, 0, 2, 1], 0)).toEqual({ status: 'notPositiveDefinite', untouched: true });
    expect(run([0, 0, 0, 0], 0)).toEqual({ status: 'notPositiveDefinite', untouched: true });
    expect(run([1, NaN, 0, 1], 0)).toEqual({ status: 'ok', untouched: false });
  });

  it('inverts a stack as it inverts its matrices alone, leaves the place of one that fails and reports the worst', () => {
    const matrices = [
      [2, 0, 1, 2],
      [1, 0, NaN, 1],
      [1, 0, 3, 1],
      [4, 0, 0, 1e-3],
    ].map((entries) => Float64Array.from(entries));
    const outs = matrices.map(() => new Float64Array(4).fill(5));
    const common = { op: 'inverse' as const, size: 2, damping: 0.1 };
    const jobs: Job[] = matrices.map((matrix, i) => ({ ...common, matrix, out: outs[i] }));
    const [alone] = kernels(backend).run([jobs]);

    const flat = (arrays: Float64Array[]) => Float64Array.from(arrays.flatMap((array) => Array.from(array)));
    const out = new Float64Array(16).fill(5);
    const job: Job = { ...common, count: 4, matrix: flat(matrices), out };
    const [[together]] = kernels(backend).run([[job]]);
    expect(out).toEqual(flat(outs));
    expect(Array.from(out.subarray(4, 8))).toEqual([5, 5, 5, 5]);
    // The third matrix has the eigenvalue -2: ten times the damping is too little, a hundred times enough.
    expect(together).toEqual({
      status: 'notFinite',
      residual: Math.max(...alone.map(({ residual }) => residual)),
      iterations: 0,
      converged: false,
      minEigenvalue: Math.min(alone[0].minEigenvalue, alone[2].minEigenvalue, alone[3].minEigenvalue),
      damping: alone[2].damping,
      retries: 2,
      dot: 0,
    });
  });

  it('takes stacks without matrices, and refuses one with a partner', () => {
    const empty = new Float32Array(0);
    const job: Job = { op: 'inverse', matrix: empty, size: 3, count: 0, damping: 1, out: empty };
    expect(outcome(backend, job)).toEqual({ statuses: ['ok'] });
    expect(outcome(backend, { ...job, size: 0, count: 2 ** 31 - 1 })).toEqual({ statuses: ['ok'] });
    const partner = { matrix: Float32Array.of(1), size: 1 };
    expect(outcome(backend, { ...job, partner })).toEqual({
      code: 'ERR_NATGRAD_ARGUMENT',
      message: 'phases[0][0].partner goes with one matrix, but count is 0',
    });
  });

  it('damps in units of the mean diagonal element where that is asked for, and refuses a partner beside it', () => {
    const out = new Float64Array(4);
    const job: Job = {
      op: 'inverse',
      matrix: Float64Array.of(4, 0, 0, 8),
      size: 2,
      damping: 0.25,
      relative: true,
      out,
    };
    const [[{ damping }]] = kernels(backend).run([[job]]);
    expect(damping).toBe(1.5);
    expect(out[0]).toBeCloseTo(1 / 5.5, 14);
    kernels(backend).run([[{ ...job, matrix: new Float64Array(4) }]]);
    expect(Array.from(out)).toEqual([4, 0, 0, 4]);
    expect(outcome(backend, { ...job, partner: { matrix: Float64Array.of(1), size: 1 } })).toEqual({
      code: 'ERR_NATGRAD_ARGUMENT',
      message: 'phases[0][0].partner has no meaning for relative damping',
    });
  });

  it('makes a zero matrix I / damping, and its p-th root damping^(-1/p) I', () => {
    const out = new Float64Array(4);
    const matrix = new Float64Array(4);
    kernels(backend).run([[{ op: 'inverse', matrix, size: 2, damping: 0.25, out }]]);
    expect(Array.from(out)).toEqual([4, 0, 0, 4]);
    kernels(backend).run([
      [
        {
          op: 'inverseRoot',
          matrix,
          size: 2,
          damping: 0.25,
          p: 2,
          method: 'auto',
          tolerance: 0,
          maxIterations: 0,
          out,
        },
      ],
    ]);
    expect(Array.from(out)).toEqual([2, 0, 0, 2]);
  });

  it('climbs the ladder where a matrix is not positive definite, and says so', () => {
    // Eigenvalues 1 and -0.05: damping 0.01 fails, 0.1 holds.
    const matrix = new Float64Array([1, 0, 0, -0.05]);
    const out = new Float64Array(4);
    const [[report]] = kernels(backend).run([[{ op: 'inverse', matrix, size: 2, damping: 0.01, out }]]);
    expect(report).toMatchObject({ status: 'ok', retries: 1 });
    expect(report.damping).toBeCloseTo(0.1, 15);
    expect(out[3]).toBeCloseTo(20, 10);
    // Eigenvalue -100: no multiple helps, so that it is taken as zero.
    matrix[3] = -100;
    const [[clipped]] = kernels(backend).run([[{ op: 'inverse', matrix, size: 2, damping: 0.01, out }]]);
    expect(clipped).toMatchObject({ status: 'ok', retries: 4, damping: 0.01 });
    expect(out[3]).toBeCloseTo(100, 8);
  });
});

describe('the addon and the reference', () => {
  it.each(kinds)('of %s: agree on every wrong value', (_, index) => {
    spoilEach(index, (job, path, spoilt) => {
      const [cpu, reference] = (['cpu', 'reference'] as const).map((backend) => outcome(backend, job));
      expect([path, show(spoilt), cpu]).toEqual([path, show(spoilt), reference]);
    });
  });
});

describe('raw calls of the addon', () => {
  const addonPath = join(__dirname, '..', '..', 'build', 'Release', 'natgrad.node');

  it('never end the process, whatever they are called with', () => {
    // Random values in random places, in a process of its own, whose exit code shows whether it survived.
    const random = new Random(11);
    const seeds = Array.from({ length: 4 }, () => random.integer(1e9));
    const program = `
      const addon = require(${JSON.stringify(addonPath)});
      ${Random.toString()}
      for (const seed of ${JSON.stringify(seeds)}) {
        const random = new Random(seed);
        const value = (depth) => {
          switch (random.integer(16)) {
            case 0: return undefined;
            case 1: return null;
            case 2: return random.integer(10);
            case 3: return random.pick([NaN, Infinity, -1, 1e20, 0.5, 2 ** 31, 2 ** 32 - 1, 32766, 46341]);
            case 4: return random.pick(['factor', 'diagonalFactor', 'inverse', 'diagonalInverse', 'inverseRoot', 'eigh', 'kronecker',
              'scale', 'update', 'combine', 'product', 'elementwise', 'dot', 'scores', 'lowRankScores', 'unitFactors', 'multiply', 'divide', 'auto', 'full', 'lower', 'diagonal', '', 'x'.repeat(1000)]);
            case 5: return new Float32Array(random.integer(12));
            case 6: return new Float64Array(random.integer(12)).fill(NaN);
            case 7: return new Float32Array([2, 1, 1, 2]).subarray(random.integer(4));
            case 8: return new Int32Array(random.integer(5)).fill(random.integer(9) - 3);
            case 9: return new Float32Array(new SharedArrayBuffer(16));
            case 10: return new Float32Array(new ArrayBuffer(16, {maxByteLength: 64}));
            case 11: { const a = new Float32Array(4); structuredClone(a, {transfer: [a.buffer]}); return a; }
            case 12: return new Proxy({}, {get() { throw new Error('trap'); }});
            case 13: { const a = new Float32Array(4); return {get data() { structuredClone(a, {transfer: [a.buffer]}); return a; }, scale: 1}; }
            case 14: return random.pick([true, false, Symbol('x'), 1n, () => 0]);
            default: return depth > 3 ? {} : random.uniform() < 0.4
              ? Array.from({length: random.integer(4)}, () => value(depth + 1)) : object(depth + 1);
          }
        };
        const names = ['op', 'inputs', 'homogeneous', 'decay', 'factor', 'size', 'count', 'matrix', 'damping', 'partner', 'out', 'diagonal', 'p', 'method',
          'tolerance', 'maxIterations', 'values', 'vectors', 'left', 'leftSize', 'leftForm', 'right', 'rightSize', 'rightForm', 'input', 'inputLast',
          'outLast', 'weights', 'direction', 'velocity', 'momentum', 'step', 'shrink', 'terms', 'data', 'rows', 'columns', 'scale', 'geometry', 'indices',
          'leftTransposed', 'rightTransposed', 'transposeLeft', 'transposeRight', 'inner', 'keep', 'how', 'offset', 'activation', 'outputGradient',
          'examples', 'gradients', 'factors', 'start'];
        const object = (depth) => {
          const result = {};
          for (const name of names) if (random.uniform() < 0.5) result[name] = value(depth);
          if (random.uniform() < 0.8) result.op = random.pick(['factor', 'diagonalFactor', 'inverse', 'inverseRoot', 'eigh', 'kronecker', 'scale', 'update', 'combine',
            'product', 'elementwise', 'dot', 'scores', 'lowRankScores', 'unitFactors']);
          return result;
        };
        let refused = 0;
        for (let i = 0; i < 2000; i++) {
          const phases = random.uniform() < 0.1 ? value(0) : [[object(0)], [object(0)]];
          for (const name of ['run', 'submit', 'firstNonFinite', 'setThreads']) {
            try { addon[name](name === 'firstNonFinite' ? [value(0)] : name === 'setThreads' ? value(5) : phases); }
            catch (error) {
              refused++;
              if (!/^ERR_NATGRAD_/.test(error.code) && error.message !== 'trap') throw error;
            }
          }
          addon.setThreads(2);
        }
        const pending = addon.submit([]);
        for (const call of [() => new pending.constructor().wait(), () => new pending.constructor().finished, () => pending.wait.call({}),
          () => pending.constructor(), () => addon.run(), () => addon.submit()]) {
          try { call(); console.error('accepted: ' + call); } catch { refused++; }
        }
        pending.wait();
        if (refused < 500) console.error('the fuzz tests nothing');
      }`;
    const child = spawnSync(process.execPath, ['-e', program], { encoding: 'utf8' });
    expect({ status: child.status, signal: child.signal, stderr: child.stderr }).toEqual({
      status: 0,
      signal: null,
      stderr: '',
    });
  }, 60_000);
});
