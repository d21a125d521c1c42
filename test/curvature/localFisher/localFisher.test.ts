import type { Response } from '../../../src/curvature/block';
import {
  LocalFisherBlock,
  type LocalFisherBlockOptions,
} from '../../../src/curvature/localFisher/localFisher';
import { runPhases } from '../../../src/curvature/phases';
import { sampleWithoutReplacement, structureStream } from '../../../src/curvature/shared/sampling';
import { meanRelativeFisher } from '../../../src/curvature/localFisher/relativeFisher';
import type { FloatArray, Kernels } from '../../../src/linalg/jobs';
import { kernels } from '../../../src/linalg/kernels';
import { feed, multiplyBy, precondition, refresh } from '../../support/blocks';
import { randomInputs } from '../../support/denseNet';
import { plusDiagonal, relativeError, solve } from '../../support/matrices';

const lambda = 0.1;
const [n, m] = [4, 3];

function block(options: Partial<LocalFisherBlockOptions> = {}): LocalFisherBlock {
  return new LocalFisherBlock({
    shape: {
      names: ['kernel', 'bias'],
      shapes: [[n, m], [m]],
    },
    inputSize: n,
    outputSize: m,
    bias: true,
    precision: 'float64',
    ...options,
  });
}

/** A batch of `rows` examples whose pre-activations are z; every unit has a rectifier. */
function batch(rows: number, seed: number) {
  const data = randomInputs(rows, n, seed);
  const z = randomInputs(rows, m, seed + 1);
  const responses: Response[][] = [[{ kind: 'rectifier', begin: 0, size: m, values: z, slope: 0 }]];
  return { examples: rows, activations: [{ data, rows, columns: n }], responses, z };
}

/** A and v of one batch, written out: A = E[x~ x~'], v = E[s(z)^2] (Liu, Boumaraf et al., equation 12; Sun and Nielsen 2017). */
function moments({ activations: [{ data, rows }], z }: ReturnType<typeof batch>) {
  const A = new Float64Array((n + 1) ** 2);
  const v = new Float64Array(m);
  for (let r = 0; r < rows; r++) {
    const x = [...data.subarray(n * r, n * (r + 1)), 1];
    x.forEach((xi, i) => x.forEach((xk, k) => (A[i * (n + 1) + k] += (xi * xk) / rows)));
    for (let j = 0; j < m; j++) v[j] += (1 / (1 + Math.exp(-z[r * m + j]))) ** 2 / rows;
  }
  return { A, v };
}

/** The damped dense metric over [kernel; bias] in row-major order: (A + lambda tr A / dim A I) (x) diag(v + lambda mean v). */
function metric({ A, v }: ReturnType<typeof moments>, damping: number): Float64Array {
  const trace = Array.from({ length: n + 1 }, (_, i) => A[i * (n + 2)]).reduce((s, a) => s + a, 0);
  const dampedA = plusDiagonal(A, (damping * trace) / (n + 1));
  const mean = v.reduce((s, a) => s + a, 0) / m;
  const size = (n + 1) * m;
  return Float64Array.from({ length: size * size }, (_, at) => {
    const [row, column] = [Math.floor(at / size), at % size];
    if (row % m !== column % m) return 0;
    return dampedA[Math.floor(row / m) * (n + 1) + Math.floor(column / m)] * (v[row % m] + damping * mean);
  });
}

const parts = (values: Float64Array): FloatArray[] => [values.slice(0, n * m), values.slice(n * m)];
const joined = (arrays: FloatArray[]) => Float64Array.from(arrays.flatMap((array) => [...array]));
const times = (matrix: Float64Array, x: Float64Array) =>
  x.map((_, i) => x.reduce((sum, value, j) => sum + matrix[i * x.length + j] * value, 0));

