import { Momentum, type VariableUpdate } from '../../src/step/momentum';
import { errorWithCode } from '../errorWithCode';
import { runJob } from './runJob';

const update = (weights: Float32Array, direction: Float32Array, shrink = 1): VariableUpdate => ({
  weights,
  direction,
  shrink,
});

const direction = (step: number, size: number): Float32Array =>
  Float32Array.from({ length: size }, (_, i) => Math.sin(1 + step + 2 * i));

describe('Momentum', () => {
  it('follows v = mu v - learningRate nu Delta, w = (1 - learningRate decay) w + v', () => {
    const momentum = new Momentum(0.9);
    const weights = Float32Array.of(1, -2, 0.5);
    const [v, w] = [[0, 0, 0], [...weights]];
    for (let step = 0; step < 20; step++) {
      const [learningRate, scale, shrink] = [0.1 / (1 + step), step % 2 ? 1 : 0.5, 1 - 0.01 / (1 + step)];
      const delta = direction(step, 3);
      momentum.updateJobs([update(weights, delta, shrink)], { step, learningRate, scale }).forEach(runJob);
      for (let i = 0; i < 3; i++) {
        v[i] = 0.9 * v[i] - learningRate * scale * delta[i];
        w[i] = shrink * w[i] + v[i];
      }
    }
    // The float64 recursion beside arrays of float32: 20 roundings of 6e-8.
    w.forEach((value, i) => expect(Math.abs(weights[i] - value)).toBeLessThan(2e-6));
    v.forEach((value, i) => expect(Math.abs(momentum.velocity(0)![i] - value)).toBeLessThan(2e-6));
  });

  it.each([null, 0])('keeps no velocity with %p: one step is exactly -learningRate Delta', (option) => {
    const momentum = new Momentum(option);
    const weights = Float32Array.of(1, 1);
    const jobs = momentum.updateJobs([update(weights, Float32Array.of(0.5, -0.25))], {
      step: 0,
      learningRate: 1,
      scale: 1,
    });
    jobs.forEach(runJob);
    expect(jobs[0].velocity).toBeUndefined();
    expect([...weights]).toEqual([0.5, 1.25]);
    expect(momentum.state()).toEqual({});
  });

  it('asks a function for the momentum of each step, which may have any finite value', () => {
    const momentum = new Momentum((step) => [0, -0.5, 1.5][step]);
    const weights = Float32Array.of(0);
    const visited = [0, 1, 2].map((step) => {
      momentum
        .updateJobs([update(weights, Float32Array.of(-1))], { step, learningRate: 1, scale: 1 })
        .forEach(runJob);
      return weights[0];
    });
    // v = 1, then 1 - 0.5, then 1 + 1.5 * 0.5.
    expect(visited).toEqual([1, 1.5, 3.25]);
    expect(() => new Momentum(() => NaN).value(3)).toThrow(/momentum gave NaN at step 3/);
  });

  it('leaves variables without an update, and their velocities, alone', () => {
    const momentum = new Momentum(0.5);
    const [a, b] = [Float32Array.of(0), Float32Array.of(0)];
    const size = { learningRate: 1, scale: 1 };
    momentum
      .updateJobs([update(a, Float32Array.of(1)), update(b, Float32Array.of(1))], { step: 0, ...size })
      .forEach(runJob);
    momentum.updateJobs([null, update(b, Float32Array.of(1))], { step: 1, ...size }).forEach(runJob);
    expect([a[0], b[0]]).toEqual([-1, -2.5]);
    expect([momentum.velocity(0)![0], momentum.velocity(1)![0]]).toEqual([-1, -1.5]);
  });

  it('goes on from a saved state exactly as without saving', () => {
    const run = (momentum: Momentum, weights: Float32Array, steps: number[]): void => {
      for (const step of steps) {
        momentum
          .updateJobs([null, update(weights, direction(step, 4))], { step, learningRate: 0.1, scale: 1 })
          .forEach(runJob);
      }
    };
    const [straight, weights] = [new Momentum(0.9), new Float32Array(4)];
    run(straight, weights, [0, 1, 2, 3, 4, 5]);

    const [before, saved] = [new Momentum(0.9), new Float32Array(4)];
    run(before, saved, [0, 1, 2]);
    const after = new Momentum(0.9);
    after.load(before.state());
    run(before, new Float32Array(4), [3]); // The copy must not follow the original.
    run(after, saved, [3, 4, 5]);
    expect(saved).toEqual(weights);
    expect(Object.keys(after.state())).toEqual(['1']);
  });

  it('refuses a variable of another size at the same position, and a state with other keys', () => {
    const momentum = new Momentum(0.9);
    const size = { step: 0, learningRate: 1, scale: 1 };
    momentum.updateJobs([update(new Float32Array(2), new Float32Array(2))], size);
    expect(() => momentum.updateJobs([update(new Float32Array(3), new Float32Array(3))], size)).toThrow(
      errorWithCode('ERR_NATGRAD_SHAPE'),
    );
    expect(() => momentum.load({ kernel: Float32Array.of(1) })).toThrow(/key 'kernel'/);
  });

  it.each([1, -0.1, NaN])('refuses the momentum %p', (value) => {
    expect(() => new Momentum(value)).toThrow(/momentum is/);
  });
});
