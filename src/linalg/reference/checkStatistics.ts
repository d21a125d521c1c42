import { maxLength, type Fields } from './fields';

export function checkFactor(job: Fields): void {
  const homogeneous = job.flag('homogeneous');
  job.number('decay');
  const size = job.matrixSize('size');
  job.array('factor', [size, size], 'write');
  for (const input of job.parts('inputs')) {
    input.number('scale');
    checkSize(input, checkRows(input).columns, homogeneous, size);
  }
}

export function checkUnitFactors(job: Fields): void {
  const homogeneous = job.flag('homogeneous');
  job.number('decay');
  const size = job.matrixSize('size');
  const count = job.integer('count');
  job.array('factors', [count, size, size], 'write');
  for (const input of job.parts('inputs')) {
    input.number('scale');
    const { rows, columns } = checkRows(input);
    checkSize(input, columns, homogeneous, size);
    input.array('gradients', [rows, count], 'read');
  }
}

export function checkDiagonalFactor(job: Fields): void {
  job.number('decay');
  const size = job.array('factor', undefined, 'write');
  for (const input of job.parts('inputs')) {
    input.number('scale');
    if (input.has('indices')) {
      checkIndices(input, size);
      continue;
    }
    const rows = input.integer('rows');
    const columns = input.integer('columns');
    if (columns !== size) {
      input.complain('ERR_NATGRAD_SHAPE', ` has ${columns} columns, but the factor has ${size} elements`);
    }
    input.array('data', [rows, columns], 'read');
  }
}

export function checkScores(job: Fields): void {
  const { examples, size, outputs } = checkScored(job);
  job.number('keep');
  job.array('out', [examples, size, outputs], 'write');
}

export function checkLowRankScores(job: Fields): void {
  const { examples, size, outputs } = checkScored(job);
  const rank = job.integer('rank');
  if (rank > Math.min(size, outputs)) {
    job.complain(
      'ERR_NATGRAD_ARGUMENT',
      `.rank is ${rank}, more than a score of ${size} by ${outputs} can have`,
    );
  }
  job.array('left', [examples, rank, size], 'write');
  job.array('right', [examples, rank, outputs], 'write');
}

/** What the jobs that make scores have in common: how many there are, and of how many rows and columns. */
function checkScored(job: Fields): { examples: number; size: number; outputs: number } {
  const homogeneous = job.flag('homogeneous');
  const examples = job.integer('examples');
  job.number('scale');
  const activation = job.part('activation');
  const { rows, columns } = checkRows(activation);
  const gradient = job.part('outputGradient');
  const gradientRows = gradient.integer('rows');
  const outputs = gradient.integer('columns');
  gradient.array('data', [gradientRows, outputs], 'read');
  if (gradientRows !== rows) {
    gradient.complain('ERR_NATGRAD_SHAPE', ` has ${gradientRows} rows, but ${activation.path} has ${rows}`);
  }
  if (examples === 0 ? rows !== 0 : rows % examples !== 0) {
    activation.complain(
      'ERR_NATGRAD_SHAPE',
      ` has ${rows} rows, which ${examples} examples cannot share evenly`,
    );
  }
  return { examples, size: columns + Number(homogeneous), outputs };
}

/** Rows, dense or the patches of images, and how many they are. */
function checkRows(input: Fields): { rows: number; columns: number } {
  if (input.has('geometry')) {
    const { image, patch, patches } = checkGeometry(input);
    input.array('data', [image], 'read');
    return { rows: patches, columns: patch };
  }
  const rows = input.integer('rows');
  const columns = input.integer('columns');
  input.array('data', [rows, columns], 'read');
  return { rows, columns };
}

function checkSize(input: Fields, columns: number, homogeneous: boolean, size: number): void {
  if (columns + Number(homogeneous) === size) return;
  const appended = homogeneous ? ' and a 1 appended' : '';
  input.complain('ERR_NATGRAD_SHAPE', ` has ${columns} columns${appended}, but the job's size is ${size}`);
}

function checkIndices(input: Fields, size: number): void {
  const indices = input.indices('indices');
  const bad = indices.findIndex((index) => index < 0 || index >= size);
  if (bad < 0) return;
  input.complain(
    'ERR_NATGRAD_ARGUMENT',
    `.indices[${bad}] is ${indices[bad]}, which is not in the range of the ${size} elements of the factor`,
  );
}

/** Elements of the image and of one patch, and how many patches there are. */
function checkGeometry(input: Fields): { image: number; patch: number; patches: number } {
  const geometry = input.part('geometry');
  const batch = geometry.integer('batch');
  const channels = geometry.integer('channels', 1);
  let image = batch * channels;
  let patch = channels;
  let patches = batch;
  for (const [axis, before] of [
    ['Height', 'padTop'],
    ['Width', 'padLeft'],
  ]) {
    const inSize = geometry.integer(`in${axis}`, 1);
    const kernel = geometry.integer(`kernel${axis}`, 1);
    const stride = geometry.integer(`stride${axis}`, 1);
    const dilation = geometry.integer(`dilation${axis}`, 1);
    const pad = geometry.integer(before);
    const outSize = geometry.integer(`out${axis}`, 1);
    const extent = (kernel - 1) * dilation + 1;
    // What pads the far side is not told; a whole input's length of it is taken for a mistake.
    if ((outSize - 1) * stride - pad >= 2 * inSize + extent) {
      geometry.complain(
        'ERR_NATGRAD_SHAPE',
        `.out${axis} is ${outSize}, which puts patches far beyond the input; use conv2dGeometry`,
      );
    }
    image *= inSize;
    patch *= kernel;
    patches *= outSize;
  }
  if (patches > maxLength || patch > maxLength || image > Number.MAX_SAFE_INTEGER) {
    input.complain(
      'ERR_NATGRAD_SHAPE',
      `.geometry describes more than ${maxLength} patches or elements of a patch`,
    );
  }
  return { image, patch, patches };
}
