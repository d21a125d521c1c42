import type { FloatArray } from '../../linalg/jobs';
import { allocate, type Precision } from './factor';

/** Arrays for intermediate results, kept from one use to the next of the same length. */
export class Scratch {
  private readonly held = new Map<string, FloatArray>();

  constructor(private readonly precision: Precision) {}

  /** An array whose contents are unspecified; the same one for the same name, as long as its length does not change. */
  array(name: string, length: number): FloatArray {
    let array = this.held.get(name);
    if (array?.length !== length) this.held.set(name, (array = allocate(this.precision, length)));
    return array;
  }

  /** An array of ones. */
  ones(length: number): FloatArray {
    const name = 'ones';
    let array = this.held.get(name);
    if (!array || array.length < length)
      this.held.set(name, (array = allocate(this.precision, length).fill(1)));
    return array.subarray(0, length);
  }
}
