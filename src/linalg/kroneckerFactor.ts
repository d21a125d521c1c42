import { NatgradError } from '../errors';
import { allocate, floatArray, many, sameCount, sameForm, type OneOrMany } from './batch';
import type { ConvGeometry, FactorJob, FloatArray } from './jobs';
import { perform, requireOptions, type CallOptions, type Outcome } from './outcome';

/** Rows of which second moments are taken: a row-major matrix, or the patches of a convolution's NHWC input. */
export type FactorInput<T extends FloatArray = FloatArray> =
  { data: T; columns: number } | { data: T; geometry: ConvGeometry };

export interface FactorOptions extends CallOptions {
  /** Append a 1 to every row, for a layer with a bias: the factor then has one row and column more. Default false. */
  homogeneous?: boolean;
  /** Weight of each row's outer product; default 1 / rows, and `(1 - decay) / rows` in `updateFactor`. */
  scale?: number;
}

export interface UpdateFactorOptions extends FactorOptions {
  /** What the old factor is multiplied with; default 0.95. */
  decay?: number;
}

/** The factors of what `kroneckerFactor` was given: of one input, or of each of several. */
export type FactorOf<I> = I extends { data: infer T } ? T : I extends { data: infer T }[] ? T[] : never;

/**
 * Second moments of rows, `scale X'X`: a Kronecker factor of the Fisher matrix (Martens & Grosse 2015).
 *
 * @param inputs one input or an array of inputs, each of which gives a factor
 * @returns n by n matrices, row-major, with the factor in the lower triangle and zeros above it
 * @throws NatgradError ERR_NATGRAD_NOT_FINITE, ERR_NATGRAD_SHAPE, ERR_NATGRAD_TYPE, ERR_NATGRAD_BUFFER, ERR_NATGRAD_ARGUMENT
 *
 * @example
 * kroneckerFactor({data: new Float32Array([1, 2, 3, 4]), columns: 2}); // [5, 0, 7, 10]: [[1, 2], [3, 4]]' [[1, 2], [3, 4]] / 2
 */
export function kroneckerFactor<I extends FactorInput | FactorInput[], O extends FactorOptions>(
  inputs: I,
  options?: O,
): Outcome<FactorOf<I>, O> {
  requireOptions<FactorOptions>(options, ['homogeneous', 'scale']);
  const list = many<FactorInput>(inputs);
  const factors = list.map((input) => {
    const size = shapeOf(input).columns + Number(options?.homogeneous ?? false);
    return allocate(input.data, size * size);
  });
  const plans = list.map((input, i) => [[factorJob(input, factors[i], 0, options)]]);
  return perform('kroneckerFactor', plans, sameForm<FactorOf<I>>(inputs, factors), options);
}

/**
 * Moving average of second moments, in place: `factor = decay factor + scale X'X`, on the lower triangle. An input that is not finite leaves
 * its factor as it was.
 *
 * @param factors one factor, or as many as there are inputs
 * @returns the same arrays
 * @throws as {@link kroneckerFactor}
 *
 * @example
 * updateFactor(factor, {data: activations, columns: 784}, {decay: 0.95});
 */
export function updateFactor<M extends OneOrMany, O extends UpdateFactorOptions>(
  factors: M,
  inputs: FactorInput | FactorInput[],
  options?: O,
): Outcome<M, O> {
  requireOptions<UpdateFactorOptions>(options, ['homogeneous', 'scale', 'decay']);
  const targets = many<OneOrMany>(factors) as FloatArray[];
  const list = many<FactorInput>(inputs);
  sameCount('factors', targets.length, 'inputs', list.length);
  const decay = options?.decay ?? 0.95;
  const plans = list.map((input, i) => [[factorJob(input, targets[i], decay, options)]]);
  return perform('updateFactor', plans, sameForm<M>(factors, targets), options);
}

function factorJob(
  input: FactorInput,
  factor: FloatArray,
  decay: number,
  options: FactorOptions | undefined,
): FactorJob {
  const { rows, columns } = shapeOf(input);
  const homogeneous = options?.homogeneous ?? false;
  const scale = options?.scale ?? (rows > 0 ? (1 - decay) / rows : 0);
  const described =
    'geometry' in input
      ? { data: input.data, geometry: input.geometry, scale }
      : { data: input.data, rows, columns, scale };
  return {
    op: 'factor',
    inputs: [described],
    homogeneous,
    decay,
    factor,
    size: columns + Number(homogeneous),
  };
}

function shapeOf(input: FactorInput): { rows: number; columns: number } {
  const { length } = floatArray('inputs.data', input.data);
  if ('geometry' in input) {
    const { batch, outHeight, outWidth, kernelHeight, kernelWidth, channels } = input.geometry;
    return { rows: batch * outHeight * outWidth, columns: kernelHeight * kernelWidth * channels };
  }
  const { columns } = input;
  if (!Number.isInteger(columns) || columns < 1) {
    throw new NatgradError(
      'ERR_NATGRAD_ARGUMENT',
      `inputs.columns must be a positive integer, got ${columns}`,
    );
  }
  if (length % columns !== 0) {
    throw new NatgradError(
      'ERR_NATGRAD_SHAPE',
      `inputs.data has ${length} elements, which are not whole rows of ${columns} columns`,
    );
  }
  return { rows: length / columns, columns };
}
