/** The arrays of curvature blocks that stay in the memory of a device, and what the host has of them if the device is lost. */
import type { CurvatureBlock } from '../curvature/block';
import type { DeviceMemory, FloatArray, Kept } from '../linalg/jobs';
import { fill } from './checkpoint';

export class Residence {
  private readonly kept = new Map<FloatArray, Kept>();
  /** The state of every block that has arrays on the device, as it was when it was copied last. */
  private readonly copies = new Map<CurvatureBlock, Record<string, FloatArray>>();

  constructor(private readonly memory: DeviceMemory) {}

  get isEmpty(): boolean {
    return this.kept.size === 0;
  }

  /** Whether the arrays on the device are not those that the blocks list now. */
  isOutdated(blocks: readonly CurvatureBlock[]): boolean {
    const listed = listedBy(blocks);
    return listed.size !== this.kept.size || [...listed.keys()].some((array) => !this.kept.has(array));
  }

  /**
   * Keeps what the blocks list, and nothing else. No submitted work may use any of it.
   *
   * @throws NatgradError ERR_NATGRAD_NO_MEMORY or ERR_NATGRAD_DEVICE
   */
  update(blocks: readonly CurvatureBlock[]): void {
    const listed = listedBy(blocks);
    for (const [array, kept] of this.kept) {
      if (listed.has(array)) continue;
      kept.fetch();
      this.release(array, kept);
    }
    for (const [array, block] of listed) {
      if (this.kept.has(array)) continue;
      if (!this.copies.has(block)) this.copies.set(block, copyOf(block));
      this.kept.set(array, this.memory.keep(array));
    }
  }

  /** Copies the state of the blocks to the host; what the device has stays there. */
  copy(): void {
    for (const kept of this.kept.values()) kept.fetch();
    for (const block of this.copies.keys()) this.copies.set(block, copyOf(block));
  }

  /** Brings everything back to the host, where it may be read and written until the next `update`. */
  recall(): void {
    for (const kept of this.kept.values()) kept.fetch();
    this.forget();
  }

  /** Gives the blocks the state that was copied last, without asking the device. */
  restore(): void {
    for (const [block, copy] of this.copies) fill(block.state(), copy, block.shape.names.join(', '));
    this.forget();
  }

  /** Frees the memory of the device. */
  forget(): void {
    for (const [array, kept] of this.kept) this.release(array, kept);
    this.copies.clear();
  }

  private release(array: FloatArray, kept: Kept): void {
    kept.release();
    this.kept.delete(array);
  }
}

/** What blocks with an inverse list; one without may still write a first one itself. */
function listedBy(blocks: readonly CurvatureBlock[]): Map<FloatArray, CurvatureBlock> {
  const ready = blocks.filter((block) => block.ready);
  return new Map(
    ready.flatMap((block) => (block.resident?.() ?? []).map((array) => [array, block] as const)),
  );
}

function copyOf(block: CurvatureBlock): Record<string, FloatArray> {
  return Object.fromEntries(Object.entries(block.state()).map(([name, values]) => [name, values.slice()]));
}
