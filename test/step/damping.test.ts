import { createDamping, ScheduledDamping, type DampingOption } from '../../src/step/damping';
import { LevenbergMarquardt, type LevenbergMarquardtOptions } from '../../src/step/levenbergMarquardt';
import { errorWithCode } from '../errorWithCode';

const adaptive = (options: Partial<LevenbergMarquardtOptions> = {}): LevenbergMarquardt =>
  new LevenbergMarquardt({ adapt: 'levenbergMarquardt', initial: 1, ...options });

describe('createDamping', () => {
  it('makes a constant, a schedule, or the adaptive rule', () => {
    expect(createDamping(0.03).value(5)).toBe(0.03);
    expect(createDamping((step) => 1 / (1 + step)).value(3)).toBe(0.25);
    expect(createDamping({ adapt: 'levenbergMarquardt', initial: 8 }).value(0)).toBe(8);
    expect(createDamping(0)).toBeInstanceOf(ScheduledDamping);
  });

  it.each([-0.1, NaN, 'large', null])('refuses %p', (value) => {
    expect(() => createDamping(value as unknown as DampingOption)).toThrow(/^damping is/);
  });
});

describe('LevenbergMarquardt', () => {
  // omega = (19/20)^5 as in Martens & Grosse 2015, section 6.5; the damping is kept in float32.
  const omega = 0.95 ** 5;

  it.each([
    ['shrinks by omega when the loss fell as much as predicted', -1, -1, omega],
    ['shrinks when it fell more than predicted', -2, -1, omega],
    ['stays when rho is just below 3/4', -0.7499, -1, 1],
    ['stays when rho is just above 1/4', -0.2501, -1, 1],
    ['grows by 1/omega when it fell by less than a quarter', -0.2499, -1, 1 / omega],
    ['grows when the loss rose', 0.5, -1, 1 / omega],
    ['grows when the loss overflowed', NaN, -1, 1 / omega],
    ['grows when the loss became infinite', Infinity, -1, 1 / omega],
    ['grows when no change was predicted', -1, 0, 1 / omega],
  ])('%s', (_, actual, predicted, factor) => {
    const damping = adaptive();
    const rho = damping.observe({ step: 4, actual, predicted });
    expect(rho).toBe(actual / predicted);
    expect(damping.value()).toBe(Math.fround(factor));
  });

  it('is due after every fifth step and does nothing in between', () => {
    const damping = adaptive();
    expect(Array.from({ length: 11 }, (_, step) => step).filter((step) => damping.due(step))).toEqual([4, 9]);
    damping.observe({ step: 3, actual: 1, predicted: -1 });
    expect(damping.value()).toBe(1);
  });

  it('stays between min and max', () => {
    const damping = adaptive({ min: 0.5, max: 2, period: 1, decay: 0.1 });
    damping.observe({ step: 0, actual: -1, predicted: -1 });
    expect(damping.value()).toBe(0.5);
    damping.observe({ step: 1, actual: 1, predicted: -1 });
    damping.observe({ step: 2, actual: 1, predicted: -1 });
    expect(damping.value()).toBe(2);
  });

  it('goes on from a saved state exactly as without saving', () => {
    const outcomes = Array.from({ length: 40 }, (_, step) => ({
      step,
      actual: Math.sin(step * step) - 0.5,
      predicted: -1,
    }));
    const straight = adaptive({ period: 1 });
    outcomes.forEach((outcome) => straight.observe(outcome));

    const before = adaptive({ period: 1 });
    outcomes.slice(0, 17).forEach((outcome) => before.observe(outcome));
    const after = adaptive({ period: 1 });
    after.load(before.state());
    outcomes.slice(17).forEach((outcome) => after.observe(outcome));
    expect(after.value()).toBe(straight.value());
    expect(straight.value()).not.toBe(1);
  });

  it.each<[string, Partial<LevenbergMarquardtOptions>]>([
    ['damping.initial is 0', { initial: 0 }],
    ['damping.initial is 3', { initial: 3, max: 2 }],
    ['damping.min is 0', { min: 0 }],
    ['damping.max is Infinity', { max: Infinity }],
    ['damping.period is 1.5', { period: 1.5 }],
    ['damping.decay is 1', { decay: 1 }],
    ['damping.inital is not an option', { inital: 3 } as Partial<LevenbergMarquardtOptions>],
    ["damping.adapt is 'fixed'", { adapt: 'fixed' } as unknown as Partial<LevenbergMarquardtOptions>],
  ])('refuses a configuration in which %s', (message, options) => {
    expect(() => adaptive(options)).toThrow(message);
  });

  it('refuses a state that is not its own', () => {
    expect(() => adaptive().load({})).toThrow(errorWithCode('ERR_NATGRAD_STATE'));
    expect(() => adaptive().load({ damping: Float32Array.of(NaN) })).toThrow(/saved damping is NaN/);
  });
});
