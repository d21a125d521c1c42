import * as tf from '@tensorflow/tfjs';
import { expectSameAsPlainCpu, randomTensor, runKernel } from './support';

interface Case {
  x: [number, number, number, number];
  /** Height, width and output channels of the filter (or, depthwise, its channel multiplier). */
  filter: [number, number, number];
  strides: [number, number];
  pad: 'same' | 'valid' | number | [number, number][];
  dilations?: [number, number];
  dimRoundingMode?: 'floor' | 'round' | 'ceil';
}

const explicit: [number, number][] = [
  [0, 0],
  [1, 2],
  [0, 3],
  [0, 0],
];

const undilated: Case[] = [
  { x: [1, 1, 1, 1], filter: [1, 1, 1], strides: [1, 1], pad: 'valid' },
  { x: [2, 5, 7, 3], filter: [1, 1, 4], strides: [1, 1], pad: 'same' },
  { x: [2, 5, 7, 3], filter: [1, 1, 4], strides: [2, 3], pad: 'valid' },
  { x: [2, 5, 7, 3], filter: [1, 1, 4], strides: [1, 1], pad: 1 },
  { x: [3, 8, 6, 2], filter: [3, 3, 5], strides: [1, 1], pad: 'same' },
  { x: [3, 8, 6, 2], filter: [3, 3, 5], strides: [1, 1], pad: 'valid' },
  { x: [1, 9, 7, 1], filter: [5, 2, 3], strides: [1, 1], pad: 'same' },
  { x: [2, 7, 9, 2], filter: [3, 3, 4], strides: [2, 2], pad: 'same' },
  { x: [2, 7, 9, 2], filter: [3, 2, 1], strides: [3, 1], pad: 'valid' },
  { x: [2, 6, 5, 3], filter: [2, 4, 2], strides: [1, 2], pad: 2, dimRoundingMode: 'floor' },
  { x: [2, 6, 5, 3], filter: [2, 4, 2], strides: [2, 3], pad: 1, dimRoundingMode: 'ceil' },
  { x: [2, 6, 5, 3], filter: [3, 2, 2], strides: [2, 2], pad: 1, dimRoundingMode: 'round' },
  { x: [2, 6, 5, 3], filter: [3, 2, 2], strides: [1, 2], pad: explicit },
  { x: [1, 4, 4, 2], filter: [3, 3, 2], strides: [5, 5], pad: 'same' },
  { x: [1, 2, 2, 1], filter: [5, 5, 2], strides: [1, 1], pad: 'same' },
  { x: [0, 5, 5, 2], filter: [3, 3, 4], strides: [1, 1], pad: 'same' },
  // More patches than one panel holds, the last panel being a short one.
  { x: [5, 31, 29, 16], filter: [3, 3, 8], strides: [1, 1], pad: 'same' },
];

const dilated: Case[] = [
  { x: [2, 9, 8, 3], filter: [3, 3, 4], strides: [1, 1], pad: 'same', dilations: [2, 2] },
  { x: [2, 9, 8, 3], filter: [2, 3, 4], strides: [1, 1], pad: 'valid', dilations: [3, 1] },
  { x: [2, 9, 8, 3], filter: [3, 2, 4], strides: [1, 1], pad: 2, dilations: [1, 4] },
];

const describeCase = (c: Case) => JSON.stringify(c);

const attributes = ({ strides, pad, dilations = [1, 1], dimRoundingMode }: Case) => ({
  strides,
  pad,
  dilations,
  dimRoundingMode,
  dataFormat: 'NHWC',
});

function filterShape({ x, filter: [height, width, last] }: Case): [number, number, number, number] {
  return [height, width, x[3], last];
}

function outShape(c: Case, depthwise: boolean): number[] {
  return tf.backend_util.computeConv2DInfo(
    c.x,
    filterShape(c),
    c.strides,
    c.dilations ?? 1,
    c.pad as number,
    c.dimRoundingMode,
    depthwise,
  ).outShape;
}

describe.each([...undilated, ...dilated].map((c) => [describeCase(c), c] as const))(
  'convolution %s',
  (_, c) => {
    it('equals that of the plain cpu backend', async () => {
      await expectSameAsPlainCpu(() =>
        runKernel(
          tf.Conv2D,
          { x: randomTensor(c.x, 1), filter: randomTensor(filterShape(c), 2) },
          attributes(c),
        ),
      );
    });

    it('fused with bias and every activation equals that of the plain cpu backend', async () => {
      for (const activation of ['linear', 'relu', 'relu6', 'elu', 'sigmoid', 'leakyrelu', 'prelu']) {
        await expectSameAsPlainCpu(() =>
          runKernel(
            tf.FusedConv2D,
            {
              x: randomTensor(c.x, 1),
              filter: randomTensor(filterShape(c), 2),
              bias: randomTensor([c.filter[2]], 3),
              ...(activation === 'prelu' && {
                preluActivationWeights: randomTensor(outShape(c, false).slice(1), 4),
              }),
            },
            { ...attributes(c), activation, leakyreluAlpha: 0.1 },
          ),
        );
      }
    });

    it('depthwise, with one and with several filters a channel, equals that of the plain cpu backend', async () => {
      for (const multiplier of [1, c.filter[2]]) {
        const depthwise: Case = { ...c, filter: [c.filter[0], c.filter[1], multiplier] };
        if (!tf.backend_util.eitherStridesOrDilationsAreOne(c.strides, c.dilations ?? 1)) continue;
        await expectSameAsPlainCpu(() =>
          runKernel(
            tf.DepthwiseConv2dNative,
            { x: randomTensor(c.x, 1), filter: randomTensor(filterShape(depthwise), 2) },
            attributes(depthwise),
          ),
        );
      }
    });
  },
);

describe.each(undilated.map((c) => [describeCase(c), c] as const))(
  'the gradients of convolution %s',
  (_, c) => {
    it('with respect to filter and input equal those of the plain cpu backend', async () => {
      await expectSameAsPlainCpu(() => {
        const dy = randomTensor(outShape(c, false), 3);
        return [
          runKernel(
            tf.Conv2DBackpropFilter,
            { x: randomTensor(c.x, 1), dy },
            { ...attributes(c), filterShape: filterShape(c) },
          ),
          runKernel(
            tf.Conv2DBackpropInput,
            { dy, filter: randomTensor(filterShape(c), 2) },
            { ...attributes(c), inputShape: c.x },
          ),
        ];
      });
    });

    it('depthwise, with respect to filter and input equal those of the plain cpu backend', async () => {
      for (const multiplier of [1, c.filter[2]]) {
        const depthwise: Case = { ...c, filter: [c.filter[0], c.filter[1], multiplier] };
        await expectSameAsPlainCpu(() => {
          const dy = randomTensor(outShape(depthwise, true), 3);
          return [
            runKernel(
              tf.DepthwiseConv2dNativeBackpropFilter,
              { x: randomTensor(c.x, 1), dy },
              { ...attributes(depthwise), filterShape: filterShape(depthwise) },
            ),
            runKernel(
              tf.DepthwiseConv2dNativeBackpropInput,
              { dy, filter: randomTensor(filterShape(depthwise), 2) },
              { ...attributes(depthwise), inputShape: c.x },
            ),
          ];
        });
      }
    });
  },
);
