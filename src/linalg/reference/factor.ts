import type { DiagonalFactorJob, FactorJob, Report } from '../jobs';
import { allFinite } from './dense';
import { failure, report } from './report';
import { explicitRows } from './rows';

/**
 * Second moments of rows: `F <- decay F + sum over inputs of scale X'X` (Martens & Grosse 2015, section 5; for convolutions the patches
 * of Grosse & Martens 2016, section 3).
 */
export function factor(job: FactorJob): Report {
  if (job.inputs.some((input) => !allFinite(input.data))) return failure('notFinite');
  const { size } = job;
  const sum = new Float64Array(size * size);
  for (const input of job.inputs) {
    const { values, rows, columns } = explicitRows(input);
    const row = new Float64Array(size);
    if (job.homogeneous) row[size - 1] = 1;
    for (let r = 0; r < rows; r++) {
      for (let i = 0; i < columns; i++) row[i] = values[r * columns + i];
      for (let i = 0; i < size; i++) {
        const weight = input.scale * row[i];
        for (let j = 0; j <= i; j++) sum[i * size + j] += weight * row[j];
      }
    }
  }
  for (let i = 0; i < size; i++) {
    for (let j = 0; j <= i; j++) {
      const old = job.decay === 0 ? 0 : job.decay * job.factor[i * size + j];
      job.factor[i * size + j] = old + sum[i * size + j];
    }
  }
  return report();
}

/** The diagonal of the same; of one-hot rows, given as indices, it is the count of each index. */
export function diagonalFactor(job: DiagonalFactorJob): Report {
  if (job.inputs.some((input) => 'data' in input && !allFinite(input.data))) return failure('notFinite');
  const size = job.factor.length;
  const sum = new Float64Array(size);
  for (const input of job.inputs) {
    if ('indices' in input) {
      for (const index of input.indices) sum[index] += input.scale;
    } else {
      for (let i = 0; i < input.data.length; i++) sum[i % size] += input.scale * input.data[i] ** 2;
    }
  }
  for (let i = 0; i < size; i++) {
    job.factor[i] = (job.decay === 0 ? 0 : job.decay * job.factor[i]) + sum[i];
  }
  return report();
}
