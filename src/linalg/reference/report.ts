import type { Report, Status } from '../jobs';

/** A report of success, with what is given in `facts`. */
export function report(facts: Partial<Report> = {}): Report {
  return {
    status: 'ok',
    residual: 0,
    iterations: 0,
    converged: true,
    minEigenvalue: NaN,
    damping: 0,
    retries: 0,
    dot: 0,
    ...facts,
  };
}

export function failure(status: Status, facts: Partial<Report> = {}): Report {
  return report({ status, converged: false, ...facts });
}
