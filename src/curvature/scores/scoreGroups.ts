/** The kinds of layers whose Fisher matrix is kept as small exact blocks, and what the scores of each are. */
import type { ConvGeometry, FloatArray } from '../../linalg/jobs';
import type { Rows } from '../block';
import { allocate } from '../shared/factor';
import { ones, type ScoreGroups } from '../shared/scores';

/** A bias that stands alone, z = x + b: one group; over the rows r of an example `s = sum_r g`. */
export function biasScores(size: number): ScoreGroups {
  return {
    count: 1,
    size,
    elements: Int32Array.from({ length: size }, (_, i) => i),
    add({ gradient, examples, precision }, { scores, begin, scale }) {
      const out = scores.subarray(begin * size, (begin + examples) * size);
      const activation = ones(gradient.rows, precision);
      return [
        {
          op: 'scores',
          activation,
          outputGradient: gradient,
          examples,
          homogeneous: false,
          scale,
          keep: 1,
          out,
        },
      ];
    },
  };
}

/**
 * A scale and shift z = gamma xhat + beta: per channel a group {gamma, beta}, or {gamma} alone; over the rows r of an example
 * `s_gamma = sum_r g xhat` and `s_beta = sum_r g`. One multiplication per element: not worth a job.
 */
export function scaleShiftScores(channels: number, shifted: boolean): ScoreGroups {
  const size = shifted ? 2 : 1;
  return {
    count: channels,
    size,
    elements: Int32Array.from(
      { length: channels * size },
      (_, at) => (at % size) * channels + Math.floor(at / size),
    ),
    add({ activation, gradient, examples }, { scores, rows, begin, scale }) {
      const { data: xhat } = activation as Rows;
      const { data: g } = gradient;
      const perExample = gradient.rows / examples;
      const [gamma, beta] = [new Float64Array(channels), new Float64Array(channels)];
      for (let n = 0, at = 0; n < examples; n++) {
        gamma.fill(0);
        beta.fill(0);
        for (let r = 0; r < perExample; r++) {
          for (let c = 0; c < channels; c++, at++) {
            gamma[c] += g[at] * xhat[at];
            beta[c] += g[at];
          }
        }
        for (let c = 0; c < channels; c++) {
          const to = (c * rows + begin + n) * size;
          scores[to] += scale * gamma[c];
          if (shifted) scores[to + 1] += scale * beta[c];
        }
      }
      return [];
    },
  };
}

/**
 * A depthwise convolution: per input channel c a group of its kernels [kernelHeight * kernelWidth, multiplier] and, with a bias, the row of
 * their biases: a small convolution of its own; over the positions r of an example `s = sum_r [a_c; 1] g_c'`.
 *
 * @param window kernelHeight * kernelWidth
 */
export function depthwiseScores(
  window: number,
  channels: number,
  multiplier: number,
  biased: boolean,
): ScoreGroups {
  const inputs = window + (biased ? 1 : 0);
  const size = inputs * multiplier;
  return {
    count: channels,
    size,
    // The kernel is [window, channels, multiplier] and the bias, which follows it, [channels, multiplier].
    elements: Int32Array.from({ length: channels * size }, (_, at) => {
      const channel = Math.floor(at / size);
      const [row, m] = [Math.floor((at % size) / multiplier), at % multiplier];
      return (row * channels + channel) * multiplier + m;
    }),
    add({ activation, gradient, examples }, { scores, rows, begin, scale }) {
      const { data, geometry } = activation as { data: FloatArray; geometry: ConvGeometry };
      const own = { ...geometry, channels: 1 };
      const images = channelMajor(data, channels, 1);
      const gradients = channelMajor(gradient.data, channels, multiplier);
      return Array.from({ length: channels }, (_, channel) => ({
        op: 'scores',
        activation: { data: part(images, channel, channels), geometry: own },
        outputGradient: {
          data: part(gradients, channel, channels),
          rows: gradient.rows,
          columns: multiplier,
        },
        examples,
        homogeneous: biased,
        scale,
        keep: 1,
        out: scores.subarray((channel * rows + begin) * size, (channel * rows + begin + examples) * size),
      }));
    },
  };
}

/** [rows, channels, width] as [channels, rows, width]. */
function channelMajor(data: FloatArray, channels: number, width: number): FloatArray {
  if (channels === 1) return data;
  const rows = data.length / (channels * width);
  const result = allocate(data.BYTES_PER_ELEMENT === 4 ? 'float32' : 'float64', data.length);
  for (let r = 0, at = 0; r < rows; r++) {
    for (let c = 0; c < channels; c++) {
      for (let m = 0; m < width; m++) result[(c * rows + r) * width + m] = data[at++];
    }
  }
  return result;
}

function part(array: FloatArray, index: number, count: number): FloatArray {
  const length = array.length / count;
  return array.subarray(index * length, (index + 1) * length);
}
