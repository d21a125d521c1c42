import { spawnSync } from 'node:child_process';
import { Worker } from 'node:worker_threads';
import { join } from 'node:path';
import { kernels, NatgradError, type FloatArray, type Job } from '../../src/linalg';
import { cast, families, type Dtype } from './matrices';
import { Random } from './random';

const addonPath = join(__dirname, '..', '..', 'build', 'Release', 'natgrad.node');

function spd(n: number, dtype: Dtype, seed = n): FloatArray {
  return cast(families['Gram of rank n/4, damped'](n, dtype, new Random(seed)), dtype);
}

function codeOf(call: () => unknown): string | undefined {
  try {
    call();
  } catch (error) {
    return error instanceof NatgradError ? error.code : String(error);
  }
  return undefined;
}

/** One of every kind of job, in three phases that depend on each other, all on memory of its own. */
function everyJob(dtype: Dtype): { phases: Job[][]; outputs: FloatArray[] } {
  const random = new Random(3);
  const array = (length: number) => cast(random.normals(length), dtype);
  const zeros = (length: number) => cast(new Float64Array(length), dtype);
  const n = 70;
  const m = 9;
  const factor = zeros(n * n);
  const small = zeros(m * m);
  const diagonal = zeros(m);
  const [inverse, root, values, vectors] = [zeros(n * n), zeros(m * m), zeros(m), zeros(m * m)];
  const [diagonalInverse, direction, scaled] = [zeros(m), zeros(n * m), zeros(m)];
  const [weights, velocity, combined] = [array(n * m), array(n * m), zeros(m)];
  const [perExample, units, gram] = [zeros(25 * n * 2), zeros(3 * m * m), zeros(m * m)];
  const [scaledBack, squares] = [zeros(n * m), zeros(m)];
  const activation = { data: array(50 * (n - 1)), rows: 50, columns: n - 1 };
  const damped = { damping: 0.1 };
  const phases: Job[][] = [
    [
      {
        op: 'factor',
        inputs: [{ data: array(100 * (n - 1)), rows: 100, columns: n - 1, scale: 0.01 }],
        homogeneous: true,
        decay: 0,
        factor,
        size: n,
      },
      {
        op: 'factor',
        inputs: [{ data: array(50 * m), rows: 50, columns: m, scale: 0.02 }],
        homogeneous: false,
        decay: 0.5,
        factor: small,
        size: m,
      },
      {
        op: 'diagonalFactor',
        inputs: [
          { indices: Int32Array.from([0, 3, 3, 8]), scale: 0.25 },
          { data: array(4 * m), rows: 4, columns: m, scale: 0.25 },
        ],
        decay: 0,
        factor: diagonal,
      },
      {
        op: 'scores',
        activation,
        outputGradient: { data: array(50 * 2), rows: 50, columns: 2 },
        examples: 25,
        homogeneous: true,
        scale: 0.5,
        keep: 0,
        out: perExample,
      },
      {
        op: 'unitFactors',
        inputs: [{ data: array(50 * m), rows: 50, columns: m, scale: 0.02, gradients: array(50 * 3) }],
        homogeneous: false,
        decay: 0.5,
        factors: units,
        size: m,
        count: 3,
      },
    ],
    [
      {
        op: 'inverse',
        matrix: factor,
        size: n,
        damping: 0.1,
        partner: { matrix: small, size: m },
        out: inverse,
      },
      {
        op: 'inverseRoot',
        matrix: small,
        size: m,
        ...damped,
        p: 4,
        method: 'auto',
        tolerance: 0,
        maxIterations: 0,
        out: root,
      },
      { op: 'eigh', matrix: small, size: m, values, vectors },
      { op: 'diagonalInverse', diagonal, ...damped, out: diagonalInverse },
      {
        op: 'product',
        left: units.subarray(0, m * m),
        right: units.subarray(m * m, 2 * m * m),
        rows: m,
        inner: m,
        columns: m,
        transposeRight: true,
        scale: 0.5,
        keep: 0,
        out: gram,
      },
    ],
    [
      {
        op: 'kronecker',
        left: inverse,
        leftSize: n,
        leftForm: 'full',
        right: root,
        rightSize: m,
        rightForm: 'full',
        input: array((n - 1) * m),
        inputLast: array(m),
        out: direction.subarray(0, (n - 1) * m),
        outLast: direction.subarray((n - 1) * m),
      },
      { op: 'scale', diagonal: diagonalInverse, input: array(m), out: scaled },
      {
        op: 'kronecker',
        left: inverse,
        leftSize: n,
        leftForm: 'full',
        right: vectors,
        rightSize: m,
        rightForm: 'full',
        rightTransposed: true,
        input: array(n * m),
        out: scaledBack,
      },
      {
        op: 'elementwise',
        how: 'divide',
        left: gram.subarray(0, m),
        right: diagonal,
        offset: 0.5,
        out: squares,
      },
    ],
    [
      { op: 'update', weights, direction, velocity, momentum: 0.9, step: -0.1, shrink: 0.99 },
      {
        op: 'combine',
        terms: [
          { data: scaled, scale: 2 },
          { data: values, scale: -1 },
        ],
        out: combined,
      },
      { op: 'dot', left: scaledBack, right: direction },
    ],
  ];
  return {
    phases,
    outputs: [
      factor,
      small,
      diagonal,
      inverse,
      root,
      values,
      vectors,
      diagonalInverse,
      direction,
      scaled,
      weights,
      velocity,
      combined,
      perExample,
      units,
      gram,
      scaledBack,
      squares,
    ],
  };
}

