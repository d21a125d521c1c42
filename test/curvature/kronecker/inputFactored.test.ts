import { InputFactoredBlock } from '../../../src/curvature/kronecker/inputFactored';
import type { Kernels } from '../../../src/linalg/jobs';
import { kernels } from '../../../src/linalg/kernels';
import { feed, precondition, refresh } from '../../support/blocks';
import { randomInputs } from '../../support/denseNet';
import { relativeError } from '../../support/matrices';
import {
  convolutionBatch,
  denseBatch,
  errorsAgainstDense,
  joined,
  split,
  type LayerSizes,
} from '../../support/scores';

function blockOf(sizes: LayerSizes, diagonalInput = false) {
  const { inputSize, outputSize, bias, transposed } = sizes;
  const kernel = transposed ? [outputSize, inputSize] : [inputSize, outputSize];
  const shape = {
    names: bias ? ['kernel', 'bias'] : ['kernel'],
    shapes: bias ? [kernel, [outputSize]] : [kernel],
  };
  return new InputFactoredBlock({ shape, ...sizes, diagonalInput, precision: 'float64' });
}

const sizes: LayerSizes = { inputSize: 4, outputSize: 3, bias: true };

describe.each(['cpu', 'reference'] as const)('InputFactoredBlock on the %s kernels', (backend) => {
  let kernel: Kernels;
  beforeAll(() => (kernel = kernels(backend)));

  it.each([
    ['dense', sizes, denseBatch(sizes, { examples: 7, positions: 2, seed: 1 })],
    [
      'transposed',
      { ...sizes, bias: false, transposed: true },
      denseBatch({ ...sizes, bias: false }, { examples: 7, seed: 3 }),
    ],
    ['convolution', { ...sizes, inputSize: 8 }, convolutionBatch(2, 3, 3, 5)],
    ['one example', sizes, denseBatch(sizes, { examples: 1, seed: 7 })],
  ] as const)("is the mean of a~ a~' for every unit: %s", (_, layer: LayerSizes, batch) => {
    // Oracle: A = mean over all rows of a~ a~' written out, A (x) I in the order of the variables, and elimination with A + lambda I.
    const rows = batch.pairs.flat();
    const size = rows[0].a.length;
    const n = size * layer.outputSize;
    const dense = Float64Array.from({ length: n * n }, (__, at) => {
      const place = (i: number) =>
        layer.transposed
          ? [i % size, Math.floor(i / size)]
          : [Math.floor(i / layer.outputSize), i % layer.outputSize];
      const [[i, unit], [j, other]] = [place(Math.floor(at / n)), place(at % n)];
      return unit === other ? rows.reduce((sum, { a }) => sum + (a[i] * a[j]) / rows.length, 0) : 0;
    });
    const block = blockOf(layer);
    // No output gradients are given: it must not look at them.
    feed(kernel, block, { examples: batch.examples, activations: batch.activations });
    expect(relativeError(block.toDense(), dense)).toBeLessThan(1e-13);
    const errors = errorsAgainstDense(kernel, block, 0.1);
    expect(Math.max(errors.product, errors.solution, errors.dot)).toBeLessThan(1e-11);
  });

  it('of an embedding scales its rows by their frequency', () => {
    // Oracle: A = diag(counts / rows) for one-hot rows.
    const block = blockOf({ inputSize: 4, outputSize: 2, bias: false }, true);
    feed(kernel, block, { examples: 4, activations: [{ indices: Int32Array.of(3, 1, 3, 3) }] });
    refresh(kernel, block, 0.5);
    const gradient = randomInputs(8, 1, 9);
    const expected = gradient.map((value, i) => value / ([0, 0.25, 0, 0.75][Math.floor(i / 2)] + 0.5));
    expect(relativeError(joined(precondition(kernel, block, split(block, gradient))), expected)).toBeLessThan(
      1e-14,
    );
  });

  it('starts from I / damping when the first refresh fails', () => {
    const block = blockOf(sizes);
    block.state().A.fill(NaN);
    expect(refresh(kernel, block, 0.5)).toMatchObject({ failures: 1, overflowed: true });
    const gradient = randomInputs(15, 1, 11);
    const direction = joined(precondition(kernel, block, split(block, gradient)));
    expect(
      relativeError(
        direction,
        gradient.map((value) => 2 * value),
      ),
    ).toBeLessThan(1e-15);
  });
});
