'use strict';
// What the tests of the CUDA back end run in a process of its own, whose environment has the test doubles of the CUDA libraries.
// Usage: cudaProgram.cjs <task> <arguments as JSON>; prints what the task returns as JSON.

const linalg = require('../../dist/linalg');

/** Numbers in (-1, 1), the same on every call with the same seed. */
function numbers(count, seed, Type) {
  let state = seed * 2654435761 + 1;
  return Type.from({ length: count }, () => {
    state = (state * 1103515245 + 12345) % 2147483648;
    return state / 1073741824 - 1;
  });
}

/** X'X / n + I / 2, whose condition number stays below about ten; NaN above the diagonal, which nothing may read. */
function positiveDefinite(n, seed, Type) {
  const x = numbers(2 * n * n, seed, Float64Array);
  const matrix = new Type(n * n).fill(NaN);
  for (let i = 0; i < n; i++) {
    for (let j = 0; j <= i; j++) {
      let sum = i === j ? 0.5 : 0;
      for (let k = 0; k < 2 * n; k++) sum += (x[k * n + i] * x[k * n + j]) / n;
      matrix[i * n + j] = sum;
    }
  }
  return matrix;
}

/** Largest difference, relative to the largest element. */
function difference(found, expected) {
  const lists = [found, expected].map((value) => [value].flat().flatMap((array) => [...array]));
  const largest = lists[1].reduce((most, value) => Math.max(most, Math.abs(value)), 1e-30);
  return lists[1].reduce((most, value, i) => Math.max(most, Math.abs(lists[0][i] - value)), 0) / largest;
}

/** Per function of the linear algebra, how it is called with matrices of the given sizes; results are what it returns. */
const functions = {
  inverse: (a, options) => linalg.inverse(a.spd, { damping: 0.1, ...options }),
  inverseFromEarlier: (a, options) => linalg.inverse(a.spd, { damping: 0.1, start: linalg.inverse(a.spd, { damping: 0.12 }), ...options }),
  inverseSquareRoot: (a, options) => linalg.inverseRoot(a.spd, { damping: 0.01, ...options }),
  inverseFourthRoot: (a, options) => linalg.inverseRoot(a.spd, { p: 4, damping: 0.01, ...options }),
  eigenvalues: (a, options) => linalg.eigh(a.spd, options).map(({ values }) => values),
  solve: (a, options) => linalg.solve(a.spd, a.vectors, { damping: 0.1, ...options }),
  kroneckerSolve: (a, options) => linalg.kroneckerSolve(a.spd, a.squares, a.others, { damping: 0.1, ...options }),
  kroneckerMultiply: (a, options) => a.spd.map((left, i) => linalg.kroneckerMultiply(left, a.squares[i], a.others[i], { leftForm: 'lower', rightForm: 'lower', ...options })),
  kroneckerFactor: (a, options) => linalg.kroneckerFactor(a.sizes.map((n, i) => ({ data: a.rows[i], columns: n })), { homogeneous: true, ...options }),
  updateFactor: (a, options) => linalg.updateFactor(a.spd.map((matrix) => matrix.map((value) => value || 0)), a.sizes.map((n, i) => ({ data: a.rows[i], columns: n })), options),
  updateWeights: (a, options) => linalg.updateWeights(a.vectors.map((vector) => vector.slice()), a.vectors, { step: -0.1, shrink: 0.9, ...options }),
}; // prettier-ignore

function inputs(sizes, Type) {
  const each = (make) => sizes.map((n, i) => make(n, i + 1));
  return {
    sizes,
    spd: each((n, seed) => positiveDefinite(n, seed, Type)),
    others: each((n, seed) => positiveDefinite(n, seed + 50, Type)),
    squares: each((n, seed) => numbers(n * n, seed + 100, Type)),
    vectors: each((n, seed) => numbers(n, seed + 150, Type)),
    rows: each((n, seed) => numbers(7 * n, seed + 200, Type)),
  };
}

