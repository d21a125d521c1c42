/**
 * A back end with memory of its own that is not there: jobs run on copies of the arrays that are kept, and what the host has of those is
 * NaN while it is out of date, so that whoever reads it without fetching it shows.
 */
import { NatgradError } from '../../src/errors';
import type { FloatArray, Job, Kept, Kernels, Pending, Report } from '../../src/linalg/jobs';

const lostReport: Report = {
  status: 'deviceLost',
  residual: 0,
  iterations: 0,
  converged: false,
  minEigenvalue: NaN,
  damping: 0,
  retries: 0,
  dot: 0,
};

export class DeviceDouble implements Kernels {
  readonly name = 'cuda';
  readonly copies = new Map<FloatArray, FloatArray>();
  /** How many arrays were brought to the device and back. */
  readonly traffic = { kept: 0, fetched: 0 };
  /** Whether jobs fail and what was kept is gone. */
  lost = false;
  /** How many calls there will be before it is lost. */
  callsLeft = Infinity;
  /** Arrays that still have room. */
  room = Infinity;

  constructor(private readonly inner: Kernels) {}

  readonly memory = {
    keep: (array: FloatArray): Kept => this.keep(array),
    room: () => ({ free: this.room === Infinity ? 2 ** 34 : 2 ** 20, total: 2 ** 34 }),
  };

  /** Counts a call; false if the device is lost. */
  private answers(): boolean {
    if (this.callsLeft-- <= 0) this.lost = true;
    return !this.lost;
  }

  private keep(array: FloatArray): Kept {
    if (!this.answers()) throw lost();
    if (this.room-- <= 0) throw new NatgradError('ERR_NATGRAD_NO_MEMORY', 'the double is full');
    if (this.copies.has(array)) throw new NatgradError('ERR_NATGRAD_BUFFER', 'the array is kept already');
    this.copies.set(array, array.slice());
    array.fill(NaN);
    this.traffic.kept++;
    return {
      fetch: () => {
        if (!this.answers()) throw lost();
        const copy = this.copies.get(array);
        if (!copy) throw new NatgradError('ERR_NATGRAD_STATE', 'fetched after release');
        this.traffic.fetched++;
        array.set(copy);
      },
      release: () => void this.copies.delete(array),
    };
  }

  run(phases: Job[][]): Report[][] {
    if (!this.answers()) return phases.map((jobs) => jobs.map(() => lostReport));
    return this.inner.run(this.onDevice(phases));
  }

  submit(phases: Job[][]): Pending {
    if (this.answers()) return this.inner.submit(this.onDevice(phases));
    const reports = phases.map((jobs) => jobs.map(() => lostReport));
    return { finished: true, wait: () => reports, promise: () => Promise.resolve(reports) };
  }

  firstNonFinite(arrays: FloatArray[]): number {
    return this.inner.firstNonFinite(arrays);
  }

  get threads(): number {
    return this.inner.threads;
  }

  set threads(threads: number) {
    this.inner.threads = threads;
  }

  /** The jobs with the copies in the place of the arrays that are kept, or of parts of them. */
  private onDevice<V>(value: V): V {
    if (Array.isArray(value)) return value.map((item) => this.onDevice(item as unknown)) as V;
    if (value instanceof Float32Array || value instanceof Float64Array) return this.placed(value) as V;
    if (typeof value !== 'object' || value === null || ArrayBuffer.isView(value)) return value;
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, this.onDevice(item)])) as V;
  }

  private placed(array: FloatArray): FloatArray {
    for (const [kept, copy] of this.copies) {
      const begin = (array.byteOffset - kept.byteOffset) / kept.BYTES_PER_ELEMENT;
      if (array.buffer !== kept.buffer || begin < 0 || begin >= Math.max(kept.length, 1)) continue;
      return copy.subarray(begin, begin + array.length);
    }
    return array;
  }
}

function lost(): NatgradError {
  return new NatgradError('ERR_NATGRAD_DEVICE', 'the double is lost');
}
