import { NatgradError, requireKeys, type ErrorCode } from '../errors';
import type { Job, Report, Status } from './jobs';
import type { BackendChoice } from './backendChoice';
import { kernels } from './kernels';

/** What every function of the linear algebra takes besides its own options. */
export interface CallOptions {
  /**
   * 'throw' (the default): a matrix that could not be treated as asked is an error. 'report': the result is `{value, reports}` and nothing
   * is thrown for a numerical reason; outputs of failed matrices hold zeros, or what `out` held before.
   */
  onFailure?: 'throw' | 'report';
  /** True: work on the addon's own thread and return an {@link Overlapped} result. Default false. */
  overlapped?: boolean;
  /** Default 'auto', which leaves single calls to the processor: most would take longer to bring their matrices to a device. */
  backend?: BackendChoice;
}

export interface Reported<V> {
  value: V;
  /** One per matrix or stack, in order. */
  reports: Report[];
}

/** A result that is being computed. Its inputs and outputs must not be touched before `wait` or `promise` has delivered it. */
export interface Overlapped<V> {
  readonly finished: boolean;
  /** Blocks until the result is there. */
  wait(): V;
  /** The same without blocking the event loop. */
  promise(): Promise<V>;
}

/** V, with reports if the options O ask for them. */
export type Result<V, O> = O extends { onFailure: 'report' } ? Reported<V> : V;

/** What a function returns for options of type O: V, reported or overlapped if O says so. */
export type Outcome<V, O> = O extends { overlapped: true } ? Overlapped<Result<V, O>> : Result<V, O>;

/** One matrix to be treated, as jobs in phases; the failures of all of them are this matrix's. */
export type Plan = Job[][];

const CALL_OPTIONS: (keyof CallOptions)[] = ['onFailure', 'overlapped', 'backend'];

/**
 * Checks that the options of a function are those of every call and its own.
 *
 * @throws NatgradError ERR_NATGRAD_TYPE if they are no object, ERR_NATGRAD_ARGUMENT for an unknown option
 */
export function requireOptions<O extends CallOptions>(
  options: O | undefined,
  own: (keyof O & string)[],
): void {
  if (options !== undefined) requireKeys(options, [...own, ...CALL_OPTIONS], 'options');
}

/**
 * Runs the plans of one call, all at the same time, and delivers `value` when they are done.
 *
 * @throws NatgradError by the status of the first plan that failed, unless `onFailure` is 'report'
 */
export function perform<V, O extends CallOptions>(
  name: string,
  plans: Plan[],
  value: V,
  options: O | undefined,
): Outcome<V, O> {
  const depth = Math.max(0, ...plans.map((plan) => plan.length));
  const phases = Array.from({ length: depth }, (_, p) => plans.flatMap((plan) => plan[p] ?? []));

  const conclude = (reports: Report[][]): Reported<V> | V => {
    const each = reportsByPlan(plans, reports);
    if (options?.onFailure === 'report') return { value, reports: each.map(worst) };
    each.forEach((found, index) => throwIfFailed(name, plans[index].flat(), found, index, plans.length));
    return value;
  };

  const backend = kernels(options?.backend);
  if (!options?.overlapped) return conclude(backend.run(phases)) as Outcome<V, O>;
  const pending = backend.submit(phases);
  const overlapped: Overlapped<Reported<V> | V> = {
    get finished() {
      return pending.finished;
    },
    wait: () => conclude(pending.wait()),
    promise: async () => conclude(await pending.promise()),
  };
  return overlapped as Outcome<V, O>;
}

function reportsByPlan(plans: Plan[], reports: Report[][]): Report[][] {
  const taken = reports.map(() => 0);
  return plans.map((plan) =>
    plan.flatMap((jobs, phase) => {
      const begin = taken[phase];
      taken[phase] += jobs.length;
      return reports[phase].slice(begin, taken[phase]);
    }),
  );
}

/** The report that a caller wants to see of several jobs: the first that is not as asked, else the last. */
function worst(reports: Report[]): Report {
  return reports.find((each) => each.status !== 'ok' || each.retries > 0) ?? reports[reports.length - 1];
}

const codes: Record<Exclude<Status, 'ok'>, ErrorCode> = {
  notConverged: 'ERR_NATGRAD_NOT_CONVERGED',
  notPositiveDefinite: 'ERR_NATGRAD_NOT_POSITIVE_DEFINITE',
  notFinite: 'ERR_NATGRAD_NOT_FINITE',
  outOfMemory: 'ERR_NATGRAD_NO_MEMORY',
  deviceLost: 'ERR_NATGRAD_DEVICE',
};

function throwIfFailed(name: string, jobs: Job[], reports: Report[], index: number, count: number): void {
  const one = (noun: string) => (count > 1 ? `${noun} ${index}` : `the ${noun}`);
  const stack = jobs.some((job) => job.op === 'inverse' && job.count !== undefined);
  const which = `${name}: ${stack ? `a matrix of ${one('stack')}` : one('matrix')}`;
  reports.forEach((found, i) => {
    if (found.status === 'notConverged') {
      const text = `${which} took ${found.iterations} iterations and has a residual of ${found.residual}; `;
      throw new NatgradError(
        codes.notConverged,
        `${text}allow more with maxIterations, or use method 'eigen'`,
      );
    }
    if (found.status === 'notFinite') {
      throw new NatgradError(codes.notFinite, `${which} or its input holds a NaN or an infinity`);
    }
    if (found.status === 'outOfMemory') {
      throw new NatgradError(codes.outOfMemory, `${which} needs more memory than there is`);
    }
    if (found.status === 'deviceLost') {
      throw new NatgradError(
        codes.deviceLost,
        `${which} was not computed, because the device was lost; start the process anew, or use backend: 'cpu'`,
      );
    }
    if (found.status === 'notPositiveDefinite' || raised(jobs[i], found)) {
      throw new NatgradError(
        codes.notPositiveDefinite,
        `${which} is not positive definite with the damping it was given; use a larger damping, ` +
          `or onFailure: 'report' to take what a larger one gives`,
      );
    }
  });
}

/**
 * Whether the result is not that of the damping asked for. The first retry of float32 is the same in float64; only the later ones
 * change the matrix.
 */
function raised(job: Job, found: Report): boolean {
  if (job.op !== 'inverse' && job.op !== 'inverseRoot') return false;
  return found.retries > (job.matrix instanceof Float32Array ? 1 : 0);
}