describe.each(['cpu', 'reference'] as const)('submitted work on %s', (backend) => {
  const run = (phases: Job[][]) => kernels(backend).run(phases);
  const submit = (phases: Job[][], how?: { soon: boolean }) => kernels(backend).submit(phases, how);

  it.each(['float32', 'float64'] as const)('gives the same bits and reports as run, %s', async (dtype) => {
    const now = everyJob(dtype);
    const later = everyJob(dtype);
    const promised = everyJob(dtype);
    const reports = run(now.phases);
    expect(reports.flat().map(({ status }) => status)).toEqual(Array(17).fill('ok'));
    const pending = submit(later.phases);
    expect(pending.wait()).toEqual(reports);
    expect(pending.wait()).toEqual(reports);
    expect(pending.finished).toBe(true);
    expect(later.outputs).toEqual(now.outputs);
    const other = submit(promised.phases);
    expect(await other.promise()).toEqual(reports);
    expect(await other.promise()).toEqual(reports);
    expect(promised.outputs).toEqual(now.outputs);
    const soon = everyJob(dtype);
    expect(submit(soon.phases, { soon: true }).wait()).toEqual(reports);
    expect(soon.outputs).toEqual(now.outputs);
  });

  it('is done in the order it was submitted in', () => {
    // x <- 2 x + 1 and x <- 3 x do not commute: 3 (2 x + 1) from x = 1 is 9, the other order gives 7.
    const x = new Float64Array([1]);
    const one = new Float64Array([1]);
    const first: Job = {
      op: 'combine',
      terms: [
        { data: x, scale: 2 },
        { data: one, scale: 1 },
      ],
      out: x,
    };
    const second: Job = { op: 'combine', terms: [{ data: x, scale: 3 }], out: x };
    for (const soon of [false, true]) {
      x[0] = 1;
      submit([[first]], { soon });
      submit([[second]], { soon }).wait();
      expect(x[0]).toBe(9);
    }
  });

  it('copies the inputs of factors before submit returns', () => {
    const data = new Float32Array([1, 2, 3, 4]);
    const factor = new Float32Array(4);
    const pending = submit([
      [
        {
          op: 'factor',
          inputs: [{ data, rows: 2, columns: 2, scale: 1 }],
          homogeneous: false,
          decay: 0,
          factor,
          size: 2,
        },
      ],
    ]);
    data.fill(100);
    pending.wait();
    expect(Array.from(factor)).toEqual([10, 0, 14, 20]);
  });

  it('copies the inputs of scores and unit factors before submit returns', () => {
    const x = new Float32Array([1, 2, 3, 4]);
    const g = new Float32Array([5, 6]);
    const [out, factors] = [new Float32Array(4), new Float32Array(4)];
    const rows = { rows: 2, columns: 2 };
    const pending = submit([
      [
        {
          op: 'scores',
          activation: { data: x, ...rows },
          outputGradient: { data: g, rows: 2, columns: 1 },
          examples: 2,
          homogeneous: false,
          scale: 1,
          keep: 0,
          out,
        },
        {
          op: 'unitFactors',
          inputs: [{ data: x, ...rows, scale: 1, gradients: g }],
          homogeneous: false,
          decay: 0,
          factors,
          size: 2,
          count: 1,
        },
      ],
    ]);
    x.fill(100);
    g.fill(100);
    pending.wait();
    expect(Array.from(out)).toEqual([5, 10, 18, 24]);
    // 25 [1 2]'[1 2] + 36 [3 4]'[3 4].
    expect(Array.from(factors)).toEqual([349, 0, 482, 676]);
  });

  it('does not copy the inputs of scores that an earlier phase of the same work writes', () => {
    const [x, g, out] = [new Float64Array(2), new Float64Array(1), new Float64Array(2)];
    const write = (values: number[], to: FloatArray): Job => ({
      op: 'combine',
      terms: [{ data: Float64Array.from(values), scale: 1 }],
      out: to,
    });
    submit([
      [write([3, 4], x), write([5], g)],
      [
        {
          op: 'scores',
          activation: { data: x, rows: 1, columns: 2 },
          outputGradient: { data: g, rows: 1, columns: 1 },
          examples: 1,
          homogeneous: false,
          scale: 1,
          keep: 0,
          out,
        },
      ],
    ]).wait();
    expect(Array.from(out)).toEqual([15, 20]);
  });

  it('does not copy a factor input that an earlier phase of the same work writes', () => {
    const data = new Float32Array(2);
    const source = new Float32Array([3, 4]);
    const factor = new Float32Array(4);
    submit([
      [{ op: 'combine', terms: [{ data: source, scale: 1 }], out: data }],
      [
        {
          op: 'factor',
          inputs: [{ data, rows: 1, columns: 2, scale: 1 }],
          homogeneous: false,
          decay: 0,
          factor,
          size: 2,
        },
      ],
    ]).wait();
    expect(Array.from(factor)).toEqual([9, 0, 12, 16]);
  });

  it('accepts no phases, empty phases and n = 0', () => {
    const empty = new Float32Array(0);
    expect(submit([]).wait()).toEqual([]);
    expect(submit([[], []]).wait()).toEqual([[], []]);
    expect(
      run([[{ op: 'inverse', matrix: empty, size: 0, damping: 0, out: new Float32Array(0) }]])[0][0].status,
    ).toBe('ok');
  });
});

