import {
  requireNonNegative,
  requirePositive,
  requireSchedule,
  valueAt,
  type Schedule,
} from '../../src/step/schedule';
import { errorWithCode } from '../errorWithCode';

const argumentError = errorWithCode('ERR_NATGRAD_ARGUMENT');

describe('requireSchedule', () => {
  it('takes numbers from 0 on and functions', () => {
    const schedule = (step: number): number => step;
    expect(requireSchedule(0, 'damping')).toBe(0);
    expect(requireSchedule(schedule, 'damping')).toBe(schedule);
  });

  it.each([-1, NaN, Infinity])('refuses %p and names the option', (value) => {
    expect(() => requireSchedule(value, 'damping')).toThrow(argumentError);
    expect(() => requireSchedule(value, 'damping')).toThrow(`damping is ${value}`);
  });

  it('refuses what is neither number nor function', () => {
    const error = errorWithCode('ERR_NATGRAD_TYPE');
    expect(() => requireSchedule('0.1' as unknown as Schedule, 'damping')).toThrow(error);
    expect(() => requireSchedule(null as unknown as Schedule, 'damping')).toThrow(error);
  });
});

describe('valueAt', () => {
  it('gives a constant as it is and asks a function for the step', () => {
    expect(valueAt(0.5, 7, 'learningRate')).toBe(0.5);
    expect(valueAt((step) => 2 * step, 7, 'learningRate')).toBe(14);
  });

  it.each([-1, NaN, Infinity, undefined])(
    'refuses a function that gives %p and says at which step',
    (value) => {
      expect(() => valueAt(() => value as number, 7, 'learningRate')).toThrow(
        `learningRate gave ${value} at step 7`,
      );
    },
  );
});

describe('requireNonNegative and requirePositive', () => {
  it('differ in zero only', () => {
    expect(requireNonNegative(0, 'x')).toBe(0);
    expect(() => requirePositive(0, 'x')).toThrow(argumentError);
    expect(requirePositive(1e-30, 'x')).toBe(1e-30);
    for (const value of [-1, NaN, Infinity]) {
      expect(() => requireNonNegative(value, 'x')).toThrow(argumentError);
      expect(() => requirePositive(value, 'x')).toThrow(argumentError);
    }
  });
});
