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

const statuses: Status[] = ['ok', 'notConverged', 'notPositiveDefinite', 'notFinite', 'outOfMemory'];

/** The one report of a stack: of every field the worst value. */
export function worstOf(reports: Report[]): Report {
  return reports.reduce(
    (a, b) => ({
      status: statuses.indexOf(b.status) > statuses.indexOf(a.status) ? b.status : a.status,
      residual: Math.max(a.residual, b.residual),
      iterations: Math.max(a.iterations, b.iterations),
      converged: a.converged && b.converged,
      minEigenvalue: Number.isNaN(a.minEigenvalue)
        ? b.minEigenvalue
        : Number.isNaN(b.minEigenvalue)
          ? a.minEigenvalue
          : Math.min(a.minEigenvalue, b.minEigenvalue),
      damping: Math.max(a.damping, b.damping),
      retries: Math.max(a.retries, b.retries),
      dot: 0,
    }),
    report(),
  );
}

export function failure(status: Status, facts: Partial<Report> = {}): Report {
  return report({ status, converged: false, ...facts });
}