describe('relative Fisher information', () => {
  it('is the expected square of the derivative of log p(y | z) for units that are distributions', () => {
    // Oracle: E_y[(d/dz log p(y | z))^2] by central differences. A sigmoid unit is a Bernoulli variable with mean s(z); a tanh unit is one
    // on {-1, 1} with mean tanh(z); a linear one is normal; of a softmax unit the indicator of its class counts.
    const z = 0.7;
    const s = (x: number) => 1 / (1 + Math.exp(-x));
    const information = (probabilities: (x: number) => number[]) => {
      const [up, down, at] = [z + 1e-5, z - 1e-5, z].map(probabilities);
      return at.reduce((sum, p, y) => sum + p * ((Math.log(up[y]) - Math.log(down[y])) / 2e-5) ** 2, 0);
    };
    const of = (kind: Response['kind'], value: number) =>
      meanRelativeFisher([[{ kind, begin: 0, size: 1, values: Float64Array.of(value) }]], [1], 1)[0];
    expect(of('sigmoid', s(z))).toBeCloseTo(
      information((x) => [1 - s(x), s(x)]),
      8,
    );
    expect(of('tanh', Math.tanh(z))).toBeCloseTo(
      information((x) => [(1 - Math.tanh(x)) / 2, (1 + Math.tanh(x)) / 2]),
      8,
    );
    const softmax = (x: number) => [x, 0.2, -0.4].map((logit) => Math.exp(logit));
    const p = softmax(z).map((e, _, all) => e / (all[0] + all[1] + all[2]));
    const normalised = (x: number) => softmax(x).map((e, _, all) => e / (all[0] + all[1] + all[2]));
    expect(of('softmax', p[0])).toBeCloseTo(information(normalised), 8);
    // Rectifiers and ELU: the squared slope of the smooth function that stands for them (Sun and Nielsen 2017, section 4).
    const rectifier = (slope: number) =>
      meanRelativeFisher(
        [[{ kind: 'rectifier', begin: 0, size: 1, values: Float64Array.of(z), slope }]],
        [1],
        1,
      )[0];
    const soft = (slope: number) => (x: number) => slope * x + Math.log1p(Math.exp((1 - slope) * x));
    for (const slope of [0, 0.2]) {
      const difference = (soft(slope)(z + 1e-5) - soft(slope)(z - 1e-5)) / 2e-5;
      expect(rectifier(slope)).toBeCloseTo(difference ** 2, 8);
    }
    expect(of('elu', Math.expm1(-z))).toBeCloseTo(Math.exp(-2 * z), 12);
    expect(of('elu', z)).toBe(1);
  });

  it('averages over rows and uses, and keeps the columns of gates apart', () => {
    const gates = (z: number[]): Response[] => [
      { kind: 'sigmoid', begin: 0, size: 1, values: Float64Array.from(z) },
      { kind: 'linear', begin: 1, size: 1 },
      { kind: 'hardSigmoid', begin: 2, size: 1, values: Float64Array.from(z) },
    ];
    const v = meanRelativeFisher([gates([0.5, 0.25]), gates([0.2])], [2, 1], 3);
    expect(relativeError(v, [(0.25 + 0.1875 + 0.16) / 3, 1, (0.25 + 0.1875 + 0.16) / 3])).toBeLessThan(1e-15);
    expect(meanRelativeFisher([gates([-1, 2])], [2], 3)[2]).toBe(0);
  });
});

