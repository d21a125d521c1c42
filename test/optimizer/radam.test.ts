import * as tf from '@tensorflow/tfjs';

import { radam, RadamOptimizer, rectification, type RadamConfig } from '../../src/optimizer/radam';
import { schedules } from '../../src/step/schedules';
import { errorWithCode } from '../errorWithCode';

beforeAll(async () => {
  await tf.setBackend('cpu');
  await tf.ready();
});

let counter = 0;
const variable = (values: number[]): tf.Variable =>
  tf.tidy(() => tf.variable(tf.tensor1d(values), true, `radam/v${counter++}`));

/** The gradient of step `step` at w, the same in tensors and in float64 numbers. */
const slope = (w: number, step: number): number => 0.3 * w + Math.sin(1 + step);

function train(optimizer: RadamOptimizer, w: tf.Variable, steps: number[]): void {
  for (const step of steps) {
    tf.tidy(() => {
      const gradient = tf.tensor1d(Array.from(w.dataSync(), (value) => slope(value, step)));
      optimizer.applyGradients({ [w.name]: gradient });
    });
  }
}

const range = (end: number): number[] => Array.from({ length: end }, (_, step) => step);

/** Algorithm 2 of Liu et al. 2020 on one number, in float64, with the decoupled decay in front. */
function reference(w: number, steps: number, config: RadamConfig = {}): number {
  const { beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8, degenerateToSgd = false } = config;
  const [learningRate, weightDecay] = [config.learningRate as number, (config.weightDecay ?? 0) as number];
  const rhoInfinity = 2 / (1 - beta2) - 1;
  let [m, v] = [0, 0];
  for (let t = 1; t <= steps; t++) {
    const g = slope(w, t - 1);
    m = beta1 * m + (1 - beta1) * g;
    v = beta2 * v + (1 - beta2) * g * g;
    const mHat = m / (1 - beta1 ** t);
    const rho = rhoInfinity - (2 * t * beta2 ** t) / (1 - beta2 ** t);
    w -= learningRate * weightDecay * w;
    if (rho >= 5) {
      const r = Math.sqrt(
        ((rho - 4) * (rho - 2) * rhoInfinity) / ((rhoInfinity - 4) * (rhoInfinity - 2) * rho),
      );
      w -= (learningRate * r * mHat * Math.sqrt(1 - beta2 ** t)) / (Math.sqrt(v) + epsilon);
    } else if (degenerateToSgd) {
      w -= learningRate * mHat;
    }
  }
  return w;
}

describe('rectification', () => {
  it('has the lengths of the paper: with beta2 = 0.999 the first rectified step is the sixth', () => {
    // rho_t = 1999 - 2 t 0.999^t / (1 - 0.999^t), evaluated in exact rational arithmetic and rounded to four places.
    const expected = [1, 1.9995, 2.9987, 3.9975, 4.996, 5.9942];
    expected.forEach((rho, i) => expect(rectification(0.999, i + 1).rho).toBeCloseTo(rho, 4));
    expect(range(6).map((step) => rectification(0.999, step + 1).rectifier === null)).toEqual([
      true,
      true,
      true,
      true,
      true,
      false,
    ]);
  });

  it('tends to no rectification at all', () => {
    expect(rectification(0.999, 100_000).rectifier).toBeCloseTo(1, 10);
  });
});

