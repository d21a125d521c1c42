/** The arrays of curvature blocks that stay in the memory of a device, and what the host has of them if the device is lost. */
import type { CurvatureBlock } from '../curvature/block';
import type { DeviceMemory, FloatArray, Job, Kept } from '../linalg/jobs';
import { fill } from './checkpoint';

type State = Record<string, FloatArray>;

export class Residence {
  private readonly kept = new Map<FloatArray, Kept>();
  /** The state of every block that has arrays on the device, as it was when it was copied last. */
  private copies = new Map<CurvatureBlock, State>();
  /** Where the next copy is written, so that a device that is lost meanwhile leaves the last one whole. */
  private nextCopies = new Map<CurvatureBlock, State>();

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

  /**
   * The jobs that copy the state of the blocks to the host, block by block; what the device has stays there. They may run while other jobs
   * read the state. No submitted work may write it before they are submitted, and none of it counts before `accept`, which is to be called
   * when all of them are done.
   */
  copyJobs(): { jobs: Job[][]; accept: () => void } {
    const { copies, nextCopies } = this;
    const jobs = [...copies.keys()].map((block) => {
      const state = block.state();
      const next = roomFor(state, nextCopies.get(block));
      nextCopies.set(block, next);
      return Object.entries(state).flatMap(([name, values]) => {
        if (this.kept.has(values)) return [copy(values, next[name])];
        next[name].set(values);
        return [];
      });
    });
    const accept = () => void ([this.copies, this.nextCopies] = [nextCopies, copies]);
    return { jobs, accept };
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
    this.nextCopies.clear();
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

function copyOf(block: CurvatureBlock): State {
  return Object.fromEntries(Object.entries(block.state()).map(([name, values]) => [name, values.slice()]));
}

/** Arrays as large as those of `state`: those of `used` where they are. */
function roomFor(state: State, used: State = {}): State {
  return Object.fromEntries(
    Object.entries(state).map(([name, values]) => {
      return [name, used[name]?.length === values.length ? used[name] : values.slice()];
    }),
  );
}

function copy(from: FloatArray, out: FloatArray): Job {
  return { op: 'combine', terms: [{ data: from, scale: 1 }], out };
}
