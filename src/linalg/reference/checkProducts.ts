import { maxLength, maxMatrixSize, type Fields } from './fields';

export function checkKronecker(job: Fields): void {
  const [rows, columns] = (['left', 'right'] as const).map((side) => {
    const form = job.choice(`${side}Form`, ['full', 'lower', 'diagonal']);
    const diagonal = form === 'diagonal';
    const size = job.integer(`${side}Size`, 0, diagonal ? maxLength : maxMatrixSize);
    job.array(side, diagonal ? [size] : [size, size], 'read');
    if (job.optionalFlag(`${side}Transposed`) && form !== 'full') {
      job.complain(
        'ERR_NATGRAD_ARGUMENT',
        `.${side}Transposed goes with a full matrix, but ${side}Form is '${form}'`,
      );
    }
    return size;
  });
  const split = job.has('inputLast');
  if (split !== job.has('outLast')) {
    job.complain('ERR_NATGRAD_ARGUMENT', '.outLast must be given exactly when inputLast is');
  }
  if (split && rows === 0) {
    job.complain('ERR_NATGRAD_SHAPE', '.inputLast is a row of V, but leftSize is 0');
  }
  const together = rows - Number(split);
  job.array('input', [together, columns], 'read');
  job.array('out', [together, columns], 'write');
  if (split) {
    job.array('inputLast', [columns], 'read');
    job.array('outLast', [columns], 'write');
  }
}

export function checkProduct(job: Fields): void {
  const [rows, inner, columns] = ['rows', 'inner', 'columns'].map((name) => job.integer(name));
  job.optionalFlag('transposeLeft');
  job.optionalFlag('transposeRight');
  const count = job.stackCount('count');
  job.number('scale');
  job.number('keep');
  const split = job.has('outLast');
  if (split && (rows === 0 || count !== 1)) {
    job.complain('ERR_NATGRAD_SHAPE', '.outLast goes with a single product of at least one row');
  }
  job.array('left', [count, rows, inner], 'read');
  job.array('right', [count, inner, columns], 'read');
  job.array('out', [count, rows - Number(split), columns], 'write');
  if (split) job.array('outLast', [columns], 'write');
}

export function checkScale(job: Fields): void {
  const size = job.array('diagonal', undefined, 'read');
  job.array('input', [size], 'read');
  job.array('out', [size], 'write');
}

export function checkElementwise(job: Fields): void {
  job.choice('how', ['multiply', 'divide']);
  const size = job.array('left', undefined, 'inPlace');
  job.array('right', [size], 'inPlace');
  job.number('offset');
  job.array('out', [size], 'write');
}

export function checkDot(job: Fields): void {
  const size = job.array('left', undefined, 'read');
  job.array('right', [size], 'read');
}

export function checkUpdate(job: Fields): void {
  const size = job.array('weights', undefined, 'write');
  job.array('direction', [size], 'read');
  if (job.has('velocity')) job.array('velocity', [size], 'write');
  for (const name of ['momentum', 'step', 'shrink']) job.number(name);
}

export function checkCombine(job: Fields): void {
  const size = job.array('out', undefined, 'write');
  for (const term of job.parts('terms')) {
    term.array('data', [size], 'inPlace');
    term.number('scale');
  }
}
