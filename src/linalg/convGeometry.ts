import { NatgradError, requireKeys } from '../errors';
import type { ConvGeometry } from './jobs';

/** Padding as tfjs takes it for images in NHWC: `[[0, 0], [top, bottom], [left, right], [0, 0]]`. */
export type ExplicitPadding = [[number, number], [number, number], [number, number], [number, number]];

export interface Conv2dOptions {
  /** One number for both directions, or [height, width]. Default 1. */
  strides?: number | [number, number];
  /** One number for both directions, or [height, width]. Default 1. */
  dilations?: number | [number, number];
  /** Default 'valid'. */
  padding?: 'same' | 'valid' | number | ExplicitPadding;
  /** How a quotient that is not whole is rounded where the padding is given in numbers. Default 'floor'. */
  dimRoundingMode?: 'floor' | 'round' | 'ceil';
}

/**
 * The geometry of `tf.conv2d` (and, with the channels of the input, of a depthwise convolution), by the rules of tfjs, with its
 * peculiarity that a padding given as one number uses the kernel height and the vertical stride for the output width too.
 *
 * @param inputShape `[batch, height, width, channels]`
 * @param kernelSize `[height, width]` of the filter, before dilation
 * @throws NatgradError ERR_NATGRAD_SHAPE if no patch fits, ERR_NATGRAD_ARGUMENT for sizes that are not positive integers and
 *   for an unknown option
 *
 * @example
 * const geometry = conv2dGeometry([8, 28, 28, 1], [3, 3], {padding: 'same', strides: 2});
 * geometry.outHeight; // 14
 */
export function conv2dGeometry(
  inputShape: [number, number, number, number],
  kernelSize: [number, number],
  options: Conv2dOptions = {},
): ConvGeometry {
  requireKeys(options, ['strides', 'dilations', 'padding', 'dimRoundingMode'], 'options');
  const [batch, inHeight, inWidth, channels] = inputShape;
  const [strideHeight, strideWidth] = pair(options.strides ?? 1, 'strides');
  const [dilationHeight, dilationWidth] = pair(options.dilations ?? 1, 'dilations');
  const [kernelHeight, kernelWidth] = pair(kernelSize, 'kernelSize');
  for (const size of [inHeight, inWidth, channels]) positive(size, 'inputShape');
  if (!Number.isInteger(batch) || batch < 0) {
    throw new NatgradError('ERR_NATGRAD_ARGUMENT', `inputShape[0] must be an integer >= 0, got ${batch}`);
  }

  const mode = options.dimRoundingMode ?? 'floor';
  const round = (value: number) => Math[mode](value);
  const high = { size: inHeight, extent: (kernelHeight - 1) * dilationHeight + 1, stride: strideHeight };
  const wide = { size: inWidth, extent: (kernelWidth - 1) * dilationWidth + 1, stride: strideWidth };
  const padding = options.padding ?? 'valid';

  let vertical: Placement;
  let horizontal: Placement;
  if (padding === 'same' || padding === 'valid') {
    const place = padding === 'same' ? same : valid;
    vertical = place(high);
    horizontal = place(wide);
  } else if (typeof padding === 'number') {
    vertical = padded(high, padding, padding, round);
    horizontal = padded({ ...high, size: inWidth }, padding, padding, round);
  } else {
    vertical = padded(high, ...padding[1], round);
    horizontal = padded(wide, ...padding[2], round);
  }
  if (vertical.out < 1 || horizontal.out < 1) {
    throw new NatgradError(
      'ERR_NATGRAD_SHAPE',
      `a kernel of ${kernelHeight} x ${kernelWidth} does not fit an input of ${inHeight} x ${inWidth} with padding ` +
        JSON.stringify(padding),
    );
  }
  return {
    batch,
    inHeight,
    inWidth,
    channels,
    kernelHeight,
    kernelWidth,
    strideHeight,
    strideWidth,
    dilationHeight,
    dilationWidth,
    padTop: vertical.before,
    padLeft: horizontal.before,
    outHeight: vertical.out,
    outWidth: horizontal.out,
  };
}

/** One direction: its length, the length a dilated kernel covers, the stride. */
interface Axis {
  size: number;
  extent: number;
  stride: number;
}

interface Placement {
  before: number;
  out: number;
}

function same({ size, extent, stride }: Axis): Placement {
  const out = Math.ceil(size / stride);
  return { before: Math.floor(Math.max(0, (out - 1) * stride + extent - size) / 2), out };
}

function valid({ size, extent, stride }: Axis): Placement {
  return { before: 0, out: Math.ceil((size - extent + 1) / stride) };
}

function padded(axis: Axis, before: number, after: number, round: (value: number) => number): Placement {
  for (const pad of [before, after]) {
    if (!Number.isInteger(pad) || pad < 0) {
      throw new NatgradError('ERR_NATGRAD_ARGUMENT', `padding must be integers >= 0, got ${pad}`);
    }
  }
  return { before, out: round((axis.size - axis.extent + before + after) / axis.stride + 1) };
}

function pair(value: number | [number, number], name: string): [number, number] {
  const [first, second] = typeof value === 'number' ? [value, value] : value;
  return [positive(first, name), positive(second, name)];
}

function positive(value: number, name: string): number {
  if (!Number.isInteger(value) || value < 1) {
    throw new NatgradError('ERR_NATGRAD_ARGUMENT', `${name} must be positive integers, got ${value}`);
  }
  return value;
}
