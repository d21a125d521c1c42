import { IterateAveraging } from '../../src/step/iterateAveraging';
import { errorWithCode } from '../errorWithCode';
import { runJob } from './runJob';

const iterate = (k: number): Float32Array[] => [Float32Array.of(k, k * k), Float32Array.of(-k)];

function averageOf(averaging: IterateAveraging, count: number): number[][] {
  for (let k = 1; k <= count; k++) averaging.jobs(iterate(k)).forEach(runJob);
  return averaging.values.map((values) => [...values]);
}

describe('IterateAveraging', () => {
  it('is the plain mean of all iterates with decay 1', () => {
    // Means of k and k^2 for k = 1..10: 5.5 and 38.5; the averages are float32.
    const [[linear, square], [negative]] = averageOf(new IterateAveraging({ decay: 1 }), 10);
    expect(linear).toBeCloseTo(5.5, 5);
    expect(square).toBeCloseTo(38.5, 4);
    expect(negative).toBeCloseTo(-5.5, 5);
  });

  it('forgets exponentially once the mean would weigh new iterates less than 1 - decay', () => {
    // xi = 0, 1/2, then 1/2 for good: ((1 + 2) / 2 + 3) / 2 = 2.25, then (2.25 + 4) / 2 = 3.125.
    expect(averageOf(new IterateAveraging({ decay: 0.5 }), 4)[1]).toEqual([-3.125]);
  });

  it('has no bias towards zero: the first average is the first iterate', () => {
    expect(averageOf(new IterateAveraging(), 1)).toEqual([[1, 1], [-1]]);
  });

  it('exchanges weights and averages, and back', () => {
    const averaging = new IterateAveraging({ decay: 1 });
    averageOf(averaging, 3);
    const weights = iterate(3);
    averaging.exchange(weights);
    expect(weights[0][0]).toBeCloseTo(2, 6);
    expect(averaging.values[0][0]).toBe(3);
    expect(() => averaging.jobs(weights)).toThrow(errorWithCode('ERR_NATGRAD_STATE'));
    averaging.exchange(weights);
    expect(weights).toEqual(iterate(3));
    expect(() => averaging.jobs(iterate(4))).not.toThrow();
  });

  it('goes on from a saved state exactly as without saving', () => {
    const straight = averageOf(new IterateAveraging({ decay: 0.8 }), 12);
    const before = new IterateAveraging({ decay: 0.8 });
    averageOf(before, 5);
    const after = new IterateAveraging({ decay: 0.8 });
    after.load(before.state());
    for (let k = 6; k <= 12; k++) after.jobs(iterate(k)).forEach(runJob);
    expect(after.values.map((values) => [...values])).toEqual(straight);
  });

  it('can be saved before the first iterate', () => {
    const averaging = new IterateAveraging();
    averaging.load(new IterateAveraging().state());
    expect(averageOf(averaging, 1)).toEqual([[1, 1], [-1]]);
  });

  it('refuses other variables, an exchange with nothing, and incomplete states', () => {
    const averaging = new IterateAveraging();
    expect(() => averaging.exchange(iterate(1))).toThrow(/no averaged weights yet/);
    averageOf(averaging, 1);
    expect(() => averaging.jobs([new Float32Array(2)])).toThrow(errorWithCode('ERR_NATGRAD_SHAPE'));
    expect(() => averaging.load({ 0: Float32Array.of(1) })).toThrow(/incomplete/);
    expect(() => averaging.load({ count: Float32Array.of(1), 1: Float32Array.of(1) })).toThrow(/incomplete/);
    for (const decay of [0, 1.1, NaN]) expect(() => new IterateAveraging({ decay })).toThrow(/decay is/);
  });
});