const tasks = {
  inspect: () => linalg.inspectCuda(),

  /** Per function the difference between the device's results and the processor's in float64, for all sizes in one call. */
  compare({ sizes, dtype, backend = 'cuda' }) {
    const [given, exact] = [inputs(sizes, globalThis[dtype]), inputs(sizes, Float64Array)];
    return Object.fromEntries(
      Object.entries(functions).map(([name, call]) => {
        return [name, difference(call(given, { backend }), call(exact, { backend: 'cpu' }))];
      }),
    );
  },

  /** Whether overlapped results and those of a batch are the bits of single calls. */
  sameBits({ sizes }) {
    const { spd } = inputs(sizes, Float32Array);
    const backend = 'cuda';
    const alone = spd.map((matrix) => linalg.inverse(matrix, { damping: 0.1, backend }));
    const together = linalg.inverse(spd, { damping: 0.1, backend });
    const overlapped = linalg.inverse(spd, { damping: 0.1, backend, overlapped: true }).wait();
    const bits = (arrays) => arrays.map((array) => Buffer.from(array.buffer).toString('hex')).join();
    return [together, overlapped].map((arrays) => bits(arrays) === bits(alone));
  },

  /** What kernels do with an array that is kept: see the test. */
  keep() {
    const kernels = linalg.kernels('cuda');
    const copy = (from, to) => [[{ op: 'combine', terms: [{ data: from, scale: 2 }], out: to }]];
    const array = Float32Array.of(1, 2, 3, 4);
    const other = new Float32Array(2);
    const kept = kernels.memory.keep(array);
    kernels.run(copy(array.slice(), array));
    const stale = [...array];
    kernels.run(copy(array.subarray(2), other));
    const code = (call) => {
      try {
        call();
        return 'none';
      } catch (error) {
        return error.code;
      }
    };
    const twice = code(() => kernels.memory.keep(array.subarray(1, 2)));
    const pending = kernels.submit(copy(other.slice().fill(7), array.subarray(0, 2)));
    const early = [code(() => kept.fetch()), code(() => kept.release())];
    pending.wait();
    kept.fetch();
    kept.release();
    const released = code(() => kept.fetch());
    kernels.run(copy(array, array.subarray(0, 4)));
    return { stale, other: [...other], twice, early, released, last: [...array] };
  },

  /** Device memory that is taken by arrays, after as many were kept by objects that nothing refers to any more. */
  async collect() {
    const kernels = linalg.kernels('cuda');
    const before = kernels.memory.room().free;
    for (let i = 0; i < 64; i++) kernels.memory.keep(new Float32Array(2 ** 18));
    for (let i = 0; i < 10; i++) {
      globalThis.gc();
      await new Promise((resolve) => globalThis.setTimeout(resolve));
    }
    // The back end hands out again what was freed.
    const kept = Array.from({ length: 64 }, () => kernels.memory.keep(new Float32Array(2 ** 18)));
    return { held: before - kernels.memory.room().free, all: kept.length * 2 ** 20 };
  },

  /** Weights after training a preset with each backend, and what was warned of. */
  async train({ preset, config, backends, steps, width = 12 }) {
    const tf = require('@tensorflow/tfjs');
    const natgrad = require('../../dist');
    const warnings = [];
    console.warn = (message) => warnings.push(String(message));
    const runs = [];
    for (const backend of backends) {
      const optimizer = natgrad[preset]({ ...config, backend });
      const model = tf.sequential();
      [width, 3].forEach((units, i) => {
        const kernelInitializer = tf.initializers.glorotUniform({ seed: i + 1 });
        model.add(tf.layers.dense({ units, activation: i ? 'softmax' : 'tanh', inputShape: [width], kernelInitializer }));
      }); // prettier-ignore
      model.compile({ optimizer, loss: 'categoricalCrossentropy' });
      for (let step = 0; step < steps; step++) {
        const x = tf.tensor2d(numbers(16 * width, step + 1, Float32Array), [16, width]);
        const y = tf.oneHot(x.slice([0, 0], [16, 3]).argMax(1), 3).toFloat();
        await model.trainOnBatch(x, y);
      }
      const weights = model.getWeights().flatMap((weight) => [...weight.dataSync()]);
      runs.push({ weights, backend: optimizer.stats().backend, failures: optimizer.stats().refreshFailures });
      optimizer.dispose();
    }
    return { runs, warnings: warnings.filter((text) => text.startsWith('natgrad')) };
  },
};

async function main([task, argument = 'null']) {
  try {
    return { result: await tasks[task](JSON.parse(argument)) };
  } catch (error) {
    return { error: { code: error.code, message: error.message, stack: error.stack } };
  }
}

main(process.argv.slice(2)).then((outcome) => process.stdout.write(JSON.stringify(outcome)));
