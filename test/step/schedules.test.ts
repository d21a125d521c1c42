import { restoreSchedule, saveSchedule } from '../../src/step/scheduleConfig';
import type { Schedule } from '../../src/step/schedule';
import { schedules, type ReadyMadeSchedule } from '../../src/step/schedules';

const { exponentialDecay, inverseTimeDecay, cosineDecay, polynomialDecay, piecewiseConstant, warmup } =
  schedules;

const STEPS = [0, 1, 3, 4, 5, 7, 8, 9, 10, 12, 20, 21, 25, 30, 100];
const decay = { initial: 0.1, decaySteps: 5, decayRate: 0.5 };

/**
 * Values at STEPS of the schedules of the same names in keras.optimizers.schedules, computed by Keras 3.15.1 in float64. The warm-up is
 * that of its CosineDecay (initial_learning_rate, warmup_target, warmup_steps).
 */
const cases: [string, ReadyMadeSchedule, number[]][] = [
  [
    'exponentialDecay',
    exponentialDecay(decay),
    [
      0.1, 0.08705505632961241, 0.06597539553864472, 0.057434917749851745, 0.05, 0.03789291416275996,
      0.03298769776932236, 0.028717458874925873, 0.025, 0.01894645708137998, 0.00625, 0.005440941020600776,
      0.003125, 0.0015625, 9.5367431640625e-8,
    ],
  ],
  [
    'exponentialDecay staircase',
    exponentialDecay({ ...decay, staircase: true }),
    [
      0.1, 0.1, 0.1, 0.1, 0.05, 0.05, 0.05, 0.05, 0.025, 0.025, 0.00625, 0.00625, 0.003125, 0.0015625,
      9.5367431640625e-8,
    ],
  ],
  [
    'inverseTimeDecay',
    inverseTimeDecay(decay),
    [
      0.1, 0.09090909090909091, 0.07692307692307693, 0.07142857142857144, 0.06666666666666667,
      0.05882352941176471, 0.05555555555555556, 0.052631578947368425, 0.05, 0.045454545454545456,
      0.03333333333333333, 0.03225806451612903, 0.028571428571428574, 0.025, 0.009090909090909092,
    ],
  ],
  [
    'inverseTimeDecay staircase',
    inverseTimeDecay({ ...decay, staircase: true }),
    [
      0.1, 0.1, 0.1, 0.1, 0.06666666666666667, 0.06666666666666667, 0.06666666666666667, 0.06666666666666667,
      0.05, 0.05, 0.03333333333333333, 0.03333333333333333, 0.028571428571428574, 0.025, 0.009090909090909092,
    ],
  ],
  [
    'cosineDecay',
    cosineDecay({ initial: 0.1, decaySteps: 20 }),
    [
      0.1, 0.0993844170297569, 0.09455032620941839, 0.09045084971874738, 0.08535533905932738,
      0.07269952498697733, 0.06545084971874737, 0.05782172325201155, 0.05, 0.03454915028125263, 0.0, 0.0, 0.0,
      0.0, 0.0,
    ],
  ],
  [
    'cosineDecay alpha',
    cosineDecay({ initial: 0.1, decaySteps: 20, alpha: 0.1 }),
    [
      0.1, 0.0994459753267812, 0.09509529358847656, 0.09140576474687263, 0.08681980515339464,
      0.07542957248827961, 0.06890576474687264, 0.0620395509268104, 0.05500000000000001, 0.04109423525312738,
      0.010000000000000002, 0.010000000000000002, 0.010000000000000002, 0.010000000000000002,
      0.010000000000000002,
    ],
  ],
  [
    'polynomialDecay',
    polynomialDecay({ initial: 0.1, decaySteps: 10 }),
    [
      0.1, 0.09001, 0.07003, 0.06004, 0.050050000000000004, 0.030070000000000003, 0.020079999999999997,
      0.010089999999999998, 0.0001, 0.0001, 0.0001, 0.0001, 0.0001, 0.0001, 0.0001,
    ],
  ],
  [
    'polynomialDecay power',
    polynomialDecay({ initial: 0.1, decaySteps: 10, end: 0.01, power: 2 }),
    [
      0.1, 0.0829, 0.0541, 0.04240000000000001, 0.0325, 0.018100000000000005, 0.0136, 0.0109, 0.01, 0.01,
      0.01, 0.01, 0.01, 0.01, 0.01,
    ],
  ],
  [
    'polynomialDecay cycle',
    polynomialDecay({ initial: 0.1, decaySteps: 10, end: 0.01, power: 0.5, cycle: true }),
    [
      0.1, 0.09538149682454625, 0.08529940238806681, 0.0797137002317335, 0.07363961030678928,
      0.05929503017546497, 0.050249223594996215, 0.03846049894151541, 0.01, 0.06692099788303084, 0.01,
      0.05929503017546497, 0.04674234614174767, 0.01, 0.01,
    ],
  ],
  [
    'piecewiseConstant',
    piecewiseConstant({ boundaries: [4, 9], values: [1, 0.5, 0.1] }),
    [1.0, 1.0, 1.0, 1.0, 0.5, 0.5, 0.5, 0.5, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1],
  ],
  [
    'warmup cosine',
    warmup({ initial: 0.02, steps: 5, then: cosineDecay({ initial: 0.1, decaySteps: 20, alpha: 0.1 }) }),
    [
      0.02, 0.036000000000000004, 0.068, 0.084, 0.1, 0.09779754323328192, 0.09509529358847656,
      0.09140576474687263, 0.08681980515339464, 0.07542957248827961, 0.023180194846605367,
      0.018594235253127374, 0.010000000000000002, 0.010000000000000002, 0.010000000000000002,
    ],
  ],
];