describe('radam', () => {
  it.each<[string, RadamConfig]>([
    ['with its defaults', { learningRate: 0.05 }],
    ['that follows the first moment at the start', { learningRate: 0.05, degenerateToSgd: true }],
    ['with weight decay', { learningRate: 0.05, weightDecay: 0.3 }],
    ['with other betas and epsilon', { learningRate: 0.05, beta1: 0.5, beta2: 0.9, epsilon: 0.01 }],
  ])('%s follows the formula in float64', (_, config) => {
    for (const steps of [1, 5, 6, 7, 50]) {
      const w = variable([1, -2, 0.25]);
      const optimizer = radam(config);
      train(optimizer, w, range(steps));
      const values = w.dataSync();
      // Float32 steps beside float64 ones: 50 steps, each rounded to 6e-8 of values of about 1.
      [1, -2, 0.25].forEach((start, i) => {
        expect(Math.abs(values[i] - reference(start, steps, config))).toBeLessThan(5e-6);
      });
      optimizer.dispose();
      w.dispose();
    }
  });

  it.each<[string, RadamConfig, number, number[]]>([
    ['after 50 steps', {}, 50, [0.736003122467732, -1.8295149616548785, 0.09982375609976675]],
    [
      'after 50 steps with decay',
      { weightDecay: 0.3 },
      50,
      [0.33818654116930397, -0.8432866341628438, 0.044570762969941696],
    ],
    ['before it rectifies', {}, 5, [0.8065355939074978, -1.972114066993686, 0.11187317868220197]],
  ])('is where torch.optim.RAdam is %s', (_, config, steps, expected) => {
    // PyTorch 2.13 in float64 with lr=0.05 and decoupled_weight_decay=True; it follows the first moment at the start.
    const w = variable([1, -2, 0.25]);
    train(radam({ learningRate: 0.05, degenerateToSgd: true, ...config }), w, range(steps));
    const values = w.dataSync();
    expected.forEach((value, i) => expect(Math.abs(values[i] - value)).toBeLessThan(5e-6));
  });

  it('does not move before the sixth step unless told to follow the first moment', () => {
    const w = variable([1]);
    const optimizer = radam({ learningRate: 1 });
    train(optimizer, w, range(5));
    expect(w.dataSync()[0]).toBe(1);
    train(optimizer, w, [5]);
    expect(w.dataSync()[0]).not.toBe(1);
  });

  it('goes on from saved weights to the same bits as without saving', async () => {
    const straight = variable([1, -2]);
    train(radam({ learningRate: 0.05 }), straight, range(12));

    const w = variable([1, -2]);
    const before = radam({ learningRate: 0.05 });
    train(before, w, range(7));
    const saved = await before.getWeights();
    expect(saved.map(({ name }) => name)).toEqual(['iter', `${w.name}/m`, `${w.name}/v`]);
    const config = JSON.parse(JSON.stringify(before.getConfig())) as tf.serialization.ConfigDict;
    const after = RadamOptimizer.fromConfig<RadamOptimizer>(RadamOptimizer, config);
    await after.setWeights(saved);
    before.dispose();
    expect(after.iterations).toBe(7);
    train(after, w, range(12).slice(7));
    expect(w.dataSync()).toEqual(straight.dataSync());
  });

  it('allocates its moments once, and gives them back', async () => {
    const before = tf.memory().numTensors;
    const w = variable([1, 2]);
    const optimizer = radam();
    train(optimizer, w, [0]);
    const running = tf.memory().numTensors;
    expect(running).toBe(before + 3);
    train(optimizer, w, range(20));
    optimizer.minimize(() => w.square().sum(), false, [w]);
    expect(tf.memory().numTensors).toBe(running);

    const [iterations, ...moments] = await optimizer.getWeights();
    await optimizer.setWeights([
      iterations,
      ...moments.map(({ name, tensor }) => ({ name, tensor: tensor.clone() })),
    ]);
    // Left over are what this test itself made: the saved step count and the two clones.
    expect(tf.memory().numTensors).toBe(running + 3);
    optimizer.dispose();
    expect(tf.memory().numTensors).toBe(running + 1);
  });

  it('keeps its moments by position, also of variables without a gradient', async () => {
    const [a, b] = [variable([1]), variable([1])];
    const optimizer = radam({ learningRate: 0.1, degenerateToSgd: true });
    tf.tidy(() =>
      optimizer.applyGradients({ [a.name]: null as unknown as tf.Tensor, [b.name]: tf.tensor1d([1]) }),
    );
    expect([a.dataSync()[0], b.dataSync()[0]]).toEqual([1, Math.fround(0.9)]);
    const names = (await optimizer.getWeights()).map(({ name }) => name);
    expect(names).toEqual(['iter', `${a.name}/m`, `${b.name}/m`, `${a.name}/v`, `${b.name}/v`]);
  });

  it('takes gradients as a list too', () => {
    const w = variable([1]);
    const optimizer = radam({ learningRate: 0.1, degenerateToSgd: true });
    tf.tidy(() => optimizer.applyGradients([{ name: w.name, tensor: tf.tensor1d([2]) }]));
    expect(w.dataSync()[0]).toBeCloseTo(0.8, 6);
  });

  it('asks a schedule for the learning rate of each step, and can be given another', () => {
    const w = variable([0]);
    const optimizer = radam({ learningRate: (step) => [1, 0.5][step] ?? 0, degenerateToSgd: true, beta1: 0 });
    const visited = range(3).map(() => {
      tf.tidy(() => optimizer.applyGradients({ [w.name]: tf.tensor1d([-1]) }));
      return w.dataSync()[0];
    });
    expect(visited).toEqual([1, 1.5, 1.5]);
    optimizer.setLearningRate(0.25);
    expect(optimizer.learningRate).toBe(0.25);
    tf.tidy(() => optimizer.applyGradients({ [w.name]: tf.tensor1d([-1]) }));
    expect(w.dataSync()[0]).toBe(1.75);
  });

  it('trains a compiled model, and is saved and loaded with it', async () => {
    const model = tf.sequential({
      layers: [tf.layers.dense({ units: 1, inputShape: [2], name: 'my_dense', kernelInitializer: 'ones' })],
    });
    const learningRate = schedules.exponentialDecay({ initial: 0.3, decaySteps: 100, decayRate: 0.5 });
    const weightDecay = { rate: 0.01, exclude: ['my_dense/bias', /gamma/] };
    model.compile({ optimizer: radam({ learningRate, weightDecay }), loss: 'meanSquaredError' });
    const x = tf.tensor2d([
      [0, 1],
      [1, 0],
      [1, 1],
      [0.5, -1],
    ]);
    const y = tf.tensor2d([[2], [-1], [1], [-2.5]]);
    const first = (model.evaluate(x, y) as tf.Scalar).dataSync()[0];
    await model.fit(x, y, { epochs: 100, verbose: 0, shuffle: false });
    const last = (model.evaluate(x, y) as tf.Scalar).dataSync()[0];
    expect(last).toBeLessThan(0.1 * first);

    let artifacts: tf.io.ModelArtifacts | undefined;
    await model.save(
      tf.io.withSaveHandler((saved) => {
        artifacts = JSON.parse(JSON.stringify(saved)) as tf.io.ModelArtifacts;
        artifacts.weightData = saved.weightData;
        return Promise.resolve({ modelArtifactsInfo: { dateSaved: new Date(0), modelTopologyType: 'JSON' } });
      }),
      { includeOptimizer: true },
    );
    const loaded = await tf.loadLayersModel(tf.io.fromMemory(artifacts!));
    const optimizer = loaded.optimizer as RadamOptimizer;
    expect(optimizer.getClassName()).toBe('NatgradRadam');
    expect(optimizer.getConfig()).toEqual((model.optimizer as RadamOptimizer).getConfig());
    expect(optimizer.iterations).toBe(model.optimizer.iterations);

    await model.fit(x, y, { epochs: 5, verbose: 0, shuffle: false });
    await loaded.fit(x, y, { epochs: 5, verbose: 0, shuffle: false });
    const weights = (of: tf.LayersModel): number[][] =>
      of.getWeights().map((weight) => [...weight.dataSync()]);
    expect(weights(loaded)).toEqual(weights(model));
  });

  it.each<[string, unknown]>([
    ['radam.beta3 is not an option', { beta3: 1 }],
    ['learningRate is -1', { learningRate: -1 }],
    ['beta1 is 1', { beta1: 1 }],
    ['beta2 is 0.5', { beta2: 0.5 }],
    ['epsilon is 0', { epsilon: 0 }],
    ['weightDecay is NaN', { weightDecay: NaN }],
    ['degenerateToSgd is yes', { degenerateToSgd: 'yes' }],
  ])('refuses a configuration in which %s', (message, config) => {
    expect(() => radam(config as RadamConfig)).toThrow(message);
  });

  it('refuses gradients of unknown variables and incomplete checkpoints', async () => {
    const stateError = errorWithCode('ERR_NATGRAD_STATE');
    expect(() => tf.tidy(() => radam().applyGradients({ nobody: tf.scalar(1) }))).toThrow(stateError);
    await expect(radam().setWeights([])).rejects.toThrow(stateError);
  });
});
