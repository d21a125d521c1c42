/** Random choices of structures, the same in every run. */
import { randomStream, type RandomStream } from '../../fisher/random';

/** `count` of the numbers below `size`, all sets equally likely, in the order of the draws. */
export function sampleWithoutReplacement(size: number, count: number, random: RandomStream): number[] {
  const numbers = Array.from({ length: size }, (_, i) => i);
  for (let i = 0; i < count; i++) {
    const other = i + Math.floor(random.uniform() * (size - i));
    [numbers[i], numbers[other]] = [numbers[other], numbers[i]];
  }
  return numbers.slice(0, count);
}

/** The random numbers of a batch's structure; no training step, whose draws of targets have streams of their own, is so late. */
export function structureStream(seed: number, batch: number): RandomStream {
  return randomStream(seed, 2 ** 40 + batch);
}
