import * as tf from '@tensorflow/tfjs';

import * as natgrad from '../../src';
import type { NaturalGradientConfig, NaturalGradientOptimizer } from '../../src';
import { cudaKernels } from '../../src/linalg/cuda';
import { kernels } from '../../src/linalg/kernels';
import { worthADevice } from '../../src/optimizer/worthADevice';
import { errorWithCode } from '../errorWithCode';
import { useBackend } from '../support/backends';
import { DeviceDouble } from '../support/deviceDouble';
import {
  classifier,
  examples,
  isFinite,
  stateOf,
  trainSteps as train,
  weightsOf,
} from '../support/classifier';

jest.mock('../../src/linalg/cuda', () => ({ cudaKernels: jest.fn() }));
jest.mock('../../src/optimizer/worthADevice', () => ({
  ...jest.requireActual<object>('../../src/optimizer/worthADevice'),
  worthADevice: jest.fn(() => true),
}));

type Create = (config: NaturalGradientConfig) => NaturalGradientOptimizer;

/** Every preset, and the structures and options that have code of their own between jobs. */
const presets: [string, Create, object][] = [
  ['kfac', natgrad.kfac, {}],
  ['kfac in the eigenbasis', natgrad.kfac, { dampingSplit: 'exact' }],
  ['ekfac', natgrad.ekfac, {}],
  ['ekfac with a running correction', natgrad.ekfac, { correction: 'running' }],
  ['foof', natgrad.foof, {}],
  ['shampoo', natgrad.shampoo, {}],
  ['soap', natgrad.shampoo, { basis: 'eigen' }],
  ['singd', natgrad.singd, {}],
  ['sngd', natgrad.sngd, {}],
  ['sngd reparametrised', natgrad.sngd, { form: 'reparametrised', momentum: null }],
  ['sngd with a few columns', natgrad.sngd, { nystrom: { rank: 3 } }],
  ['blockTridiagonal', natgrad.blockTridiagonal, {}],
  ['blockDiagonal', natgrad.blockDiagonal, {}],
  ['exactNaturalGradient', natgrad.exactNaturalGradient, {}],
  ['diagonalFisher', natgrad.diagonalFisher, {}],
  ['quasiDiagonal', natgrad.quasiDiagonal, {}],
  ['unitWise', natgrad.unitWise, {}],
  ['tengrad', natgrad.tengrad, {}],
  ['seng', natgrad.seng, {}],
  ['onlineNaturalGradient', natgrad.onlineNaturalGradient, {}],
  ['mirrorDescent', natgrad.mirrorDescent, {}],
  ['trustRegion', ({ backend }) => natgrad.trustRegion({ backend }), {}],
]; // prettier-ignore

let double: DeviceDouble;
let warnings: jest.SpyInstance;

beforeAll(() => useBackend('cpu'));
beforeEach(() => {
  double = new DeviceDouble(kernels('cpu'));
  jest
    .mocked(cudaKernels)
    .mockReset()
    .mockImplementation(() => double);
  jest.mocked(worthADevice).mockReturnValue(true);
  warnings = jest.spyOn(console, 'warn').mockImplementation(() => {});
});
afterEach(() => warnings.mockRestore());

function compiled(create: Create, config: NaturalGradientConfig, model = classifier({ hidden: [6, 5] })) {
  const optimizer = create(config);
  model.compile({ optimizer, loss: 'categoricalCrossentropy' });
  return { model, optimizer };
}

describe.each(presets)('%s with arrays on a device', (_, create, config) => {
  const options = { factorUpdatePeriod: 1, refreshPeriod: 3, refreshLag: 2, ...config };
  const only = (backend: NaturalGradientConfig['backend']) =>
    create === presets.at(-1)![1] ? { backend } : { ...options, backend };

  // Oracle: the same jobs on the host. What JavaScript reads without fetching it is NaN, and what it writes there is not seen.
  it('takes the same steps, and resumes', async () => {
    const host = compiled(create, only('cpu'));
    await train(host.model, 13);
    const device = compiled(create, only('cuda'));
    await train(device.model, 8);
    const saved = await device.optimizer.getWeights();
    const resumed = compiled(create, only('cuda'));
    resumed.model.setWeights(device.model.getWeights());
    await resumed.optimizer.setWeights(saved);
    await train(device.model, 5, 8);
    await train(resumed.model, 5, 8);
    expect(weightsOf(device.model)).toEqual(weightsOf(host.model));
    expect(weightsOf(resumed.model)).toEqual(weightsOf(host.model));
    expect(await stateOf(device.optimizer)).toEqual(await stateOf(host.optimizer));
    for (const { optimizer } of [device, resumed]) optimizer.dispose();
    expect(double.copies.size).toBe(0);
  });
});