describe('schedules', () => {
  it.each(cases)('%s has the values of Keras', (_, schedule, expected) => {
    STEPS.forEach((step, i) => expect(Math.abs(schedule(step) - expected[i])).toBeLessThanOrEqual(1e-15));
  });

  it.each(cases)('%s comes back from JSON with the same values', (_, schedule) => {
    const restored = restoreSchedule(
      JSON.parse(JSON.stringify(saveSchedule(schedule, 0, 'damping'))),
      'damping',
    );
    expect(STEPS.map(restored as ReadyMadeSchedule)).toEqual(STEPS.map(schedule));
  });

  it('rises from 0 to what follows, which is counted from the end of the warm-up', () => {
    const schedule = warmup({ steps: 4, then: (step) => 8 / (1 + step) });
    expect([0, 1, 2, 3, 4, 5, 7].map(schedule)).toEqual([0, 2, 4, 6, 8, 4, 2]);
    expect(warmup({ steps: 2, then: 1 })(1)).toBe(0.5);
  });

  it('does not follow later changes of the configuration', () => {
    const boundaries = [4];
    const schedule = piecewiseConstant({ boundaries, values: [1, 2] });
    boundaries[0] = 10;
    expect(schedule(5)).toBe(2);
  });

  it.each<[string, () => unknown]>([
    ['exponentialDecay.initial is -1', () => exponentialDecay({ ...decay, initial: -1 })],
    ['exponentialDecay.decaySteps is 0', () => exponentialDecay({ ...decay, decaySteps: 0 })],
    [
      'inverseTimeDecay.decayRate is undefined',
      () => inverseTimeDecay({ ...decay, decayRate: undefined as never }),
    ],
    ['inverseTimeDecay.rate is not an option', () => inverseTimeDecay({ ...decay, rate: 1 } as never)],
    ['cosineDecay.alpha is -1', () => cosineDecay({ initial: 1, decaySteps: 1, alpha: -1 })],
    ['polynomialDecay.power is 0', () => polynomialDecay({ initial: 1, decaySteps: 1, power: 0 })],
    [
      'piecewiseConstant.values has 2 entries for 2 boundaries',
      () => piecewiseConstant({ boundaries: [1, 2], values: [1, 2] }),
    ],
    [
      'piecewiseConstant.boundaries[1] is 1 after 1',
      () => piecewiseConstant({ boundaries: [1, 1], values: [1, 2, 3] }),
    ],
    ['warmup.then is undefined', () => warmup({ steps: 1 } as never)],
    ['warmup.then gave NaN at step 0', () => warmup({ steps: 2, then: () => NaN })(1)],
  ])('refuses a configuration in which %s', (message, make) => {
    expect(make).toThrow(message);
  });
});

describe('saveSchedule', () => {
  it('keeps numbers', () => {
    expect(saveSchedule(0.1, 5, 'damping')).toBe(0.1);
    expect(restoreSchedule(0.1, 'damping')).toBe(0.1);
  });

  it.each<[string, Schedule]>([
    ['a function', (step) => step / 4],
    ['a ready-made schedule around a function', warmup({ steps: 1, then: (step) => (step + 1) / 4 })],
  ])('saves the present value of %s and says so', (_, schedule) => {
    const warn = jest.spyOn(console, 'warn').mockImplementation(() => undefined);
    expect(saveSchedule(schedule, 6, 'damping')).toBe(1.5);
    expect(warn).toHaveBeenCalledWith(expect.stringContaining('damping is a function'));
    warn.mockRestore();
  });

  it('refuses to restore an unknown schedule', () => {
    for (const schedule of ['stepDecay', 'toString']) {
      expect(() => restoreSchedule({ schedule, config: {} }, 'damping')).toThrow(
        `damping names the schedule '${schedule}'`,
      );
    }
  });
});