describe('memory of submitted work', () => {
  const run = (phases: Job[][]) => kernels('cpu').run(phases);
  const submit = (phases: Job[][], how?: { soon: boolean }) => kernels('cpu').submit(phases, how);
  const n = 200;
  const make = () => {
    const matrix = spd(n, 'float32');
    const out = new Float32Array(n * n);
    const job: Job = { op: 'inverse', matrix, size: n, damping: 0, out };
    return { matrix, out, job };
  };
  const half = (data: FloatArray, out: FloatArray): Job => ({
    op: 'combine',
    terms: [{ data, scale: 0.5 }],
    out,
  });

  it('may not be written by run, nor read where the work writes, until the end of the work was seen', () => {
    const { matrix, out, job } = make();
    const other = new Float32Array(n * n);
    const pending = submit([[job]]);
    expect(codeOf(() => run([[half(other, matrix)]]))).toBe('ERR_NATGRAD_BUFFER');
    expect(codeOf(() => run([[half(out, other)]]))).toBe('ERR_NATGRAD_BUFFER');
    expect(codeOf(() => kernels('cpu').firstNonFinite([out]))).toBe('ERR_NATGRAD_BUFFER');
    expect(() => run([[half(out, other)]])).toThrow('phases[0][0].terms[0].data');
    // Reading what the work only reads is no race.
    expect(run([[half(matrix, other)]])[0][0].status).toBe('ok');
    pending.wait();
    expect(run([[half(out, matrix)]])[0][0].status).toBe('ok');
  });

  it('may not be the input of a factor in a later submit while the work writes it, as that is copied at once', () => {
    const { out, job } = make();
    const pending = submit([[job]]);
    const factor = new Float32Array(4);
    const reading: Job = {
      op: 'factor',
      inputs: [{ data: out.subarray(0, 4), rows: 2, columns: 2, scale: 1 }],
      homogeneous: false,
      decay: 0,
      factor,
      size: 2,
    };
    expect(codeOf(() => submit([[reading]]))).toBe('ERR_NATGRAD_BUFFER');
    pending.wait();
    expect(codeOf(() => submit([[reading]]).wait())).toBeUndefined();
  });

  it('may not be written by work on the other thread, nor read there while it is written', () => {
    for (const soon of [false, true]) {
      const { matrix, out, job } = make();
      const other = new Float32Array(n * n);
      const pending = submit([[job]], { soon });
      expect(codeOf(() => submit([[half(other, matrix)]], { soon: !soon }))).toBe('ERR_NATGRAD_BUFFER');
      expect(codeOf(() => submit([[half(out, other)]], { soon: !soon }))).toBe('ERR_NATGRAD_BUFFER');
      expect(submit([[half(matrix, other)]], { soon: !soon }).wait()[0][0].status).toBe('ok');
      // The end of work on one thread says nothing about the other.
      expect(codeOf(() => run([[half(other, matrix)]]))).toBe('ERR_NATGRAD_BUFFER');
      pending.wait();
      expect(submit([[half(out, other)]], { soon: !soon }).wait()[0][0].status).toBe('ok');
    }
  });

  it('is free again when later work is seen to be finished', () => {
    const { out, job } = make();
    submit([[job]]);
    submit([[half(new Float32Array(1), new Float32Array(1))]]).wait();
    expect(run([[half(new Float32Array(n * n), out)]])[0][0].status).toBe('ok');
  });

  it('is free again when the promise is settled', async () => {
    const { out, job } = make();
    await submit([[job]]).promise();
    expect(run([[half(new Float32Array(n * n), out)]])[0][0].status).toBe('ok');
  });

  it('that was transferred away is an error when the work is waited for', async () => {
    const slow = make();
    const { out, job } = make();
    submit([[slow.job]]);
    const waited = submit([[job]]);
    const moved = structuredClone(out, { transfer: [out.buffer] });
    expect(codeOf(() => waited.wait())).toBe('ERR_NATGRAD_BUFFER');
    expect(moved).toHaveLength(n * n);
    const second = make();
    const promised = submit([[second.job]]);
    const alsoMoved = structuredClone(second.out, { transfer: [second.out.buffer] });
    await expect(promised.promise()).rejects.toMatchObject({ code: 'ERR_NATGRAD_BUFFER' });
    expect(alsoMoved).toHaveLength(n * n);
  });

  it('that it has copies of may be transferred away, as the wasm heap of tfjs is when it grows', () => {
    const data = new Float32Array([1, 2, 3, 4]);
    const factor = new Float32Array(4);
    const inputs = [{ data, rows: 2, columns: 2, scale: 1 }];
    submit([[make().job]]);
    const pending = submit([[{ op: 'factor', inputs, homogeneous: false, decay: 0, factor, size: 2 }]]);
    structuredClone(data, { transfer: [data.buffer] });
    expect(data).toHaveLength(0);
    pending.wait();
    // [1 2; 3 4]'[1 2; 3 4], lower triangle.
    expect(Array.from(factor)).toEqual([10, 0, 14, 20]);
  });
});