describe.each(['cpu', 'reference'] as const)('the local Fisher block by the %s kernels', (name) => {
  let kernel: Kernels;
  beforeAll(() => (kernel = kernels(name)));

  it.each(['auto', 'denmanBeavers', 'newtonSchulz'] as const)(
    'preconditions by the damped metric, its root by %s',
    (root) => {
      const data = batch(9, 1);
      const local = block({ root });
      feed(kernel, local, data);
      const gradient = randomInputs(n + 1, m, 5);
      expect(refresh(kernel, local, lambda).failures).toBe(0);
      const direction = joined(precondition(kernel, local, parts(gradient)));
      expect(relativeError(direction, solve(metric(moments(data), lambda), gradient))).toBeLessThan(1e-9);
    },
  );

  it('is A (x) diag(v), undamped, for products and as a dense matrix', () => {
    const data = batch(6, 7);
    const local = block();
    feed(kernel, local, data);
    const dense = metric(moments(data), 0);
    expect(relativeError(local.toDense(), dense)).toBeLessThan(1e-14);
    const vector = randomInputs(n + 1, m, 8);
    expect(
      relativeError(joined(multiplyBy(kernel, local, parts(vector))), times(dense, vector)),
    ).toBeLessThan(1e-13);
  });

  it('averages the factors of batches by the weights it is given', () => {
    const [first, second] = [batch(6, 9), batch(5, 12)];
    const local = block();
    feed(kernel, local, first);
    feed(kernel, local, second, { decay: 0.75, scale: 0.25 });
    const [a, b] = [moments(first), moments(second)];
    const mix = (x: Float64Array, y: Float64Array) => x.map((value, i) => 0.75 * value + 0.25 * y[i]);
    const dense = metric({ A: mix(a.A, b.A), v: mix(a.v, b.v) }, 0);
    expect(relativeError(local.toDense(), dense)).toBeLessThan(1e-14);
  });

  it.each([
    ['an embedding', { transposed: false }],
    ['an embedding whose table is used transposed', { transposed: true }],
  ])('keeps the counts of %s, exactly the one-hot dense layer', (_, { transposed }) => {
    const shape = { names: ['table'], shapes: [transposed ? [m, n] : [n, m]] };
    const indices = Int32Array.of(2, 0, 2, 3, 1);
    const responses: Response[][] = [[{ kind: 'tanh', begin: 0, size: m, values: randomInputs(5, m, 15) }]];
    const oneHot = new Float64Array(5 * n);
    indices.forEach((index, r) => (oneHot[n * r + index] = 1));
    const common = { shape, bias: false, transposed };
    const [table, dense] = [block({ ...common, diagonalInput: true }), block(common)];
    feed(kernel, table, { examples: 5, activations: [{ indices }], responses });
    feed(kernel, dense, { examples: 5, activations: [{ data: oneHot, rows: 5, columns: n }], responses });
    expect(relativeError(table.toDense(), dense.toDense())).toBeLessThan(1e-15);
    const gradient = randomInputs(n, m, 16);
    const directions = [table, dense].map((one) => {
      expect(refresh(kernel, one, lambda).failures).toBe(0);
      return precondition(kernel, one, [gradient])[0];
    });
    expect(relativeError(directions[0], directions[1])).toBeLessThan(1e-9);
  });

  describe('reparametrised', () => {
    const through = (local: LocalFisherBlock, way: 'toOwn' | 'toWeights', values: Float64Array) => {
      const out = parts(new Float64Array(values.length));
      runPhases(kernel, local.reparametrisation![way](parts(values), out));
      return joined(out);
    };

    it('takes the same steps as the update with G^-1, through refreshes that leave the weights as they are', () => {
      // Oracle 14: explicit w <- w - a G^-1 g with the dense metric, for the gradient H (w - w*) of a quadratic function.
      const local = block({ form: 'reparametrised' });
      const target = randomInputs(n + 1, m, 20);
      let explicit = randomInputs(n + 1, m, 21);
      let weights = explicit.slice();
      const rate = 0.05;
      for (let period = 0; period < 3; period++) {
        const data = batch(8, 30 + 2 * period);
        feed(kernel, local, data);
        expect(refresh(kernel, local, lambda).failures).toBe(0);
        let own = through(local, 'toOwn', weights);
        expect(relativeError(through(local, 'toWeights', own), weights)).toBeLessThan(1e-10);
        const G = metric(moments(data), lambda);
        for (let step = 0; step < 4; step++) {
          const gradient = explicit.map((w, i) => (i + 1) * (w - target[i]));
          explicit = explicit.map((w, i) => w - rate * solve(G, gradient)[i]);
          const ownGradient = through(
            local,
            'toWeights',
            weights.map((w, i) => (i + 1) * (w - target[i])),
          );
          own = own.map((w, i) => w - rate * ownGradient[i]);
          weights = through(local, 'toWeights', own);
        }
      }
      expect(relativeError(weights, explicit)).toBeLessThan(1e-10);
    });

    it("would step along -G g if w' were G^-1/2 w, as the paper's algorithm 1 prints it", () => {
      // With w = G^1/2 w', dL/dw' = G^1/2 g and the step of w is -a G g: the wrong way round, and not what the block does.
      const data = batch(8, 40);
      const local = block({ form: 'reparametrised' });
      feed(kernel, local, data);
      refresh(kernel, local, lambda);
      const gradient = randomInputs(n + 1, m, 41);
      const G = metric(moments(data), lambda);
      const printed = through(local, 'toOwn', through(local, 'toOwn', gradient));
      expect(relativeError(printed, times(G, gradient))).toBeLessThan(1e-9);
      const right = through(local, 'toWeights', through(local, 'toWeights', gradient));
      expect(relativeError(right, solve(G, gradient))).toBeLessThan(1e-9);
      expect(relativeError(right, printed)).toBeGreaterThan(0.5);
    });
  });

  describe('with a few columns of A for all', () => {
    /** C W^-1 C' of the columns that the first refresh chooses (Drineas and Mahoney 2005). */
    const approximate = (A: Float64Array, rank: number) => {
      const size = n + 1;
      const chosen = sampleWithoutReplacement(size, rank, structureStream(0, 0));
      const core = Float64Array.from(chosen.flatMap((i) => chosen.map((j) => A[i * size + j])));
      return Float64Array.from({ length: size * size }, (_, at) => {
        const [i, k] = [Math.floor(at / size), at % size];
        const solved = solve(
          core,
          Float64Array.from(chosen, (j) => A[j * size + k]),
        );
        return chosen.reduce((sum, j, c) => sum + A[i * size + j] * solved[c], 0);
      });
    };

    it.each(['update', 'reparametrised'] as const)('is exact where A has no higher rank, as %s', (form) => {
      const data = batch(3, 80);
      const local = block({ form, nystrom: { rank: 3 } });
      feed(kernel, local, data);
      expect(refresh(kernel, local, lambda).failures).toBe(0);
      const gradient = randomInputs(n + 1, m, 81);
      const direction = joined(precondition(kernel, local, parts(gradient)));
      const G = metric(moments(data), lambda);
      expect(relativeError(direction, solve(G, gradient))).toBeLessThan(1e-9);
      if (form === 'update') return;
      const root = (values: Float64Array, way: 'toOwn' | 'toWeights') => {
        const out = parts(new Float64Array(values.length));
        runPhases(kernel, local.reparametrisation![way](parts(values), out));
        return joined(out);
      };
      expect(relativeError(root(root(gradient, 'toWeights'), 'toWeights'), direction)).toBeLessThan(1e-9);
      expect(relativeError(root(root(gradient, 'toWeights'), 'toOwn'), gradient)).toBeLessThan(1e-9);
    });

    it('takes A for what its chosen columns say of it, damped by the trace of all', () => {
      const data = batch(9, 84);
      const local = block({ nystrom: { rank: 2 } });
      feed(kernel, local, data);
      expect(refresh(kernel, local, lambda).failures).toBe(0);
      const { A, v } = moments(data);
      const [size, trace] = [
        n + 1,
        (M: Float64Array) => M.reduce((s, a, at) => (at % (n + 2) ? s : s + a), 0),
      ];
      // metric() damps by the trace of what it is given, so the difference of the traces is put on the diagonal beforehand.
      const approximation = approximate(A, 2);
      const missing = (lambda * (trace(A) - trace(approximation))) / size / (1 + lambda);
      const G = metric({ A: Float64Array.from(plusDiagonal(approximation, missing)), v }, lambda);
      const gradient = randomInputs(n + 1, m, 85);
      expect(
        relativeError(joined(precondition(kernel, local, parts(gradient))), solve(G, gradient)),
      ).toBeLessThan(1e-9);
    });

    it('keeps the previous root when a refresh fails', () => {
      const local = block({ nystrom: { rank: 2 } });
      feed(kernel, local, batch(7, 86));
      refresh(kernel, local, lambda);
      const gradient = parts(randomInputs(n + 1, m, 87));
      const before = precondition(kernel, local, gradient);
      local.state().A.fill(NaN);
      expect(refresh(kernel, local, lambda)).toMatchObject({ overflowed: true });
      expect(precondition(kernel, local, gradient)).toEqual(before);
    });
  });

  it('is plain gradient descent where inputs are white and units linear', () => {
    // A = I for the rows +-1 of a Hadamard matrix with the appended 1 as its first column, v = 1; without damping G = I.
    const data = Float64Array.of(1, 1, 1, -1, 1, -1, 1, -1, -1, -1, -1, 1);
    const local = block({
      shape: {
        names: ['kernel', 'bias'],
        shapes: [[3, m], [m]],
      },
      inputSize: 3,
    });
    const responses: Response[][] = [[{ kind: 'linear', begin: 0, size: m }]];
    feed(kernel, local, { examples: 4, activations: [{ data, rows: 4, columns: 3 }], responses });
    refresh(kernel, local, 0);
    const gradients = [randomInputs(3, m, 50), randomInputs(1, m, 51)];
    const directions = precondition(kernel, local, gradients);
    expect(relativeError(joined(directions), joined(gradients))).toBeLessThan(1e-12);
  });

  it('keeps the previous root when a refresh fails, and starts from G = I', () => {
    const local = block();
    const gradient = parts(randomInputs(n + 1, m, 60));
    local.state().A.fill(NaN);
    expect(refresh(kernel, local, lambda)).toMatchObject({ overflowed: true });
    expect(precondition(kernel, local, gradient)).toEqual(gradient);
    local.restart();
    feed(kernel, local, batch(7, 61));
    refresh(kernel, local, lambda);
    const before = precondition(kernel, local, gradient);
    local.state().A.fill(NaN);
    expect(refresh(kernel, local, lambda).failures).toBeGreaterThan(0);
    expect(precondition(kernel, local, gradient)).toEqual(before);
  });

  it('survives units without information and inputs that are zero', () => {
    const local = block({ shape: { names: ['kernel'], shapes: [[n, m]] }, bias: false });
    const responses: Response[][] = [
      [{ kind: 'sigmoid', begin: 0, size: m, values: Float64Array.of(1, 0, 1) }],
    ];
    feed(kernel, local, {
      examples: 1,
      activations: [{ data: new Float64Array(n), rows: 1, columns: n }],
      responses,
    });
    expect(refresh(kernel, local, lambda).failures).toBe(0);
    expect(precondition(kernel, local, [randomInputs(n, m, 70)])[0].every(Number.isFinite)).toBe(true);
  });
});
