import {
  asynchronous,
  interleave,
  perRound,
  spread,
  synchronous,
  type Competitor,
} from '../../bench/interleave';

const effort = { rounds: 3, burst: 0.01 };

/** A competitor that logs its turns and takes as many seconds as the list says. */
function scripted(name: string, seconds: number[], log: string[]): Competitor {
  let turn = 0;
  return {
    name,
    burst() {
      log.push(name);
      return seconds[turn++];
    },
  };
}

describe('interleave', () => {
  it('gives every competitor a turn in every round, begins each round with another, and drops the first round', async () => {
    const log: string[] = [];
    const measured = await interleave(
      [scripted('a', [100, 1, 2, 3], log), scripted('b', [100, 4, 5, 6], log)],
      effort,
    );
    expect(log).toEqual(['a', 'b', 'b', 'a', 'a', 'b', 'b', 'a']);
    expect(measured).toEqual([
      { name: 'a', rounds: [1, 2, 3] },
      { name: 'b', rounds: [4, 5, 6] },
    ]);
  });

  it('compares round by round, so that a slow round that slows all alike does not count', () => {
    const ours = { name: 'ours', rounds: [1, 10, 2] };
    const other = { name: 'other', rounds: [3, 30, 6] };
    expect(perRound((a, b) => b / a, ours, other)).toEqual({ median: 3, low: 3, high: 3 });
  });

  it('takes median and quartiles as linear interpolation between order statistics', () => {
    // numpy.percentile([1, 2, 3, 10], [25, 50, 75]) gives 1.75, 2.5, 4.75.
    expect(spread([10, 1, 3, 2])).toEqual({ low: 1.75, median: 2.5, high: 4.75 });
  });
});

describe('competitors on Benchmark.js', () => {
  it('repeat synchronous work until the burst is over, and prepare before the burst only', async () => {
    const log: string[] = [];
    const competitor = synchronous(
      'count',
      () => log.push('work'),
      () => log.push('before'),
    );
    expect(await competitor.burst(0.001)).toBeGreaterThan(0);
    await competitor.burst(0.001);
    expect(log.filter((entry) => entry === 'before')).toHaveLength(2);
    expect(log[0]).toBe('before');
    expect(log.length).toBeGreaterThan(100);
  });

  it('do asynchronous work once a burst and wait for it', async () => {
    let done = 0;
    const competitor = asynchronous('wait', 4, async () => {
      await new Promise((resolve) => setImmediate(resolve));
      done++;
    });
    await competitor.burst(0.001);
    expect(done).toBe(1);
    await competitor.burst(0.001);
    expect(done).toBe(2);
  });

  it('throw what the work throws', async () => {
    const failure = new Error('singular');
    const fail = () => {
      throw failure;
    };
    expect(() => synchronous('fails', fail).burst(0.001)).toThrow(failure);
    await expect(asynchronous('fails', 1, () => Promise.reject(failure)).burst(0.001)).rejects.toBe(failure);
  });
});
