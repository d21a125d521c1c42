import { maxLength, maxMatrixSize, type Fields } from './fields';

export function checkInverse(job: Fields): void {
  const size = job.matrixSize('size');
  const count = job.stackCount('count');
  job.array('matrix', [count, size, size], 'read');
  checkDamped(job);
  if (count !== 1 && job.has('partner')) {
    job.complain('ERR_NATGRAD_ARGUMENT', `.partner goes with one matrix, but count is ${count}`);
  }
  if (job.has('start')) {
    if (count !== 1) {
      job.complain('ERR_NATGRAD_ARGUMENT', `.start goes with one matrix, but count is ${count}`);
    }
    job.array('start', [size, size], 'read');
  }
  job.array('out', [count, size, size], 'write');
}

export function checkDiagonalInverse(job: Fields): void {
  const size = job.array('diagonal', undefined, 'read');
  checkDamped(job);
  job.array('out', [size], 'write');
}

export function checkInverseRoot(job: Fields): void {
  const size = job.matrixSize('size');
  job.array('matrix', [size, size], 'read');
  checkDamped(job);
  job.oneOf('p', [1, 2, 4], '1, 2 or 4');
  job.choice('method', [
    'auto',
    'denmanBeavers',
    'eigen',
    'newtonSchulzMinimax',
    'newtonSchulz',
    'coupledNewton',
    'contour',
  ]);
  job.nonNegative('tolerance');
  job.integer('maxIterations');
  job.array('out', [size, size], 'write');
}

export function checkEigh(job: Fields): void {
  const size = job.matrixSize('size');
  job.array('matrix', [size, size], 'read');
  job.array('values', [size], 'write');
  job.array('vectors', [size, size], 'write');
}

function checkDamped(job: Fields): void {
  job.nonNegative('damping');
  const relative = job.optionalFlag('relative');
  if (!job.has('partner')) return;
  if (relative) job.complain('ERR_NATGRAD_ARGUMENT', '.partner has no meaning for relative damping');
  const partner = job.part('partner');
  const diagonal = partner.optionalFlag('diagonal');
  const size = partner.integer('size', 1, diagonal ? maxLength : maxMatrixSize);
  partner.array('matrix', diagonal ? [size] : [size, size], 'read');
}
