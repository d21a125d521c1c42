import type { CombineJob, DotJob, ElementwiseJob, Report, ScaleJob, UpdateJob } from '../jobs';
import { report } from './report';

export function scale(job: ScaleJob): Report {
  let dot = 0;
  for (let i = 0; i < job.out.length; i++) {
    const value = job.input[i] * job.diagonal[i];
    dot += job.input[i] * value;
    job.out[i] = value;
  }
  return report({ dot });
}

/** `v <- momentum v + step d`, `w <- shrink w + v`. */
export function update(job: UpdateJob): Report {
  const { weights, direction, velocity, momentum, step, shrink } = job;
  for (let i = 0; i < weights.length; i++) {
    let change = step * direction[i];
    if (velocity) {
      velocity[i] = momentum === 0 ? change : momentum * velocity[i] + change;
      change = velocity[i];
    }
    weights[i] = shrink * weights[i] + change;
  }
  return report();
}

export function combine(job: CombineJob): Report {
  for (let i = 0; i < job.out.length; i++) {
    let sum = 0;
    for (const term of job.terms) sum += term.scale * term.data[i];
    job.out[i] = sum;
  }
  return report();
}

export function elementwise({ how, left, right, offset, out }: ElementwiseJob): Report {
  let dot = 0;
  for (let i = 0; i < out.length; i++) {
    const value = how === 'multiply' ? left[i] * (right[i] + offset) : left[i] / (right[i] + offset);
    dot += left[i] * value;
    out[i] = value;
  }
  return report({ dot });
}

export function dot({ left, right }: DotJob): Report {
  let sum = 0;
  for (let i = 0; i < left.length; i++) sum += left[i] * right[i];
  return report({ dot: sum });
}
