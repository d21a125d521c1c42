import type * as tf from '@tensorflow/tfjs';

import { likelihoodHeads } from '../../src/fisher/heads';
import { fisherSettings } from '../../src/fisher/options';
import type { Head, Layer } from '../../src/tape/types';

// Only names, shapes and sizes of tensors are looked at.
const tensor = (...shape: number[]): tf.Tensor =>
  ({ shape, size: shape.reduce((product, size) => product * size, 1) }) as unknown as tf.Tensor;

const layer = (name: string, ...outputs: tf.Tensor[]): Layer =>
  ({
    variables: [{ name: `${name}/kernel` }, { name: `${name}/bias` }],
    uses: outputs.map((output) => ({ output })),
  }) as unknown as Layer;

const head = (distribution: Head['distribution'], parameters: tf.Tensor): Head => ({
  distribution,
  parameters,
});

describe('likelihoodHeads', () => {
  it('takes the last axis as columns and all others as rows', () => {
    const heads = [head('categorical', tensor(4, 5, 10)), head('gaussian', tensor(8, 3))];
    expect(likelihoodHeads({ heads, layers: [] }, fisherSettings())).toMatchObject([
      { rows: 20, columns: 10, scale: 1, likelihood: { distribution: 'categorical' } },
      { rows: 8, columns: 3, scale: 1, likelihood: { distribution: 'gaussian' } },
    ]);
  });

  it('takes a vector as one row of logits, or as rows of one column', () => {
    const heads = [head('categorical', tensor(6)), head('bernoulli', tensor(6)), head('gaussian', tensor())];
    expect(
      likelihoodHeads({ heads, layers: [] }, fisherSettings()).map(({ rows, columns }) => [rows, columns]),
    ).toEqual([
      [1, 6],
      [6, 1],
      [1, 1],
    ]);
  });

  it('scales sigmoid outputs by 1/columns, because the losses of tfjs average them', () => {
    const [{ scale }] = likelihoodHeads(
      { heads: [head('bernoulli', tensor(7, 4))], layers: [] },
      fisherSettings(),
    );
    expect(scale).toBe(1 / 4);
  });

  it('takes every use of the layer that fisher.output points at instead of what was recognised', () => {
    const outputs = [tensor(2, 3), tensor(2, 3)];
    const layers = [layer('dense', tensor(2, 9)), layer('logits', ...outputs)];
    const settings = fisherSettings({ distribution: 'categorical', output: 'logits/' });
    const found = likelihoodHeads({ heads: [head('gaussian', tensor(1, 1))], layers }, settings);
    expect(found.map(({ parameters }) => parameters)).toEqual(outputs);
    expect(found[0].likelihood.distribution).toBe('categorical');
  });

  it('uses the likelihood of the user for whatever was recognised', () => {
    const own = { distribution: 'own', sample: () => undefined };
    const [found] = likelihoodHeads(
      { heads: [head('gaussian', tensor(2, 2))], layers: [] },
      fisherSettings({ distribution: own }),
    );
    expect(found.likelihood).toBe(own);
  });

  it('refuses a loss that was recognised as another distribution, and an output that is nowhere', () => {
    const recording = { heads: [head('gaussian', tensor(2, 2))], layers: [layer('dense', tensor(2, 2))] };
    expect(() => likelihoodHeads(recording, fisherSettings({ distribution: 'categorical' }))).toThrow(
      /recognised as 'gaussian'/,
    );
    expect(() =>
      likelihoodHeads(recording, fisherSettings({ distribution: 'categorical', output: 'logits' })),
    ).toThrow(/dense\/kernel, dense\/bias/);
  });

  it('finds nothing where nothing was recognised', () => {
    expect(likelihoodHeads({ heads: [], layers: [] }, fisherSettings())).toEqual([]);
  });
});