describe('curvature on a device', () => {
  const config = { refreshPeriod: 2, refreshLag: 1, refresh: 'overlapped' } as const;

  it('can be looked at, and goes on', async () => {
    const runs = await Promise.all(
      (['cpu', 'cuda'] as const).map(async (backend) => {
        const { model, optimizer } = compiled(natgrad.kfac, { ...config, backend });
        await train(model, 4);
        const dense = optimizer.curvature().blocks.map((block) => block.toDense());
        await train(model, 4, 4);
        expect(optimizer.stats().backend).toBe(backend);
        return [dense, weightsOf(model)];
      }),
    );
    expect(runs[1]).toEqual(runs[0]);
    expect(double.copies.size).toBeGreaterThan(0);
  });

  it('adapts its damping by the curvature of the device', async () => {
    const damping = { adapt: 'levenbergMarquardt', initial: 0.3, period: 2 } as const;
    const runs = await Promise.all(
      (['cpu', 'cuda'] as const).map(async (backend) => {
        const { model, optimizer } = compiled(natgrad.kfac, {
          ...config,
          fisher: 'empirical',
          damping,
          backend,
        });
        await train(model, 7);
        return [weightsOf(model), optimizer.stats().damping];
      }),
    );
    expect(runs[1]).toEqual(runs[0]);
  });

  it('begins anew on the device when statistics overflow', async () => {
    const runs = await Promise.all(
      (['cpu', 'cuda'] as const).map(async (backend) => {
        const { model, optimizer } = compiled(natgrad.kfac, { ...config, backend });
        await train(model, 4);
        const { x, y } = examples(16, 7);
        await model.trainOnBatch(x.mul(1e25), y);
        await train(model, 6, 5);
        expect(optimizer.stats().refreshFailures).toBeGreaterThan(0);
        return weightsOf(model);
      }),
    );
    expect(runs[1]).toEqual(runs[0]);
  });

  it('moves nothing between the device and the host from step to step', async () => {
    const { model } = compiled(natgrad.kfac, { ...config, backend: 'cuda' });
    await train(model, 3);
    const before = { ...double.traffic };
    await train(model, 6, 3);
    expect(double.traffic).toEqual(before);
  });
});

describe("backend: 'auto'", () => {
  const config = { refreshPeriod: 2, refreshLag: 1, backend: 'auto' } as const;

  it('takes a device where that is worth it, and only there', async () => {
    const run = async () => {
      const { model, optimizer } = compiled(natgrad.kfac, config);
      await train(model, 2);
      return optimizer.stats().backend;
    };
    expect(await run()).toBe('cuda');
    jest.mocked(worthADevice).mockReturnValue(false);
    expect(await run()).toBe('cpu');
    expect(cudaKernels).toHaveBeenCalledTimes(1);
  });

  it('does without a device that is not there', async () => {
    jest.mocked(cudaKernels).mockImplementation(() => {
      throw new natgrad.NatgradError('ERR_NATGRAD_NO_CUDA', 'there is none');
    });
    const { model, optimizer } = compiled(natgrad.kfac, config);
    await train(model, 2);
    expect(optimizer.stats().backend).toBe('cpu');
    expect(warnings.mock.calls.flat().join()).not.toMatch(/natgrad/);
  });

  it('says who may have the memory of a device that is full, and does without it', async () => {
    double.memory.room = () => ({ free: 1000, total: 2 ** 30 });
    const { model, optimizer } = compiled(natgrad.kfac, config);
    await train(model, 2);
    expect(optimizer.stats().backend).toBe('cpu');
    expect(warnings.mock.calls.flat().join()).toMatch(
      /0\.001 MiB of 1024 MiB are free.*TF_FORCE_GPU_ALLOW_GROWTH=true/,
    );
  });

  // Oracle: a run that was on the processor from the start.
  it.each([0, 1, 5])('goes on without loss where the device has room for only %i arrays', async (room) => {
    const host = compiled(natgrad.ekfac, { ...config, backend: 'cpu' });
    await train(host.model, 9);
    double.room = room;
    const device = compiled(natgrad.ekfac, config);
    await train(device.model, 9);
    expect(device.optimizer.stats().backend).toBe('cpu');
    expect(weightsOf(device.model)).toEqual(weightsOf(host.model));
    expect(warnings.mock.calls.flat().join()).toMatch(/the double is full/);
  });

  // Oracle: a run on the processor, which takes the same steps with the same bits until the device is lost.
  it.each(['immediate', 'overlapped'] as const)(
    'goes on with right weights and a copy that is at most a refresh old, whatever call the device is lost in, %s',
    async (refresh) => {
      const refreshPeriod = 3;
      const options = { ...config, refresh, refreshPeriod, refreshLag: 2, damping: 0.1 };
      type Moment = { weights: Float32Array[]; statistics: Float64Array[] };
      const statisticsOf = (optimizer: NaturalGradientOptimizer) =>
        optimizer.curvature().blocks.map((block) => block.toDense());
      const trained = async (backend: 'cpu' | 'auto', after: (model: tf.Sequential) => unknown) => {
        const { model, optimizer } = compiled(natgrad.kfac, { ...options, backend });
        for (let step = 0; step < 9; step++) {
          await train(model, 1, step);
          after(model);
          expect(optimizer.stats().step).toBe(step + 1);
        }
        return { model, optimizer };
      };
      const host: Moment[] = [];
      await trained('cpu', (model) => {
        const statistics = statisticsOf(model.optimizer as NaturalGradientOptimizer);
        host.push({ weights: weightsOf(model), statistics });
      });
      let lossless = 0;
      for (let calls = 0; ; calls++) {
        double = new DeviceDouble(kernels('cpu'));
        double.callsLeft = calls;
        const done: Float32Array[][] = [];
        let optimizer: NaturalGradientOptimizer | undefined;
        let lostIn = -1;
        warnings.mockImplementation((text: string) => {
          if (!/as it was copied/.test(text)) return;
          lostIn = done.length;
          const copied = JSON.stringify(statisticsOf(optimizer!));
          const copiedAfter = host.findIndex(({ statistics }) => JSON.stringify(statistics) === copied);
          expect(copiedAfter).toBeGreaterThanOrEqual(Math.max(0, lostIn - refreshPeriod - 1));
        });
        const after = await trained('auto', (model) => {
          done.push(weightsOf(model));
          optimizer = model.optimizer as NaturalGradientOptimizer;
        });
        // Only the copy after the last step may be lost, and nobody has asked for it.
        if (after.optimizer.stats().backend === 'cuda') break;
        const isIntact = lostIn < 0;
        const certain = isIntact ? done.length : lostIn;
        expect(done.slice(0, certain)).toEqual(host.slice(0, certain).map(({ weights }) => weights));
        // Unless a refresh is lost, the step itself has the bits of the processor too: its momentum and its inverses.
        if (!isIntact && JSON.stringify(done[lostIn]) === JSON.stringify(host[lostIn].weights)) lossless++;
        expect(after.optimizer.stats()).toMatchObject({
          backend: 'cpu',
          refreshFailures: 0,
          skippedSteps: 0,
        });
        expect(isFinite(after.model)).toBe(true);
      }
      expect(lossless).toBeGreaterThan(10);
    },
    30_000,
  );

  it('learns on when the device is lost', async () => {
    const { model, optimizer } = compiled(natgrad.kfac, { ...config, learningRate: 0.1, damping: 0.1 });
    await train(model, 8);
    double.lost = true;
    await train(model, 30, 8);
    expect(optimizer.stats().backend).toBe('cpu');
    const { x, y } = examples(256, 1);
    const loss = tf.losses.softmaxCrossEntropy(y, (model.predict(x) as tf.Tensor).log());
    expect(loss.dataSync()[0]).toBeLessThan(0.8);
    expect(warnings.mock.calls.flat().join()).toMatch(/processor goes on.*last two refreshes.*was lost/s);
  });

  it.each(presets.slice(0, 12))('goes on when the device is lost in any step, %s', async (_, create, own) => {
    for (let calls = 4; ; calls += 6) {
      double = new DeviceDouble(kernels('cpu'));
      double.callsLeft = calls;
      const { model, optimizer } = compiled(create, { ...config, ...own });
      await train(model, 10);
      if (optimizer.stats().backend === 'cuda') break;
      expect(isFinite(model)).toBe(true);
      expect((await stateOf(optimizer)).every(([, values]) => values.every(Number.isFinite))).toBe(true);
      expect(optimizer.stats()).toMatchObject({ backend: 'cpu', refreshFailures: 0, skippedSteps: 0 });
    }
  });
});

