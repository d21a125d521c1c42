/** Whatever is done wrong with an optimizer gives one NatgradError that names what was wrong, and what to do. */
import * as tf from '@tensorflow/tfjs';

import {
  kfac,
  mirrorDescent,
  NatgradError,
  NaturalGradientOptimizer,
  radam,
  schedules,
  shampoo,
  trustRegion,
  type ErrorCode,
} from '../../src';
import { accelerate } from '../../src/accelerate';
import * as presets from '../../src/optimizer/presets/index';
import { useBackend } from '../support/backends';
import { classifier, examples, trainSteps, weightsOf } from '../support/classifier';

// The tables of cases hold tensors, and wasm, where it is the default, could not make them yet.
void tf.setBackend('cpu');

beforeAll(() => {
  tf.enableProdMode(); // Else tfjs advertises tfjs-node.
  return useBackend('cpu');
});
let warnings: jest.SpyInstance;
beforeEach(() => (warnings = jest.spyOn(console, 'warn').mockImplementation(() => {})));
afterEach(() => warnings.mockRestore());

type Case = [what: string, use: () => unknown, code: ErrorCode, message: RegExp];

async function complaintOf(use: () => unknown): Promise<unknown> {
  try {
    await use();
  } catch (error) {
    return error;
  }
  return 'nothing was thrown';
}

