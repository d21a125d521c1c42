import { variableSizes, type CurvatureBlock } from '../curvature/block';

/** Multiplications that a refresh must have for every byte that a step brings to the device or back. */
const WORK_PER_BYTE = 25;
/** Multiplications that a refresh must have at least. */
const LEAST_WORK = 1e9;

/**
 * Whether a device is worth its transfers for these blocks: by the work of a refresh, n^3 for every n by n matrix that may stay on the
 * device, spread over the steps until the next, against the bytes of gradient and direction that every step moves.
 *
 *     sum n^3 / refreshPeriod >= 25 * 8 bytes per parameter,    sum n^3 >= 10^9
 *
 * The two constants are estimates from data sheets, with room to spare, and no measurement: this has never run on a GPU. With a refresh in
 * every tenth step, layers have to be about 700 units wide.
 */
export function worthADevice(blocks: readonly CurvatureBlock[], refreshPeriod: number): boolean {
  let [work, parameters] = [0, 0];
  for (const block of blocks) {
    for (const { length } of block.resident?.() ?? []) work += length ** 1.5;
    parameters += variableSizes(block.shape).reduce((sum, size) => sum + size, 0);
  }
  return work >= LEAST_WORK && work / refreshPeriod >= WORK_PER_BYTE * 8 * parameters;
}

/** How many bytes these blocks would keep on a device. */
export function residentBytes(blocks: readonly CurvatureBlock[]): number {
  const arrays = blocks.flatMap((block) => block.resident?.() ?? []);
  return arrays.reduce((sum, { byteLength }) => sum + byteLength, 0);
}
