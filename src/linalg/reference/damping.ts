import type { Damped, FloatArray } from '../jobs';
import { trace } from './dense';

/**
 * The damping of one matrix. With a partner, its share of the factored Tikhonov damping of a Kronecker pair (Martens & Grosse 2015,
 * section 6.3): `pi sqrt(damping)`, `pi = sqrt((tr M / size M) / (tr P / size P))`, and pi = 1 where a trace is not a positive number.
 * Relative damping is `damping tr M / size`, and `damping` itself for such a trace.
 */
export function dampingOf(job: Damped, matrixTrace: number, size: number): number {
  const usable = (value: number) => value > 0 && value < Infinity;
  if (job.relative) return job.damping * (usable(matrixTrace) ? matrixTrace / size : 1);
  if (!job.partner) return job.damping;
  const { matrix, size: partnerSize, diagonal } = job.partner;
  const partnerTrace = diagonal ? sum(matrix) : trace(matrix, partnerSize);
  const root = Math.sqrt(job.damping);
  if (!usable(matrixTrace) || !usable(partnerTrace)) return root;
  return root * Math.sqrt(matrixTrace / size / (partnerTrace / partnerSize));
}

export function sum(values: FloatArray): number {
  let total = 0;
  for (const value of values) total += value;
  return total;
}