function itComplains(cases: Case[]): void {
  it.each(cases)('%s', async (_, use, code, message) => {
    const error = await complaintOf(use);
    expect(error).toBeInstanceOf(NatgradError);
    expect(error).toMatchObject({ code, message: expect.stringMatching(message) as string });
    // One sentence about what is wrong, and a remedy; nothing that JavaScript makes of values it cannot print.
    expect((error as Error).message).not.toMatch(/\[object|undefined undefined|\n/);
    expect((error as Error).message).toMatch(/[;:,.] .+\.$/);
  });
}

const option = (options: object) => () => kfac(options);
const argument = 'ERR_NATGRAD_ARGUMENT';
const type = 'ERR_NATGRAD_TYPE';
const state = 'ERR_NATGRAD_STATE';
const shape = 'ERR_NATGRAD_SHAPE';

function compiled(optimizer: tf.Optimizer = kfac(), model = classifier()): tf.Sequential {
  model.compile({ optimizer, loss: 'categoricalCrossentropy' });
  return model;
}

const variable = () => tf.variable(tf.ones([2]));
const asLoss = (loss: unknown) => loss as () => tf.Scalar;
const asVariables = (variables: unknown) => variables as tf.Variable[];

describe('an option that is wrong', () => {
  itComplains([
    [
      'an unknown one',
      option({ learningrate: 1 }),
      argument,
      /'learningrate' is not an option; use learningRate/,
    ],
    ['no object', () => kfac('fast' as never), type, /configuration is 'fast'; give an object/],
    ['a number', () => kfac(0.1 as never), type, /configuration is 0\.1/],
    ['null', () => kfac(null as never), type, /configuration is null/],
    ['an array', () => kfac([] as never), type, /configuration is an array/],
    ['a learning rate that is NaN', option({ learningRate: NaN }), argument, /learningRate is NaN; give/],
    ['a learning rate below 0', option({ learningRate: -1 }), argument, /learningRate is -1/],
    [
      'a learning rate in quotes',
      option({ learningRate: '0.1' }),
      type,
      /learningRate is '0\.1'; give a number/,
    ],
    ['a learning rate that is an object', option({ learningRate: {} }), type, /learningRate is an object/],
    [
      'a schedule that gives NaN',
      () => trainSteps(compiled(kfac({ learningRate: () => NaN })), 1),
      argument,
      /learningRate gave NaN at step 0/,
    ],
    [
      'a damping that gives NaN',
      () => trainSteps(compiled(kfac({ damping: () => NaN })), 1),
      argument,
      /damping gave NaN at step 0/,
    ],
    [
      'momentum of 1',
      option({ momentum: 1 }),
      argument,
      /momentum is 1; give a number from 0 up to, but not, 1/,
    ],
    [
      'an unknown way to adapt damping',
      option({ damping: { adapt: 'x' } }),
      argument,
      /damping\.adapt is 'x'/,
    ],
    [
      'an unknown option of damping',
      option({ damping: { adapt: 'levenbergMarquardt', initial: 1, foo: 2 } }),
      argument,
      /damping\.foo is not an option/,
    ],
    [
      'an unknown option of decay',
      option({ weightDecay: { foo: 1 } }),
      argument,
      /weightDecay\.foo is not an option/,
    ],
    ['a factor decay of 1', option({ factorDecay: 1 }), argument, /factorDecay is 1; give/],
    [
      'a factor decay that becomes 1.5',
      () => trainSteps(compiled(kfac({ factorDecay: () => 1.5 })), 1),
      argument,
      /factorDecay gave 1\.5 at step 0; its function must return/,
    ],
    [
      'an unknown estimator',
      option({ fisher: 'hessian' }),
      argument,
      /fisher\.estimator is 'hessian'; use 'sampled'/,
    ],
    ['an estimator that is a number', option({ fisher: 3 }), type, /fisher is 3; give 'sampled'/],
    [
      'a period in quotes',
      option({ refreshPeriod: '2' }),
      argument,
      /refreshPeriod is '2'; give a positive integer/,
    ],
    [
      'an unknown way to refresh',
      option({ refresh: 'later' }),
      argument,
      /refresh is 'later'; use 'overlapped' or 'immediate'/,
    ],
    ['a KL clip of 0', option({ klClip: 0 }), argument, /klClip is 0; give a finite number above 0/],
    [
      'two bounds of a step',
      option({ klClip: 1, normConstraint: 1 }),
      argument,
      /klClip and normConstraint are both given; choose one/,
    ],
    ['averaging: true', option({ averaging: true }), type, /averaging is true; give an object with decay/],
    [
      'an unknown option of averaging',
      option({ averaging: { rate: 0.9 } }),
      argument,
      /averaging\.rate is not an option; use decay/,
    ],
    [
      'another curvature for a preset',
      option({ curvature: 'diagonal' }),
      argument,
      /curvature has no effect on a preset, which stands for 'kroneckerFactored'/,
    ],
    [
      'an unknown structure',
      () => new NaturalGradientOptimizer({ curvature: 'foo' as never }),
      argument,
      /curvature is 'foo'; use one of/,
    ],
    [
      'a rule that is no object',
      option({ blocks: [1] }),
      type,
      /blocks\[0\] is 1; give an object with match, curvature/,
    ],
    [
      'a rule without a match',
      option({ blocks: [{ curvature: 'diagonal' }] }),
      argument,
      /blocks\[0\]\.match is missing/,
    ],
    [
      'an unknown entry of a rule',
      option({ blocks: [{ match: /a/, curvature: 'diagonal', layer: 1 }] }),
      argument,
      /blocks\[0\]\.layer is not an option/,
    ],
    [
      'an unknown entry of a potential',
      option({ potentials: [{ match: /a/, potential: 'quadratic', layer: 1 }] }),
      argument,
      /potentials\[0\]\.layer is not an option/,
    ],
    [
      'an unknown entry of a multiplier',
      option({ learningRateMultipliers: [{ match: /a/, factor: 1, layer: 1 }] }),
      argument,
      /learningRateMultipliers\[0\]\.layer is not an option/,
    ],
    [
      'an unknown backend',
      option({ backend: 'gpu' }),
      argument,
      /backend is 'gpu'; use 'auto', 'cuda', 'cpu'/,
    ],
    [
      'an unknown precision',
      option({ precision: 'float16' }),
      argument,
      /precision is 'float16'; use 'float32' or 'float64'/,
    ],
    ['a seed that is none', option({ seed: 1.5 }), argument, /seed is 1\.5; give an integer of at least 0/],
    [
      'options beside a trust region',
      () => trustRegion({ learningRate: 1 } as never),
      argument,
      /trustRegion\.learningRate is not an option/,
    ],
    [
      'an unknown option of radam',
      () => radam({ beta: 1 } as never),
      argument,
      /radam\.beta is not an option; use learningRate, beta1/,
    ],
    [
      'a schedule without options',
      () => schedules.exponentialDecay(undefined as never),
      type,
      /exponentialDecay is undefined; give an object with initial/,
    ],
    [
      'an unknown backend to accelerate',
      () => accelerate({ backends: ['gpu' as never] }),
      argument,
      /backends contains "gpu"/,
    ],
    [
      'a backend to accelerate that is no list',
      () => accelerate({ backends: 'wasm' as never }),
      type,
      /backends is 'wasm'; give an array/,
    ],
    [
      'accelerate with a string',
      () => accelerate('wasm' as never),
      type,
      /accelerate is 'wasm'; give an object with backends/,
    ],
  ]);

  const every = { ...presets, radam } as unknown as Record<string, (config: unknown) => tf.Optimizer>;
  it.each(Object.keys(every))('is refused by %s', async (name) => {
    for (const [config, code] of [
      [{ learningrate: 1 }, argument],
      [null, type],
      ['x', type],
      [[], type],
    ] as const) {
      expect(await complaintOf(() => every[name](config))).toMatchObject({ name: 'NatgradError', code });
    }
  });
});

describe('a loss that is wrong', () => {
  const minimize = (loss: unknown, variables?: unknown) => () =>
    kfac().minimize(asLoss(loss), false, variables === undefined ? undefined : asVariables(variables));
  const w = () => [variable()];
  itComplains([
    ['none', minimize(undefined), type, /loss f must be a function but was undefined/],
    [
      'a promise',
      minimize(() => Promise.resolve(tf.scalar(1)), w()),
      type,
      /returned a promise; it must be synchronous/,
    ],
    ['a number', minimize(() => 3, w()), type, /must return a tensor but returned number/],
    [
      'no scalar',
      () => {
        const [v] = w();
        return minimize(() => v.square(), [v])();
      },
      shape,
      /returned a tensor of shape \[2\]; reduce it/,
    ],
    [
      'one without the variables',
      minimize(() => tf.scalar(1), w()),
      argument,
      /depends on none of the variables/,
    ],
    [
      'no variables',
      minimize(() => tf.scalar(1), []),
      argument,
      /no variables to train; give some, or make layers trainable/,
    ],
    [
      'a variable that is not trainable',
      minimize(() => tf.scalar(1), [tf.variable(tf.ones([2]), false)]),
      argument,
      /None of the 1 variables is trainable/,
    ],
    [
      'a tensor as variable',
      minimize(() => tf.scalar(1), [tf.ones([2])]),
      type,
      /varList is an array of something else; give an array of tf\.Variable/,
    ],
    ['a variable that is no list', minimize(() => tf.scalar(1), variable()), type, /varList is an object/],
    [
      'weights of layers as variables',
      minimize(() => tf.scalar(1), classifier().trainableWeights),
      type,
      /trainableWeights\.map\(\(weight\) => weight\.read\(\)\)/,
    ],
    [
      'a disposed variable',
      () => {
        const v = tf.variable(tf.ones([2]), true, 'gone');
        v.dispose();
        return minimize(() => tf.scalar(1), [v])();
      },
      state,
      /variable 'gone' is disposed/,
    ],
  ]);
});

describe('gradients that are wrong', () => {
  const apply = (gradients: unknown) => () => kfac().applyGradients(gradients as tf.NamedTensorMap);
  const named = (gradient: () => unknown) => () => {
    const { name } = variable();
    return apply({ [name]: gradient() })();
  };
  const disposed = () => {
    const gradient = tf.ones([2]);
    gradient.dispose();
    return gradient;
  };
  itComplains([
    ['none', apply(undefined), type, /variableGradients is undefined; give gradients by variable name/],
    ['of no variable', apply({ nobody: tf.ones([2]) }), argument, /names 'nobody', which is no variable/],
    ['tensors without names', apply([tf.ones([2])]), argument, /names undefined, which is no variable/],
    ['of another shape', named(() => tf.ones([3])), shape, /has the shape \[3\], the variable \[2\]/],
    ['a number', named(() => 3), type, /is 3; give a tensor/],
    ['a disposed one', named(disposed), state, /is disposed; apply gradients before/],
    ['of integers', named(() => tf.ones([2], 'int32')), type, /dtype int32 but must be float32/],
    ['given to a trust region', () => trustRegion().applyGradients({}), state, /not with applyGradients/],
  ]);

  it('are none at all without a complaint, as with the optimizers of tfjs', () => {
    kfac().applyGradients({});
    expect(warnings.mock.calls).toEqual([]);
  });
});

describe('a model that is wrong', () => {
  const dense = () => tf.layers.dense({ units: 3, activation: 'softmax', inputShape: [4] });
  itComplains([
    [
      'one without weights',
      () => {
        const model = tf.sequential({
          layers: [tf.layers.activation({ activation: 'relu', inputShape: [3] })],
        });
        model.compile({ optimizer: kfac(), loss: 'meanSquaredError' });
        return model.trainOnBatch(tf.ones([2, 3]), tf.ones([2, 3]));
      },
      argument,
      /no variables to train/,
    ],
    [
      'one whose layers are frozen',
      () => {
        const model = classifier();
        model.layers.forEach((layer) => (layer.trainable = false));
        return trainSteps(compiled(kfac(), model), 1);
      },
      argument,
      /make layers trainable before model\.compile/,
    ],
    [
      'an empty batch',
      () => compiled().trainOnBatch(tf.zeros([0, 4]), tf.zeros([0, 3])),
      shape,
      /batch has no examples, so its loss is not a number; leave empty batches out/,
    ],
    [
      'an empty batch under the empirical Fisher matrix',
      () => compiled(kfac({ fisher: 'empirical' })).trainOnBatch(tf.zeros([0, 4]), tf.zeros([0, 3])),
      shape,
      /batch has no examples/,
    ],
    [
      'a second one',
      async () => {
        const optimizer = kfac();
        await trainSteps(compiled(optimizer), 1);
        const second = tf.sequential({ layers: [dense()] });
        return trainSteps(compiled(optimizer, second), 1);
      },
      state,
      /trains dense_Dense\d+\/kernel.* only on dense_Dense\d+\/kernel.*; make an optimizer for each model/,
    ],
    [
      'one after the optimizer was disposed',
      async () => {
        const model = compiled();
        await trainSteps(model, 1);
        model.optimizer.dispose();
        return trainSteps(model, 1);
      },
      state,
      /optimizer was disposed; make a new one/,
    ],
    [
      'one whose loss says no distribution, under strict',
      () => {
        const model = classifier();
        model.compile({ optimizer: kfac({ strict: true }), loss: 'meanAbsoluteError' });
        return trainSteps(model, 1);
      },
      'ERR_NATGRAD_LIKELIHOOD',
      /No predictive distribution is recognised in the loss; name the distribution/,
    ],
  ]);

  it('may grow, or be trained in parts, with one optimizer', async () => {
    const optimizer = kfac();
    const base = classifier();
    await trainSteps(compiled(optimizer, base), 2);
    const grown = tf.sequential({ layers: [base.layers[0], dense()] });
    await trainSteps(compiled(optimizer, grown), 2);
    expect(weightsOf(grown).every((values) => values.every(Number.isFinite))).toBe(true);
    expect(optimizer.summary()).toHaveLength(3);
  });

  it('leaves the weights as they were when a batch is refused', async () => {
    const model = compiled();
    await trainSteps(model, 2);
    const before = weightsOf(model);
    const { numTensors } = tf.memory();
    const [x, y] = [tf.zeros([0, 4]), tf.zeros([0, 3])];
    expect(await complaintOf(() => model.trainOnBatch(x, y))).toMatchObject({ code: shape });
    tf.dispose([x, y]);
    expect(tf.memory().numTensors).toBe(numTensors);
    expect(weightsOf(model)).toEqual(before);
    await trainSteps(model, 1);
    expect(weightsOf(model)).not.toEqual(before);
  });
});

describe('state that is wrong', () => {
  const trained = async (optimizer: tf.Optimizer) => {
    await trainSteps(compiled(optimizer), 1);
    return optimizer;
  };
  const given = (from: tf.Optimizer, to: tf.Optimizer, model?: tf.Sequential) => async () => {
    await to.setWeights(await (await trained(from)).getWeights());
    const { x, y } = examples(8);
    await compiled(to, model).trainOnBatch(x, y);
  };
  const other = () =>
    tf.sequential({
      layers: [
        tf.layers.dense({ units: 5, activation: 'tanh', inputShape: [4] }),
        tf.layers.dense({ units: 3, activation: 'softmax' }),
      ],
    });
  itComplains([
    [
      'none',
      () => kfac().setWeights(undefined as never),
      state,
      /weightValues is no state of an optimizer of natgrad; give what getWeights/,
    ],
    ['an empty one', () => kfac().setWeights([]), state, /is no state of an optimizer of natgrad/],
    ['that of Adam', given(tf.train.adam(), kfac()), state, /is no state of an optimizer of natgrad/],
    [
      'that of another method',
      given(kfac(), shampoo()),
      state,
      /saved state of dense.* has nothing for 'shampoo'.*; load it into/,
    ],
    [
      'that of another model',
      given(kfac(), kfac(), other()),
      state,
      /saved state of dense.* has \d+ elements for '\w+' where \d+ are needed/,
    ],
    [
      'given to an optimizer that has trained',
      async () => {
        const optimizer = await trained(kfac());
        await optimizer.setWeights(await optimizer.getWeights());
      },
      state,
      /has already trained; load saved weights into a new one/,
    ],
    ['a learning rate that is NaN', () => kfac().setLearningRate(NaN), argument, /learningRate is NaN/],
    [
      'a learning rate of a trust region',
      () => trustRegion().setLearningRate(1),
      state,
      /has no effect with trustRegion/,
    ],
    [
      'averages where there are none',
      () => kfac().swapAveragedWeights([]),
      state,
      /make the optimizer with `averaging/,
    ],
    [
      'averages of a model instead of its variables',
      async () => {
        const optimizer = kfac({ averaging: {} });
        await trained(optimizer);
        optimizer.swapAveragedWeights(classifier() as never);
      },
      type,
      /variables is an object; give an array of tf\.Variable/,
    ],
    [
      'a potential that is none',
      () => mirrorDescent({ potential: 'cubic' as never }),
      argument,
      /potential is .*cubic/,
    ],
  ]);
});
