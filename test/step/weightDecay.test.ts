import { L2, l2Job, restoreDecay, WeightDecay, type DecayOption } from '../../src/step/weightDecay';
import { schedules } from '../../src/step/schedules';
import { runJob } from './runJob';

describe('WeightDecay', () => {
  it('shrinks by learning rate times rate', () => {
    expect(new WeightDecay(0.5).shrink('dense/kernel', 0, 0.1)).toBe(1 - 0.05);
    expect(new WeightDecay((step) => step / 10).shrink('dense/kernel', 2, 0.5)).toBe(0.9);
    expect(new WeightDecay(0).shrink('dense/kernel', 0, 0.1)).toBe(1);
  });

  it.each<[string, DecayOption]>([
    ['a string that the name contains', { rate: 0.5, exclude: 'bias' }],
    ['a regular expression', { rate: 0.5, exclude: /bias(_\d+)?$/ }],
    ['a global regular expression, every time', { rate: 0.5, exclude: /bias/g }],
    ['a function', { rate: 0.5, exclude: (name: string) => name.includes('bias') }],
    ['one of several patterns', { rate: 0.5, exclude: ['gamma', /bias/] }],
  ])('leaves out variables picked by %s', (_, option) => {
    const decay = new WeightDecay(option);
    for (let time = 0; time < 3; time++) {
      expect(decay.shrink('dense/bias_1', 0, 0.1)).toBe(1);
      expect(decay.shrink('dense/kernel', 0, 0.1)).toBe(0.95);
    }
  });

  it('refuses to turn the signs of the weights', () => {
    expect(new WeightDecay(2).shrink('w', 0, 0.5)).toBe(0);
    expect(() => new WeightDecay(3).shrink('w', 4, 0.5)).toThrow(/1\.5 at step 4/);
  });

  it.each<[string, unknown]>([
    ['weightDecay is -1', -1],
    ['weightDecay is null', null],
    ['weightDecay.excludes is not an option', { rate: 1, excludes: [] }],
    ['weightDecay.exclude holds 5', { rate: 1, exclude: 5 }],
    ['weightDecay.exclude holds an empty string', { rate: 1, exclude: [''] }],
  ])('refuses an option where %s', (message, option) => {
    expect(() => new WeightDecay(option as DecayOption)).toThrow(message);
  });

  it('comes back from JSON as it was', () => {
    const decay = new WeightDecay({
      rate: schedules.exponentialDecay({ initial: 1, decaySteps: 2, decayRate: 0.25 }),
      exclude: ['layer_norm', /\/BIAS$/i],
    });
    const restored = new WeightDecay(
      restoreDecay(JSON.parse(JSON.stringify(decay.config(0))), 'weightDecay'),
    );
    for (const name of ['layer_norm_1/gamma', 'dense/bias', 'dense/kernel', 'layerXnorm/gamma']) {
      for (const step of [0, 1, 2])
        expect(restored.shrink(name, step, 0.1)).toBe(decay.shrink(name, step, 0.1));
    }
    expect(restored.shrink('layer_norm_1/gamma', 0, 0.1)).toBe(1);
    expect(restored.shrink('dense/kernel', 1, 0.1)).toBe(0.95);
  });

  it('warns when a function cannot be saved', () => {
    const warn = jest.spyOn(console, 'warn').mockImplementation(() => undefined);
    const saved = new WeightDecay({ rate: (step) => step, exclude: [() => true, 'bias'] }).config(3);
    expect(saved).toEqual({ rate: 3, exclude: [{ source: 'bias', flags: '' }] });
    expect(warn).toHaveBeenCalledWith(expect.stringContaining('weightDecay.exclude is a function'));
    expect(warn).toHaveBeenCalledWith(expect.stringContaining('weightDecay is a function'));
    warn.mockRestore();
  });
});

describe('L2', () => {
  it('adds coefficient times weights to the gradient, except for excluded variables', () => {
    const l2 = new L2({ rate: 0.1, exclude: 'bias' });
    expect(l2.coefficient('dense/bias', 0)).toBe(0);
    const [gradient, weights, out] = [Float32Array.of(1, 2), Float32Array.of(-5, 20), new Float32Array(2)];
    runJob(l2Job(gradient, weights, l2.coefficient('dense/kernel', 0), out));
    // The gradient of loss + 0.05 |w|^2.
    expect([...out]).toEqual([0.5, 4]);
  });

  it('names itself in errors', () => {
    expect(() => new L2(-1)).toThrow(/^l2 is -1/);
    expect(() => new L2(() => NaN).coefficient('w', 2)).toThrow(/^l2 gave NaN at step 2/);
  });
});