describe('the addon', () => {
  const run = (phases: Job[][]) => kernels('cpu').run(phases);

  it('gives the same bits whatever the number of threads', () => {
    const cpu = kernels('cpu');
    const before = cpu.threads;
    const results = [1, 2, 5].map((threads) => {
      cpu.threads = threads;
      const matrices = [8, 8, 8, 8, 8, 8, 8, 8, 8, 64, 65, 129, 200].map((n) => spd(n, 'float32'));
      const out = matrices.map(({ length }) => new Float32Array(length));
      run([
        matrices.map((matrix, i) => ({
          op: 'inverse',
          matrix,
          size: Math.sqrt(matrix.length),
          damping: 1e-3,
          out: out[i],
        })),
      ]);
      return out;
    });
    cpu.threads = before;
    expect(results[1]).toEqual(results[0]);
    expect(results[2]).toEqual(results[0]);
  });

  it.each([0, -1, 1.5, NaN, Infinity, 1e9, '2', null, undefined, {}])('refuses %p threads', (threads) => {
    expect(codeOf(() => (kernels('cpu').threads = threads as number))).toMatch(
      /^ERR_NATGRAD_(ARGUMENT|TYPE)$/,
    );
  });

  const program = `
    const addon = require(${JSON.stringify(addonPath)});
    const n = 300;
    function job(seed) {
      const matrix = new Float64Array(n * n);
      for (let i = 0; i < n; i++) for (let j = 0; j <= i; j++) matrix[i * n + j] = (Math.min(i, j) + 1) * (1 + seed);
      return {op: 'inverse', matrix, size: n, damping: 0, out: new Float64Array(n * n)};
    }`;

  it('works in several worker threads at once, and in none of them after they ended', async () => {
    const source = `${program}
      const {parentPort, workerData} = require('node:worker_threads');
      const mine = job(workerData);
      const pending = addon.submit([[mine]]);
      pending.promise().then(() => parentPort.postMessage(mine.out[0] * (1 + workerData)));`;
    const answers = await Promise.all(
      [0, 1, 2, 3].map(
        (workerData) =>
          new Promise<number>((resolve, reject) => {
            const worker = new Worker(source, { eval: true, workerData });
            worker.once('message', resolve);
            worker.once('error', reject);
          }),
      ),
    );
    // The inverse of min(i, j) is tridiagonal (2, -1).
    answers.forEach((answer) => expect(answer).toBeCloseTo(2, 9));
  });

  it.each([
    [
      'that exits with work pending',
      'for (let i = 0; i < 50; i++) addon.submit([[job(i)]]); process.exit(7);',
      7,
    ],
    [
      'that ends with work pending',
      'for (let i = 0; i < 20; i++) addon.submit([[job(i)]], undefined, i % 2 === 0);',
      0,
    ],
    [
      'that ends worker threads with work pending',
      `const {Worker} = require('node:worker_threads');
       for (let k = 0; k < 3; k++) {
         const worker = new Worker(\`\${${JSON.stringify(program)}}
           for (let i = 0; i < 30; i++) addon.submit([[job(i)]]).promise();
           require('node:worker_threads').parentPort.postMessage(1);\`, {eval: true});
         worker.once('message', () => worker.terminate());
       }`,
      0,
    ],
    [
      'that awaits a promise and nothing else',
      'addon.submit([[job(1)]]).promise().then(() => { process.exitCode = 5; });',
      5,
    ],
    [
      'that throws all handles away',
      `for (let i = 0; i < 200; i++) { addon.submit([[{op: 'combine', terms: [], out: new Float32Array(1000)}]]); if (i % 20 === 0) gc(); }
       addon.submit([[job(1)]]).wait();`,
      0,
    ],
  ])('ends cleanly in a process %s', (_, body, status) => {
    const child = spawnSync(process.execPath, ['--expose-gc', '-e', program + body], { encoding: 'utf8' });
    expect({ status: child.status, signal: child.signal, stderr: child.stderr }).toEqual({
      status,
      signal: null,
      stderr: '',
    });
  });
});
