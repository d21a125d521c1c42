import Benchmark from 'benchmark';

/** One of several ways to do the same work. */
export interface Competitor {
  name: string;
  /** Does the work again and again for about so many seconds, and returns the mean time of doing it once, in seconds. */
  burst(seconds: number): number | Promise<number>;
}

export interface Measurement {
  name: string;
  /** Seconds, one per round; the same index is the same round in all measurements of one comparison. */
  rounds: number[];
}

export interface Effort {
  rounds: number;
  /** Length of one burst in seconds; work that takes longer is done once. */
  burst: number;
}

/** Median with quartiles. */
export interface Spread {
  median: number;
  low: number;
  high: number;
}

/**
 * Measures competitors in turn, round after round, so that what else the machine does hits all of them alike; each round begins with
 * another one. A round before the first is not counted.
 */
export async function interleave(competitors: Competitor[], effort: Effort): Promise<Measurement[]> {
  const measurements = competitors.map(({ name }): Measurement => ({ name, rounds: [] }));
  for (let round = -1; round < effort.rounds; round++) {
    for (let turn = 0; turn < competitors.length; turn++) {
      const index = (round + 1 + turn) % competitors.length;
      const seconds = await competitors[index].burst(effort.burst);
      if (round >= 0) measurements[index].rounds.push(seconds);
    }
  }
  return measurements;
}

export function spread(values: number[]): Spread {
  const sorted = [...values].sort((a, b) => a - b);
  const quantile = (q: number) => {
    const at = q * (sorted.length - 1);
    const below = Math.floor(at);
    const above = Math.min(below + 1, sorted.length - 1);
    return sorted[below] + (at - below) * (sorted[above] - sorted[below]);
  };
  return { median: quantile(0.5), low: quantile(0.25), high: quantile(0.75) };
}

/** Combines measurements of the same rounds, round by round, into one figure: a ratio, a share of the peak. */
export function perRound(combine: (...seconds: number[]) => number, ...measurements: Measurement[]): Spread {
  return spread(
    measurements[0].rounds.map((_, round) => combine(...measurements.map(({ rounds }) => rounds[round]))),
  );
}

/** A function of this process, timed by Benchmark.js. `before` is called ahead of each burst, out of the timing. */
export function synchronous(name: string, work: () => void, before?: () => void): Competitor {
  const benchmark = new Benchmark(name, work, { minSamples: 1, maxTime: 0 });
  // The times that the loop runs: Benchmark.js searches for them, and later bursts start from what the first one found.
  let count = 1;
  return {
    name,
    burst(seconds) {
      before?.();
      Object.assign(benchmark, { minTime: seconds, initCount: count });
      benchmark.run({ async: false });
      count = benchmark.count;
      return period(benchmark);
    },
  };
}

/** Work of a fixed length that may wait, timed once per burst by Benchmark.js; the time given is that of one of its `parts`. */
export function asynchronous(name: string, parts: number, work: () => Promise<void>): Competitor {
  let failure: unknown;
  const benchmark = new Benchmark(
    name,
    (deferred: { resolve(): void }) => {
      work()
        .catch((error: unknown) => (failure = error))
        .finally(() => deferred.resolve());
    },
    { defer: true, minSamples: 1, maxTime: 0, minTime: 1e-9 },
  );
  return {
    name,
    async burst() {
      await new Promise<void>((resolve) => {
        benchmark.off('complete').on('complete', () => resolve());
        benchmark.run({ async: true });
      });
      if (failure !== undefined) throw failure as Error;
      return period(benchmark) / parts;
    },
  };
}

function period(benchmark: Benchmark): number {
  // Benchmark.js catches what the work throws.
  if (benchmark.error) throw benchmark.error;
  return benchmark.stats.mean;
}
