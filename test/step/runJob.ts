import type { CombineJob, UpdateJob } from '../../src/linalg/jobs';

/** What the jobs mean, written down from their definitions in `linalg/jobs`; computed in float64, stored in the arrays' own type. */
export function runJob(job: UpdateJob | CombineJob): void {
  if (job.op === 'combine') {
    const { terms, out } = job;
    for (let i = 0; i < out.length; i++)
      out[i] = terms.reduce((sum, { data, scale }) => sum + scale * data[i], 0);
    return;
  }
  const { weights, direction, velocity, momentum, step, shrink } = job;
  for (let i = 0; i < weights.length; i++) {
    const update = (velocity ? momentum * velocity[i] : 0) + step * direction[i];
    if (velocity) velocity[i] = update;
    weights[i] = shrink * weights[i] + update;
  }
}
