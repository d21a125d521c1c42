import { InputFactoredBlock } from '../../../src/curvature/kronecker/inputFactored';
import { KroneckerFactoredBlock } from '../../../src/curvature/kronecker/kroneckerFactored';
import type { RowGradient } from '../../../src/curvature/block';
import type { Precision } from '../../../src/curvature/shared/factor';
import { copyRows } from '../../../src/curvature/shared/rowCopies';
import { runPhases } from '../../../src/curvature/phases';
import type { FloatArray, Kernels } from '../../../src/linalg/jobs';
import { kernels } from '../../../src/linalg/kernels';
import { feed, precondition, refresh } from '../../support/blocks';
import { randomInputs } from '../../support/denseNet';
import { relativeError } from '../../support/matrices';

const [rows, inputSize, outputSize] = [7, 30, 20];

function array(precision: Precision, values: Float64Array): FloatArray {
  return precision === 'float64' ? values : Float32Array.from(values);
}

const blocks = { 'of both factors': KroneckerFactoredBlock, 'of the input factor': InputFactoredBlock };

/** A block with the inverses of one batch, and the rows of another with the gradient that they make. */
function prepared(kernel: Kernels, kind: keyof typeof blocks, precision: Precision, bias: boolean) {
  const names = bias ? ['kernel', 'bias'] : ['kernel'];
  const shapes = bias ? [[inputSize, outputSize], [outputSize]] : [[inputSize, outputSize]];
  const block = new blocks[kind]({
    shape: { names, shapes },
    inputSize,
    outputSize,
    bias,
    precision,
  });
  const random = (count: number, columns: number, seed: number) => {
    return { data: array(precision, randomInputs(count, columns, seed)), rows: count, columns };
  };
  feed(kernel, block, {
    examples: 50,
    activations: [random(50, inputSize, 1)],
    outputGradients: [random(50, outputSize, 2)],
  });
  refresh(kernel, block, 0.01);
  const inputs = copyRows(random(rows, inputSize, 3), bias);
  const outputGradients = random(rows, outputSize, 4);
  // V = X~' D in float64.
  const gradient = new Float64Array(inputs.columns * outputSize);
  for (let r = 0; r < rows; r++) {
    for (let i = 0; i < inputs.columns; i++) {
      for (let j = 0; j < outputSize; j++) {
        gradient[i * outputSize + j] +=
          inputs.data[r * inputs.columns + i] * outputGradients.data[r * outputSize + j];
      }
    }
  }
  const kernelSize = inputSize * outputSize;
  const parts = bias ? [gradient.subarray(0, kernelSize), gradient.subarray(kernelSize)] : [gradient];
  const rowGradient: RowGradient = { inputs, outputGradients };
  return { block, rowGradient, gradients: parts.map((part) => array(precision, part)) };
}

describe.each(['cpu', 'reference'] as const)('the product of rows with the %s kernels', (name) => {
  const kernel = kernels(name);

  // What rounds differently is of the order of the precision, times the condition of the damped factors (about 100).
  test.each([
    ['of both factors', 'float64', true, 1e-12],
    ['of both factors', 'float64', false, 1e-12],
    ['of both factors', 'float32', true, 1e-4],
    ['of the input factor', 'float64', true, 1e-12],
    ['of the input factor', 'float64', false, 1e-12],
    ['of the input factor', 'float32', true, 1e-4],
  ] as const)(
    '%s is the preconditioned gradient, in %s, with a bias: %s',
    (kind, precision, bias, tolerance) => {
      const { block, rowGradient, gradients } = prepared(kernel, kind, precision, bias);
      const expected = precondition(kernel, block, gradients);
      const directions = gradients.map((gradient) => gradient.slice().fill(NaN));
      const reports = runPhases(kernel, block.preconditionRows(rowGradient, gradients, directions));
      directions.forEach((direction, i) =>
        expect(relativeError(direction, expected[i])).toBeLessThan(tolerance),
      );
      let inner = 0;
      gradients.forEach((gradient, i) => gradient.forEach((value, j) => (inner += value * directions[i][j])));
      const dots = reports.at(-1)!.reduce((sum, { dot }) => sum + dot, 0);
      expect(Math.abs(dots / inner - 1)).toBeLessThan(1e-5);
    },
  );
});

test('what was begun with the inputs is left out, if inputs and inverse are still the same, and makes no other bits', () => {
  const kernel = kernels('cpu');
  const { block, rowGradient, gradients } = prepared(kernel, 'of both factors', 'float32', true);
  const rest = (rows: RowGradient) => {
    const directions = gradients.map((gradient) => gradient.slice().fill(NaN));
    const phases = block.preconditionRows(rows, gradients, directions);
    runPhases(kernel, phases);
    return { directions, jobs: phases[0].jobs.length };
  };
  const whole = rest(rowGradient);
  expect(whole.jobs).toBe(2);

  kernel.run([[block.beginRows(rowGradient.inputs)]]);
  expect(rest(rowGradient)).toEqual({ ...whole, jobs: 1 });
  // Once only.
  expect(rest(rowGradient)).toEqual(whole);

  const others = { ...rowGradient, inputs: { ...rowGradient.inputs } };
  kernel.run([[block.beginRows(others.inputs)]]);
  expect(rest(rowGradient)).toEqual(whole);

  kernel.run([[block.beginRows(rowGradient.inputs)]]);
  refresh(kernel, block, 0.01);
  expect(rest(rowGradient)).toEqual(whole);
});

test('rows are preferred where they are fewer than the columns of a layer that is not small', () => {
  const options = (size: number, columns: number, diagonalInput: boolean) => ({
    shape: { names: ['kernel'], shapes: [[size, columns]] },
    inputSize: size,
    outputSize: columns,
    bias: false,
    diagonalInput,
  });
  const block = (size: number, columns: number, diagonalInput = false) =>
    new KroneckerFactoredBlock(options(size, columns, diagonalInput));
  // Multiplications, in units of 1e6: by the gradient 784 80 (784 + 80) = 54.2; by N rows N (784^2 + 80^2 + 784 80) = 0.684 N.
  expect(block(784, 80).prefersRows(50)).toBe(true);
  expect(block(784, 80).prefersRows(70)).toBe(false);
  expect(block(80, 10).prefersRows(1)).toBe(false);
  expect(block(784, 80, true).prefersRows(50)).toBe(false);

  const inputBlock = (size: number, columns: number, diagonalInput = false) =>
    new InputFactoredBlock(options(size, columns, diagonalInput));
  // Without the factor of the outputs: by the gradient 784^2 80 = 49.2; by N rows N (784^2 + 784 80) = 0.677 N.
  expect(inputBlock(784, 80).prefersRows(50)).toBe(true);
  expect(inputBlock(784, 80).prefersRows(60)).toBe(false);
  expect(inputBlock(80, 10).prefersRows(1)).toBe(false);
  expect(inputBlock(784, 80, true).prefersRows(50)).toBe(false);
});
