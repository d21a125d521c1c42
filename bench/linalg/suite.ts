import type { Section } from '../figures';
import type { Effort } from '../interleave';
import type { Peer } from '../peer';

/** What every suite of the linear algebra gets. */
export interface Suite {
  /** Matrix sizes to keep to; undefined: the suite's own. */
  sizes?: number[];
  quick: boolean;
  effort: Effort;
  /** Peak, BLAS and LAPACK; without it, those comparisons are left out. */
  lapack?: Peer;
  /** numpy, scipy and torch. */
  python?: Peer;
}

export type Measure = (suite: Suite) => Promise<Section>;

/** The sizes a suite runs at: those asked for that it takes, else its own, of which a quick run takes every other one. */
export function sizesOf(suite: Suite, own: number[], takes = (_size: number): boolean => true): number[] {
  if (suite.sizes) return suite.sizes.filter(takes);
  return suite.quick ? own.filter((_, i) => i % 2 === 0) : own;
}
