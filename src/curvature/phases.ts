/**
 * Work of a curvature in phases: jobs that may run together, then what JavaScript makes of their reports before the next phase begins.
 */
import type { FloatArray, Job, Report } from '../linalg/jobs';

export interface Phase {
  jobs: Job[];
  /** Runs when the jobs are done, given their reports; it may fill arrays that later phases read. */
  then?: (reports: Report[]) => void;
}

/** Plans of several blocks as one: their k-th phases run together. */
export interface Merged {
  phases: Phase[];
  /** Per plan the reports of its jobs, one after the other, given those of `phases`. */
  split: (reports: Report[][]) => Report[][];
}

export function merge(plans: Phase[][]): Merged {
  const length = Math.max(0, ...plans.map((plan) => plan.length));
  const phases = Array.from({ length }, (_, k): Phase => {
    const parts = plans.flatMap((plan) => (k < plan.length ? [plan[k]] : []));
    const jobs = parts.flatMap((part) => part.jobs);
    if (parts.every((part) => part.then === undefined)) return { jobs };
    return {
      jobs,
      then(reports) {
        let begin = 0;
        for (const part of parts) {
          const end = begin + part.jobs.length;
          part.then?.(reports.slice(begin, end));
          begin = end;
        }
      },
    };
  });
  const split = (reports: Report[][]): Report[][] => {
    const begins = phases.map(() => 0);
    return plans.map((plan) =>
      plan.flatMap(({ jobs }, k) => reports[k].slice(begins[k], (begins[k] += jobs.length))),
    );
  };
  return { phases, split };
}

/** Whether all of it can be handed to the linear algebra at once, because JavaScript has nothing to do in between. */
export function isOnlyJobs(phases: readonly Phase[]): boolean {
  return phases.every((phase) => phase.then === undefined);
}

/** What runs jobs. */
export interface Computer {
  run(phases: Job[][]): Report[][];
  /** Only of one that can change places with another: whether it has, after this error, so that the work can be done again. */
  takeOver?(error: unknown): boolean;
}

/** Runs the phases here and now. Returns the reports of each. */
export function runPhases(computer: Computer, phases: readonly Phase[]): Report[][] {
  try {
    return runOnce(computer, phases);
  } catch (error) {
    if (!computer.takeOver?.(error)) throw error;
    return runOnce(computer, phases);
  }
}

function runOnce(computer: Computer, phases: readonly Phase[]): Report[][] {
  if (isOnlyJobs(phases)) return computer.run(phases.map(({ jobs }) => jobs));
  return phases.map(({ jobs, then }) => {
    const [reports] = computer.run([jobs]);
    then?.(reports);
    return reports;
  });
}

/** A phase that does nothing but add up the inner products of two lists of arrays, in the `dot`s of its reports. */
export function dotPhase(left: FloatArray[], right: FloatArray[]): Phase {
  return { jobs: left.map((array, i) => ({ op: 'dot', left: array, right: right[i] })) };
}
