import type { Fields } from './fields';
import { rationalVersions } from './rational';

/** A polynomial of a rational activation has a degree of at most 16. */
const maxCoefficients = 17;

export function checkRationalFactor(job: Fields): void {
  job.choice('version', rationalVersions);
  const groups = job.integer('groups', 1);
  const inner = job.integer('inner', 1);
  const numeratorSize = job.integer('numeratorSize', 1, maxCoefficients);
  const denominatorSize = job.integer('denominatorSize', 1, maxCoefficients);
  const size = numeratorSize + denominatorSize;
  const examples = job.integer('examples', 1);
  job.number('decay');
  job.number('scale');
  job.array('factors', [groups, size, size], 'write');
  for (const input of job.parts('inputs')) {
    const length = input.array('activation', undefined, 'read');
    const rows = length / (groups * inner);
    if (rows % examples !== 0) {
      input.complain(
        'ERR_NATGRAD_SHAPE',
        `.activation has ${length} elements, which are not so many of groups times inner for each of ${examples} examples`,
      );
    }
    input.array('gradient', [length], 'read');
    input.array('numerator', [groups, numeratorSize], 'read');
    input.array('denominator', [groups, denominatorSize], 'read');
    if (input.has('noise')) input.array('noise', [groups, size], 'read');
  }
}
