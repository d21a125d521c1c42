/**
 * Random numbers that depend on (seed, step) alone.
 *
 * Philox4x32-10 of J. Salmon, M. Moraes, R. Dror and D. Shaw, "Parallel random numbers: as easy as 1, 2, 3" (SC 2011): a
 * keyed bijection of a 128-bit counter whose outputs pass BigCrush for every key. The key is the seed, and the counter holds
 * the step, so a checkpoint that knows the step count resumes with exactly the numbers an uninterrupted run would draw.
 */
import { NatgradError } from '../errors';

/** A sequence of random numbers. */
export interface RandomStream {
  /** Next number, uniform on the multiples of 2^-32 in [0, 1). */
  uniform(): number;
  /** Next number, standard normal; its size is at most sqrt(64 ln 2) = 6.66. */
  normal(): number;
}

const MULTIPLIER_0 = 0xd2511f53;
const MULTIPLIER_1 = 0xcd9e8d57;
const WEYL_0 = 0x9e3779b9;
const WEYL_1 = 0xbb67ae85;
const ROUNDS = 10;
const TWO_TO_32 = 2 ** 32;

/** Upper 32 bits of the 64-bit product of two unsigned 32-bit integers. */
function multiplyHigh(a: number, b: number): number {
  const aLow = a & 0xffff;
  const aHigh = a >>> 16;
  const bLow = b & 0xffff;
  const bHigh = b >>> 16;
  const middle = aHigh * bLow + ((aLow * bLow) >>> 16);
  const carry = aLow * bHigh + (middle & 0xffff);
  return (aHigh * bHigh + ((middle / 65536) >>> 0) + ((carry / 65536) >>> 0)) >>> 0;
}

/**
 * Encrypts `counter` (four 32-bit words) with `key` (two) into `out` (four), which may be `counter`.
 * One round is `(c0, c1, c2, c3) -> (hi(M1 c2) ^ c1 ^ k0, lo(M1 c2), hi(M0 c0) ^ c3 ^ k1, lo(M0 c0))`.
 */
export function philox(counter: Uint32Array, key: Uint32Array, out: Uint32Array): void {
  let c0 = counter[0];
  let c1 = counter[1];
  let c2 = counter[2];
  let c3 = counter[3];
  let k0 = key[0];
  let k1 = key[1];
  for (let round = 0; round < ROUNDS; round++) {
    const high0 = multiplyHigh(MULTIPLIER_0, c0);
    const low0 = Math.imul(MULTIPLIER_0, c0) >>> 0;
    const high1 = multiplyHigh(MULTIPLIER_1, c2);
    const low1 = Math.imul(MULTIPLIER_1, c2) >>> 0;
    c0 = (high1 ^ c1 ^ k0) >>> 0;
    c1 = low1;
    c2 = (high0 ^ c3 ^ k1) >>> 0;
    c3 = low0;
    k0 = (k0 + WEYL_0) >>> 0;
    k1 = (k1 + WEYL_1) >>> 0;
  }
  out[0] = c0;
  out[1] = c1;
  out[2] = c2;
  out[3] = c3;
}

class PhiloxStream implements RandomStream {
  private readonly key: Uint32Array;
  private readonly counter: Uint32Array;
  private readonly words = new Uint32Array(4);
  private used = 4;
  private spareNormal: number | null = null;

  constructor(seed: number, step: number) {
    this.key = Uint32Array.of(seed % TWO_TO_32, Math.floor(seed / TWO_TO_32));
    this.counter = Uint32Array.of(0, 0, step % TWO_TO_32, Math.floor(step / TWO_TO_32));
  }

  private word(): number {
    if (this.used === 4) {
      philox(this.counter, this.key, this.words);
      this.counter[0]++;
      if (this.counter[0] === 0) this.counter[1]++;
      this.used = 0;
    }
    return this.words[this.used++];
  }

  uniform(): number {
    return this.word() / TWO_TO_32;
  }

  /** G. Box and M. Muller, "A note on the generation of random normal deviates" (1958); normals come in pairs. */
  normal(): number {
    if (this.spareNormal !== null) {
      const spare = this.spareNormal;
      this.spareNormal = null;
      return spare;
    }
    const radius = Math.sqrt(-2 * Math.log(1 - this.uniform()));
    const angle = 2 * Math.PI * this.uniform();
    this.spareNormal = radius * Math.sin(angle);
    return radius * Math.cos(angle);
  }
}

/**
 * The random numbers of one training step.
 *
 * @param seed integer in [0, 2^53); other seeds give independent streams
 * @param step integer in [0, 2^53), the number of the step; other steps give independent streams
 * @throws NatgradError ERR_NATGRAD_ARGUMENT if either is no such integer
 */
export function randomStream(seed: number, step: number): RandomStream {
  requireCount(seed, 'seed');
  requireCount(step, 'step');
  return new PhiloxStream(seed, step);
}

function requireCount(value: number, argument: string): void {
  if (!Number.isSafeInteger(value) || value < 0) {
    throw new NatgradError(
      'ERR_NATGRAD_ARGUMENT',
      `${argument} is ${value}; give an integer from 0 to 2^53 - 1.`,
    );
  }
}
