import { NatgradError } from '../../errors';

/** A range of memory that a job reads or writes. */
export interface Access {
  buffer: ArrayBufferLike;
  begin: number;
  end: number;
  write: boolean;
  /** Whether it may coincide with what its own job writes. */
  inPlace: boolean;
  job: number;
  path: string;
}

/** What a job writes no other job of its phase may read or write, and the job itself may read only what may be worked on in place. */
export function checkOverlaps(accesses: Access[]): void {
  for (const written of accesses) {
    if (!written.write) continue;
    for (const other of accesses) {
      if (other === written || other.buffer !== written.buffer) continue;
      if (other.begin >= written.end || other.end <= written.begin) continue;
      const same = other.begin === written.begin && other.end === written.end;
      if (same && other.inPlace && other.job === written.job) continue;
      throw new NatgradError(
        'ERR_NATGRAD_BUFFER',
        `${written.path} is written and overlaps ${other.path}; use separate memory or separate phases`,
      );
    }
  }
}