describe("backend: 'cuda'", () => {
  it('is an error when the device is lost, and the weights stay as they are', async () => {
    const { model } = compiled(natgrad.kfac, { backend: 'cuda' });
    await train(model, 3);
    const before = weightsOf(model);
    double.lost = true;
    await expect(train(model, 1)).rejects.toThrow(errorWithCode('ERR_NATGRAD_DEVICE'));
    expect(weightsOf(model)).toEqual(before);
  });

  it('is an error when the device has no room', async () => {
    double.room = 2;
    const { model } = compiled(natgrad.kfac, { backend: 'cuda' });
    await expect(train(model, 2)).rejects.toThrow(errorWithCode('ERR_NATGRAD_NO_MEMORY'));
  });

  it('is an error where there is no device', () => {
    jest.mocked(cudaKernels).mockImplementation(() => {
      throw new natgrad.NatgradError('ERR_NATGRAD_NO_CUDA', 'there is none');
    });
    expect(() => natgrad.kfac({ backend: 'cuda' })).toThrow(errorWithCode('ERR_NATGRAD_NO_CUDA'));
  });

  it.each([
    [{ name: 'cuda', precision: 'fp16' }, /precision is 'fp16'; use 'fp32', 'tf32' or 'fp64'/],
    [{ name: 'cuda', device: -1 }, /device is -1; give an integer/],
    [{ name: 'cuda', ordinal: 1 }, /backend\.ordinal is no option/],
    [{ name: 'gpu' }, /^backend is .+; use 'auto'/],
    ['gpu', /^backend is .+; use 'auto'/],
  ])('refuses %j', (backend, message) => {
    const create = () => natgrad.kfac({ backend: backend as 'cuda' });
    expect(create).toThrow(errorWithCode('ERR_NATGRAD_ARGUMENT'));
    expect(create).toThrow(message);
  });
});
