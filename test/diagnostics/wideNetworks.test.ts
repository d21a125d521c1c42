import * as tf from '@tensorflow/tfjs';

import { exactNaturalGradient, unitWise } from '../../src';
import { measureEtaLaw, measureMetrics } from '../../src/cli/functionSpace';
import { learningRateGrids, measureLosses } from '../../src/cli/lossCurves';
import {
  functionSpaceKernel,
  halfSquaredError,
  isotropy,
  jacobian,
  tangentKernels,
  unitSphereData,
  wideNetwork,
  type Kernel,
} from '../../src/diagnostics';
import { useBackend } from '../support/backends';
import { fromRows, inverse, matrix, plus, times, type Matrix } from '../support/dense';
import { oneStep } from '../support/exactStep';

const N = 8;

const exactly = {
  ...oneStep,
  fisher: { estimator: 'exact', variance: 1 },
} as const;

const total = (matrices: Matrix[]): Matrix => matrices.reduce((sum, m) => plus(sum, m));
const asMatrix = ({ values, size }: Kernel): Matrix => fromRows(values, size);
const difference = (x: Matrix, y: Matrix): number =>
  Math.hypot(...plus(x, y, -1).flat()) / Math.hypot(...y.flat());

// Residuals after one step: the table of float64 experiments (ReLU, three layers, 64 inputs, 32 examples, mean of three networks), which
// may be exceeded by half.
describe('wide networks', () => {
  beforeAll(() => useBackend('wasm'));

  const table: Record<string, Record<number, number>> = {
    exact: { 128: 0.251, 256: 0.14 },
    blockDiagonal: { 128: 0.192, 256: 0.112 },
    truncatedTridiagonal: { 128: 0.264, 256: 0.208 },
    kfac: { 128: 0.368, 256: 0.297 },
  };

  it('leaves as little of the residual as theory and float64 experiments say, and less the wider the network', () => {
    const residuals = (width: number) =>
      [1, 2, 3].map((seed) => {
        const data = unitSphereData(32, 64, seed);
        const results = measureMetrics(data, width, seed, Object.keys(table));
        tf.dispose([data.inputs, data.targets]);
        return Object.fromEntries(results.map(({ metric, residual }) => [metric, residual]));
      });
    const [narrow, wide] = [residuals(64), residuals(256)];
    const mean = (runs: Record<string, number>[], metric: string) =>
      runs.reduce((sum, run) => sum + run[metric] / runs.length, 0);
    for (const metric of Object.keys(table)) {
      expect(mean(wide, metric)).toBeLessThan(1.5 * table[metric][256]);
      expect(mean(wide, metric) / mean(narrow, metric)).toBeLessThan(0.7);
    }
  }, 60_000);

  it('is isotropic with unit-wise blocks of a wide network, with alpha about its width', () => {
    const width = 1024;
    const [network, data] = [wideNetwork([64, width, width, 1], 1), unitSphereData(N, 64, 1)];
    const optimizer = unitWise({ ...exactly, damping: 1e-11, form: 'dual', window: N });
    const loss = () => halfSquaredError(network.predict(data.inputs), data.targets);
    tf.dispose(optimizer.computeGradients(loss, network.kernels).grads);
    const { alpha, deviation } = isotropy(
      functionSpaceKernel(optimizer, network.predict, data.inputs, network.kernels),
    );
    expect(deviation).toBeLessThan(0.05);
    expect(Math.abs(alpha / width - 1)).toBeLessThan(0.05);
    network.dispose();
    tf.dispose([data.inputs, data.targets]);
  });

  it('moves the outputs at other points as the tangent kernel says: -Theta_test,train Theta^-1 (f - y)', () => {
    const [train, test] = [16, 4];
    const network = wideNetwork([64, 512, 512, 1], 1);
    const all = unitSphereData(train + test, 64, 1);
    const [inputs, targets] = [all.inputs.slice(0, train), all.targets.slice(0, train)];
    const found = jacobian(network.predict, all.inputs, network.kernels);
    // Each kernel is J J' over the number of all points, which cancels.
    const theta = total(tangentKernels(found).map(asMatrix));
    const residual = Array.from(targets.dataSync(), (y, i) => [found.values[i] - y]);
    const corner = matrix(train, train, (i, j) => theta[i][j]);
    const across = matrix(test, train, (i, j) => theta[train + i][j]);
    const expected = times(across, inverse(corner), residual).map(([value]) => -value);
    const optimizer = exactNaturalGradient({ ...exactly, damping: 1e-8, form: 'dual' });
    optimizer.minimize(() => halfSquaredError(network.predict(inputs), targets), false, network.kernels);
    const after = network.predict(all.inputs.slice(train)).dataSync();
    const moved = Array.from(after, (value, i) => value - found.values[train + i]);
    // Of a network of infinite width it is exact; here the tangent kernel changes in the step by about 1 / sqrt(width).
    expect(difference([moved], [expected])).toBeLessThan(0.15);
    network.dispose();
    tf.dispose([all.inputs, all.targets, inputs, targets]);
  });

  it('trains in a few steps with isotropic metrics, and not with gradient descent and Adam', () => {
    const data = unitSphereData(16, 64, 1);
    const curves = measureLosses(data, 256, 1, 4);
    const metrics = measureMetrics(data, 256, 1, ['exact', 'kfac', 'unitWise']);
    tf.dispose([data.inputs, data.targets]);
    const [natural, others] = [curves.slice(0, -2), curves.slice(-2)];
    expect(natural.map(({ optimizer }) => optimizer)).toEqual([
      'exact',
      'blockDiagonal',
      'blockTridiagonal',
      'kfac',
      'unitWise',
    ]);
    expect(others.map(({ optimizer }) => optimizer)).toEqual(['gradient', 'adam']);
    // Every curve starts from the same loss. A half squared error falls as the square of the residual.
    for (const { losses } of curves) expect(losses[0]).toBe(curves[0].losses[0]);
    for (const { metric, residual, learningRate } of metrics) {
      const curve = curves.find(({ optimizer }) => optimizer === metric)!;
      expect(curve.learningRate).toBe(learningRate);
      expect(curve.losses[1] / curve.losses[0]).toBeCloseTo(residual ** 2, 6);
    }
    // What is left of a residual in a step is of order 1 / sqrt(width), and does not depend on the data; without a metric it does.
    for (const { losses } of natural) expect(losses[4] / losses[0]).toBeLessThan(1e-4);
    for (const { losses } of others) {
      expect(losses[4]).toBeLessThan(losses[0]);
      expect(losses[4] / losses[0]).toBeGreaterThan(0.01);
    }
    expect(learningRateGrids.adam).toContain(others[1].learningRate);
  });

  it('converges as (1 - learning rate)^t', () => {
    const data = unitSphereData(32, 64, 1);
    const { residuals } = measureEtaLaw(data, 256, 1, 0.25, 5);
    residuals.forEach((residual, t) => expect(Math.abs(residual / 0.75 ** (t + 1) - 1)).toBeLessThan(0.05));
    tf.dispose([data.inputs, data.targets]);
  });
});
