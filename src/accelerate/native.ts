import { requireAddon } from '../linalg/loader';

/** What a fused kernel does to its product: the last arguments of `matMul` and `conv2d`. */
export type EpilogueArguments = [
  bias: Float32Array | null,
  activation: number,
  alpha: Float32Array | null,
  leakyAlpha: number,
];

/**
 * The addon's replacements of tfjs kernels, as it exports them under `accelerate`.
 *
 * All values are float32 and row-major, images NHWC. Every length must be exactly what the sizes say and no result may overlap an
 * operand, else the call throws and nothing is written. `geometry` holds the fields of the addon's `ConvGeometry` in their order;
 * for pooling, its kernel is the window.
 */
export interface NativeKernels {
  /** `out[i] = activation(op(a[i]) op(b[i]) + bias)`; `oneA` and `oneB` say that one matrix serves the whole batch. */
  matMul(
    transposeA: boolean,
    transposeB: boolean,
    batch: number,
    rows: number,
    columns: number,
    inner: number,
    oneA: boolean,
    a: Float32Array,
    oneB: boolean,
    b: Float32Array,
    out: Float32Array,
    ...epilogue: EpilogueArguments
  ): void;
  /** `values = activation(values + bias)`. */
  epilogue(values: Float32Array, ...epilogue: EpilogueArguments): void;
  /** `out = a + b`, `b` repeating itself over `a`. */
  add(a: Float32Array, b: Float32Array, out: Float32Array): void;
  /** Sums over the rows of `x`. */
  columnSum(rows: number, columns: number, x: Float32Array, out: Float32Array): void;
  conv2d(
    geometry: Int32Array,
    outChannels: number,
    x: Float32Array,
    filter: Float32Array,
    y: Float32Array,
    ...epilogue: EpilogueArguments
  ): void;
  conv2dFilterGradient(
    geometry: Int32Array,
    outChannels: number,
    x: Float32Array,
    dy: Float32Array,
    dFilter: Float32Array,
  ): void;
  conv2dInputGradient(
    geometry: Int32Array,
    outChannels: number,
    dy: Float32Array,
    filter: Float32Array,
    dx: Float32Array,
  ): void;
  depthwise(
    geometry: Int32Array,
    multiplier: number,
    x: Float32Array,
    filter: Float32Array,
    y: Float32Array,
  ): void;
  depthwiseFilterGradient(
    geometry: Int32Array,
    multiplier: number,
    x: Float32Array,
    dy: Float32Array,
    dFilter: Float32Array,
  ): void;
  depthwiseInputGradient(
    geometry: Int32Array,
    multiplier: number,
    dy: Float32Array,
    filter: Float32Array,
    dx: Float32Array,
  ): void;
  maxPool(geometry: Int32Array, x: Float32Array, y: Float32Array): void;
  maxPoolGradient(geometry: Int32Array, x: Float32Array, dy: Float32Array, dx: Float32Array): void;
  averagePool(geometry: Int32Array, x: Float32Array, y: Float32Array): void;
  averagePoolGradient(geometry: Int32Array, dy: Float32Array, dx: Float32Array): void;
  /** Sums the rows of `x`, one for each of `ids`, that have the same id; ids outside `[0, segments)` are left out. */
  segmentSum(ids: Int32Array, columns: number, segments: number, x: Float32Array, out: Float32Array): void;
  /** `y = rational(x)` for [rows, groups, inner]; `version` counts as `rationalVersions` does. */
  rational(
    version: number,
    rows: number,
    groups: number,
    inner: number,
    numeratorSize: number,
    denominatorSize: number,
    x: Float32Array,
    numerator: Float32Array,
    denominator: Float32Array,
    y: Float32Array,
  ): void;
  /** All three gradients of the same in one pass. */
  rationalGradient(
    version: number,
    rows: number,
    groups: number,
    inner: number,
    numeratorSize: number,
    denominatorSize: number,
    x: Float32Array,
    dy: Float32Array,
    numerator: Float32Array,
    denominator: Float32Array,
    dx: Float32Array,
    dNumerator: Float32Array,
    dDenominator: Float32Array,
  ): void;
}

/**
 * The native kernels.
 *
 * @throws NatgradError `ERR_NATGRAD_ADDON` when the addon cannot be loaded; the message says what was tried
 */
export function nativeKernels(): NativeKernels {
  return (requireAddon() as unknown as { accelerate: NativeKernels }).accelerate;
}
