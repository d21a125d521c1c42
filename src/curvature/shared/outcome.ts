import type { Report } from '../../linalg/jobs';
import { least, type RefreshOutcome } from '../block';

/** What a refresh came to whose jobs each compute something of one matrix. */
export function outcomeOf(reports: Report[]): RefreshOutcome {
  return {
    failures: reports.filter(({ status }) => status !== 'ok').length,
    retries: reports.filter(({ retries }) => retries > 0).length,
    minEigenvalue: reports.reduce((minimum, report) => least(minimum, report.minEigenvalue), NaN),
    overflowed: reports.some(({ status }) => status === 'notFinite'),
  };
}
