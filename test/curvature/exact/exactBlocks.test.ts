import { ExactBlocks } from '../../../src/curvature/exact/exactBlocks';
import type { Precision } from '../../../src/curvature/shared/factor';
import { runPhases } from '../../../src/curvature/phases';
import { biasScores, depthwiseScores, scaleShiftScores } from '../../../src/curvature/scores/scoreGroups';
import { examplesAmong, type ScoreGroups } from '../../../src/curvature/shared/scores';
import type { ConvGeometry, Kernels } from '../../../src/linalg/jobs';
import { kernels } from '../../../src/linalg/kernels';
import { feed, multiplyBy, once, precondition, refresh, type Batch } from '../../support/blocks';
import { randomInputs } from '../../support/denseNet';
import { addOuterProduct, plusDiagonal, relativeError, solve, type Values } from '../../support/matrices';

/** 3 images of 4 x 5 pixels and 2 channels under a 3 x 2 window with stride (1, 2), padding and 2 outputs per channel. */
const geometry: ConvGeometry = {
  batch: 3,
  inHeight: 4,
  inWidth: 5,
  channels: 2,
  kernelHeight: 3,
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

/** A layer with what it is fed, and the score of example n over all of its parameters, written out. */
interface Case {
  groups: ScoreGroups;
  shapes: number[][];
  batch: Batch;
  needsActivations?: boolean;
  score: (n: number) => Float64Array;
  /** The group that each parameter belongs to. */
  group: (parameter: number) => number;
}

function depthwise(biased: boolean): Case {
  const [C, M, K] = [2, 2, 6];
  const images = randomInputs(3 * 4 * 5, C, 1);
  const g = randomInputs(3 * 4 * 2, C * M, 2);
  const pixel = (n: number, y: number, x: number, c: number) =>
    y < 0 || y >= 4 || x < 0 || x >= 5 ? 0 : images[((n * 4 + y) * 5 + x) * C + c];
  return {
    groups: depthwiseScores(K, C, M, biased),
    shapes: biased ? [[3, 2, C, M], [C * M]] : [[3, 2, C, M]],
    batch: {
      examples: 3,
      activations: [{ data: images, geometry }],
      outputGradients: [{ data: g, rows: 24, columns: C * M }],
    },
    score(n) {
      const s = new Float64Array(K * C * M + (biased ? C * M : 0));
      for (let oy = 0; oy < 4; oy++) {
        for (let ox = 0; ox < 2; ox++) {
          for (let out = 0; out < C * M; out++) {
            const delta = g[((n * 4 + oy) * 2 + ox) * C * M + out];
            const c = Math.floor(out / M);
            for (let k = 0; k < K; k++) {
              const value = pixel(n, oy + Math.floor(k / 2) - 1, 2 * ox + (k % 2), c);
              s[k * C * M + out] += value * delta;
            }
            if (biased) s[K * C * M + out] += delta;
          }
        }
      }
      return s;
    },
    // The last axes of kernel and bias are [channels, multiplier].
    group: (parameter) => Math.floor((parameter % (C * M)) / M),
  };
}

function scaleShift(shifted: boolean): Case {
  const [N, R, C] = [5, 3, 4];
  const xhat = randomInputs(N * R, C, 3);
  const g = randomInputs(N * R, C, 4);
  return {
    groups: scaleShiftScores(C, shifted),
    shapes: shifted ? [[C], [C]] : [[C]],
    batch: {
      examples: N,
      activations: [{ data: xhat, rows: N * R, columns: C }],
      outputGradients: [{ data: g, rows: N * R, columns: C }],
    },
    score(n) {
      const s = new Float64Array(shifted ? 2 * C : C);
      for (let at = n * R * C; at < (n + 1) * R * C; at++) {
        s[at % C] += g[at] * xhat[at];
        if (shifted) s[C + (at % C)] += g[at];
      }
      return s;
    },
    group: (parameter) => parameter % C,
  };
}

function bias(): Case {
  const [N, R, C] = [6, 2, 3];
  const g = [randomInputs(N * R, C, 5), randomInputs(N, C, 6)];
  return {
    groups: biasScores(C),
    shapes: [[C]],
    needsActivations: false,
    batch: {
      examples: N,
      outputGradients: [
        { data: g[0], rows: N * R, columns: C },
        { data: g[1], rows: N, columns: C },
      ],
    },
    score(n) {
      const s = new Float64Array(C);
      for (let at = n * R * C; at < (n + 1) * R * C; at++) s[at % C] += g[0][at];
      for (let c = 0; c < C; c++) s[c] += g[1][n * C + c];
      return s;
    },
    group: () => 0,
  };
}

const cases: [string, Case][] = [
  ['a depthwise convolution with a bias', depthwise(true)],
  ['a depthwise convolution', depthwise(false)],
  ['a scale and shift', scaleShift(true)],
  ['a scale', scaleShift(false)],
  ['a bias with two uses', bias()],
];

function blockOf({ groups, shapes, needsActivations = true }: Case, precision: Precision = 'float64') {
  const names = shapes.map((_, i) => `variable${i}`);
  return new ExactBlocks({ shape: { names, shapes }, groups, needsActivations, precision });
}

/** 1/N sum_n s_n s_n', without what couples different groups. */
function exactMatrix({ score, group, batch: { examples } }: Case): Float64Array {
  const p = score(0).length;
  const exact = new Float64Array(p * p);
  for (let n = 0; n < examples; n++) addOuterProduct(exact, score(n), 1 / examples);
  return exact.map((value, at) => (group(Math.floor(at / p)) === group(at % p) ? value : 0));
}

function split(vector: Float64Array, shapes: number[][]): Float64Array[] {
  let begin = 0;
  return shapes.map((shape) => vector.slice(begin, (begin += shape.reduce((product, n) => product * n, 1))));
}

function times(matrix: Values, vector: Float64Array): Float64Array {
  return vector.map((_, i) => vector.reduce((sum, v, j) => sum + matrix[i * vector.length + j] * v, 0));
}

const joined = (arrays: ArrayLike<number>[]) => arrays.flatMap((array) => Array.from(array));

describe.each(['cpu', 'reference'] as const)('ExactBlocks on the %s kernels', (backend) => {
  let kernel: Kernels;
  beforeAll(() => (kernel = kernels(backend)));

  describe.each(cases)('of %s', (_, layer) => {
    // Oracle: the second moment of scores per example that are sums over positions, pixel by pixel, in float64.
    const exact = exactMatrix(layer);
    const vector = randomInputs(layer.score(0).length, 1, 9);

    it('are the blocks of the exact Fisher matrix', () => {
      const block = blockOf(layer);
      feed(kernel, block, layer.batch);
      expect(relativeError(block.toDense(), exact)).toBeLessThan(1e-13);
    });

    it('precondition by (F + lambda I)^-1 and multiply by F', () => {
      // Oracle: elimination on the dense matrix of all parameters.
      const block = blockOf(layer);
      feed(kernel, block, layer.batch);
      expect(refresh(kernel, block, 0.02).failures).toBe(0);
      const directions = precondition(kernel, block, split(vector, layer.shapes));
      expect(relativeError(joined(directions), solve(plusDiagonal(exact, 0.02), vector))).toBeLessThan(1e-11);
      const products = multiplyBy(kernel, block, split(vector, layer.shapes));
      expect(relativeError(joined(products), times(exact, vector))).toBeLessThan(1e-12);
    });

    it('tell the inner product of input and output', () => {
      const block = blockOf(layer);
      feed(kernel, block, layer.batch);
      const input = split(vector, layer.shapes);
      const output = input.map((array) => array.slice());
      const reports = runPhases(kernel, block.multiplyPhases(input, output)).at(-1)!;
      const expected = times(exact, vector).reduce((sum, value, i) => sum + value * vector[i], 0);
      const dot = reports.reduce((sum, report) => sum + report.dot, 0);
      expect(Math.abs(dot - expected)).toBeLessThan(1e-12 * Math.abs(expected));
    });

    it('weight the passes of an estimate and scale the gradients of a mean loss', () => {
      // Oracle: sum of weight * (gradientScale s)(gradientScale s)' over the passes; here both passes have the same scores.
      const block = blockOf(layer);
      const { examples, activations, outputGradients } = layer.batch;
      const passes = [
        { weight: 0.25, gradientScale: 3, outputGradients },
        { weight: 0.75, gradientScale: 1, outputGradients },
      ];
      const average = { decay: 0.5, scale: 0.5 };
      runPhases(kernel, block.updatePhases([{ examples, activations, passes }], once));
      runPhases(kernel, block.updatePhases([{ examples, activations, passes }], average));
      const expected = exact.map((value) => 3 * value);
      expect(relativeError(block.toDense(), expected)).toBeLessThan(1e-12);
    });
  });

  it('keep the inverses in use when a moment is not finite, and start from I / lambda', () => {
    const layer = scaleShift(true);
    const block = blockOf(layer, 'float32');
    const gradient = [Float32Array.of(1, 2, 3, 4), Float32Array.of(5, 6, 7, 8)];
    block.state().F.fill(NaN);
    expect(refresh(kernel, block, 0.5)).toMatchObject({ failures: 1, overflowed: true });
    expect(joined(precondition(kernel, block, gradient))).toEqual([2, 4, 6, 8, 10, 12, 14, 16]);
    block.restart();
    const { examples, activations, outputGradients } = layer.batch;
    const single = <T extends { data: ArrayLike<number> }>(rows: T) => ({
      ...rows,
      data: Float32Array.from(rows.data),
    });
    feed(kernel, block, {
      examples,
      activations: [single(activations![0] as { data: Float64Array; rows: number; columns: number })],
      outputGradients: outputGradients!.map(single),
    });
    expect(relativeError(block.toDense(), exactMatrix(layer))).toBeLessThan(1e-6);
    expect(refresh(kernel, block, 0.5).failures).toBe(0);
    const good = precondition(kernel, block, gradient);
    block.state().F.fill(Infinity);
    expect(refresh(kernel, block, 0.5).failures).toBe(1);
    expect(precondition(kernel, block, gradient)).toEqual(good);
  });
});

it('shares the rows of all uses among as many examples as divide them evenly', () => {
  expect(examplesAmong(6, [6, 12, 24])).toBe(6);
  // A loss with a term per token, a layer that sees one row per sequence.
  expect(examplesAmong(30, [6])).toBe(6);
  expect(examplesAmong(1, [7])).toBe(1);
});
