/**
 * One side, input or output, of an inverse-free Kronecker-factored block: a second moment A with a matrix K such that K K' comes to be its
 * damped inverse, in one of several structures that products keep (Lin, Dangel, Eschenhagen, Neklyudov, Kristiadi, Turner & Makhzani 2024,
 * "Structured Inverse-Free Natural Gradient").
 */
import type { FloatArray, Job } from '../../linalg/jobs';
import type { Activation, AverageStep, RowsOrPatches } from '../block';
import { allocate, type Precision } from '../shared/factor';
import { combineJob, multiplyJob } from '../shared/elementwiseJobs';
import { kroneckerJob, type Operand } from '../shared/kroneckerJob';
import { copyJob } from '../shared/layerMatrix';
import { product } from '../shared/productJob';
import { rowMatrix } from '../shared/rowMatrix';
import { byWeight } from '../shared/rowWeights';
import { BlockStack } from './blockStack';

export type SideStructure = 'dense' | 'diagonal' | 'blockDiagonal' | 'triangular';

/** K, its momentum m, and K K'. */
interface Inverse {
  root: FloatArray;
  momentum: FloatArray;
  product: FloatArray;
}

export class SingdSide {
  readonly moment: FloatArray;
  current: Inverse;
  upcoming: Inverse;
  /** K K' as `form` says. */
  private expanded: FloatArray | null;

  private readonly blocks: BlockStack;
  private readonly identity: FloatArray;
  /** What the projection onto the structure multiplies elements with; null where all are kept. */
  private readonly weights: FloatArray | null;
  private readonly ones: FloatArray;
  private readonly work: FloatArray;
  private readonly change: FloatArray;
  private readonly gram: FloatArray;
  /** tr(K' A K), tr(K' K), and the step of K; one element each. */
  private readonly momentTrace: FloatArray;
  private readonly gramTrace: FloatArray;
  private readonly step: FloatArray;

  constructor(
    readonly size: number,
    readonly structure: SideStructure,
    blockSize: number,
    private readonly homogeneous: boolean,
    private readonly precision: Precision,
  ) {
    const sizes = { dense: size, triangular: size, diagonal: 1, blockDiagonal: blockSize };
    this.blocks = new BlockStack(size, sizes[structure]);
    const array = (elements = this.blocks.length) => allocate(precision, elements);
    this.moment = array();
    this.identity = this.blocks.addIdentity(array());
    const inverse = (): Inverse => ({
      root: this.identity.slice(),
      momentum: array(),
      product: this.identity.slice(),
    });
    this.current = inverse();
    this.upcoming = inverse();
    this.weights = structure === 'triangular' ? triangularWeights(array(), size) : null;
    this.expanded = structure === 'blockDiagonal' ? this.whole(this.identity) : null;
    this.ones = array(size).fill(1);
    this.work = array();
    this.change = array();
    this.gram = array();
    [this.momentTrace, this.gramTrace, this.step] = [array(1), array(1), array(1)];
    this.fillHomogeneous();
  }

  /** Jobs for `A = decay A + scale sum_r w_r x_r x_r'`, as much of it as the structure looks at. */
  updateJobs(inputs: Activation[], { decay, scale }: AverageStep): Job[] {
    const { structure, homogeneous, moment, size, precision } = this;
    const parts = inputs.flatMap(byWeight);
    if (structure === 'dense' || structure === 'triangular') {
      const rows = parts.map(({ rows: input, weight }) => ({
        ...(input as RowsOrPatches),
        scale: scale * weight,
      }));
      return [{ op: 'factor', inputs: rows, homogeneous, decay, factor: moment, size }];
    }
    if (structure === 'diagonal') {
      const rows = parts.map(({ rows: input, weight }) => ({
        ...('indices' in input ? input : rowMatrix(input, false, precision)),
        scale: scale * weight,
      }));
      const factor = homogeneous ? moment.subarray(0, size - 1) : moment;
      return [{ op: 'diagonalFactor', inputs: rows, decay, factor }];
    }
    const all = parts.map(({ rows: input, weight }) => ({
      ...rowMatrix(input as RowsOrPatches, homogeneous, precision),
      root: Math.sqrt(weight),
    }));
    const rows = all.reduce((sum, part) => sum + part.rows, 0);
    return this.blocks.groups.map((group): Job => {
      const { size: width, count, firstRow } = group;
      const stack = allocate(precision, count * rows * width);
      let row = 0;
      for (const { data, rows: own, columns, root } of all) {
        for (let r = 0; r < own; r++, row++) {
          for (let k = 0; k < count; k++) {
            const from = r * columns + firstRow + k * width;
            const to = (k * rows + row) * width;
            for (let i = 0; i < width; i++) stack[to + i] = root * data[from + i];
          }
        }
      }
      const out = this.blocks.part(moment, group);
      return product([width, rows, width], stack, stack, out, {
        scale,
        keep: decay,
        count,
        transposeLeft: true,
      });
    });
  }

  /** B = A K, in `work`, and K' K. */
  firstJobs(): Job[] {
    const { current, moment, size, work, gram } = this;
    const [lower, ones] = [
      { matrix: moment, size, form: 'lower' },
      { matrix: this.ones, size, form: 'diagonal' },
    ] as const;
    const multiplied = this.blocks.isWhole
      ? [kroneckerJob(lower, ones, [current.root], [work])]
      : this.blocks.productJobs(moment, current.root, work);
    return [
      ...multiplied,
      ...this.blocks.productJobs(current.root, current.root, gram, { transposeLeft: true }),
    ];
  }

  /** H = K' A K, in `change`, and the traces tr H = <K, A K> and tr K' K = <K, K>. */
  secondJobs(): Job[] {
    const { current, work, change } = this;
    const length = work.length;
    return [
      ...this.blocks.productJobs(current.root, work, change, { transposeLeft: true }),
      product([1, length, 1], current.root, work, this.momentTrace),
      product([1, length, 1], current.root, current.root, this.gramTrace),
    ];
  }

  /** c (H + lambda K' K - I), in `change`. */
  kfacLikeJobs(c: number, lambda: number): Job[][] {
    const { change, gram, identity } = this;
    return [
      [
        combineJob(
          [
            [c, change],
            [c * lambda, gram],
            [-c, identity],
          ],
          change,
        ),
      ],
    ];
  }

  /** c (H tr(H_partner) / d + lambda K' K tr(C' C) / d - I), in `change`, with d the size of the partner and C its K. */
  jointJobs(c: number, lambda: number, partner: SingdSide): Job[][] {
    const { change, gram, identity, work } = this;
    const share = c / partner.size;
    const shape: [number, number, number] = [work.length, 1, 1];
    return [
      [product(shape, change, partner.momentTrace, work, { scale: share })],
      [product(shape, gram, partner.gramTrace, work, { scale: share * lambda, keep: 1 })],
      [
        combineJob(
          [
            [1, work],
            [-c, identity],
          ],
          change,
        ),
      ],
    ];
  }

  /** Projects `change` onto the structure. */
  projectJobs(): Job[] {
    const { change, weights } = this;
    return weights ? [multiplyJob(change, weights, change)] : [];
  }

  /** m <- decay m + change. */
  momentumJobs(decay: number): Job[] {
    const { current, upcoming, change } = this;
    return [
      combineJob(
        [
          [decay, current.momentum],
          [1, change],
        ],
        upcoming.momentum,
      ),
    ];
  }

  /** The step of K: `rate`, less where an element of m is larger than 1 if normalised. */
  setStep(rate: number, normalize: boolean): void {
    let largest = 1;
    if (normalize) for (const value of this.upcoming.momentum) largest = Math.max(largest, Math.abs(value));
    this.step[0] = rate / largest;
  }

  /** K <- K - step K m, and K K'. */
  rootJobs(): Job[][] {
    const { current, upcoming, work, step } = this;
    return [
      [
        copyJob(current.root, upcoming.root),
        ...this.blocks.productJobs(current.root, upcoming.momentum, work),
      ],
      [product([work.length, 1, 1], work, step, upcoming.root, { scale: -1, keep: 1 })],
      this.blocks.productJobs(upcoming.root, upcoming.root, upcoming.product, { transposeRight: true }),
    ];
  }

  /** Whether what was computed is finite: the product is not unless all of it is. */
  get isFinite(): boolean {
    return this.upcoming.product.every(Number.isFinite);
  }

  install(): void {
    [this.current, this.upcoming] = [this.upcoming, this.current];
    if (this.expanded) this.blocks.expand(this.current.product, this.expanded);
  }

  restart(): void {
    this.moment.fill(0);
    this.fillHomogeneous();
  }

  /** The moment of the appended 1, which a diagonal keeps as it is set. */
  private fillHomogeneous(): void {
    if (this.structure === 'diagonal' && this.homogeneous) this.moment[this.size - 1] = 1;
  }

  /** K K' or the moment, for jobs that multiply by them. */
  operand(which: 'inverse' | 'moment'): Operand {
    const { size, moment, current } = this;
    switch (this.structure) {
      case 'diagonal':
        return { matrix: which === 'moment' ? moment : current.product, size, form: 'diagonal' };
      case 'blockDiagonal':
        return { matrix: which === 'moment' ? this.whole(moment) : this.expanded!, size, form: 'full' };
      default:
        return which === 'moment'
          ? { matrix: moment, size, form: 'lower' }
          : { matrix: current.product, size, form: 'full' };
    }
  }

  /** Element (i, j) of the moment, zero where the structure does not look. */
  at(i: number, j: number): number {
    const place = this.blocks.placeOf(Math.max(i, j), Math.min(i, j));
    return place === undefined ? 0 : this.moment[place];
  }

  /** The blocks of an array as a matrix. */
  private whole(array: FloatArray): FloatArray {
    return this.blocks.expand(array, allocate(this.precision, this.size ** 2));
  }

  /** Arrays for a checkpoint, by name. */
  state(name: string): Record<string, FloatArray> {
    const { root, momentum, product: square } = this.current;
    return {
      [`moment${name}`]: this.moment,
      [`root${name}`]: root,
      [`momentum${name}`]: momentum,
      [`inverse${name}`]: this.expanded ?? square,
    };
  }

  upcomingState(name: string): Record<string, FloatArray> {
    const { root, momentum, product: square } = this.upcoming;
    return {
      [`upcomingRoot${name}`]: root,
      [`upcomingMomentum${name}`]: momentum,
      [`upcomingInverse${name}`]: square,
    };
  }

  get bytes(): number {
    const { moment, identity, weights, ones, expanded } = this;
    const length = moment.byteLength * 10 + identity.byteLength;
    return length + ones.byteLength + (weights?.byteLength ?? 0) + (expanded?.byteLength ?? 0);
  }

  /** e.g. '785 x 785', 'triangular 785 x 785', 'diagonal 785' or '26 of 30 x 30, 5 x 5'. */
  get dimensions(): string {
    switch (this.structure) {
      case 'diagonal':
        return `diagonal ${this.size}`;
      case 'blockDiagonal':
        return this.blocks.dimensions;
      default:
        return `${this.structure === 'triangular' ? 'triangular ' : ''}${this.size} x ${this.size}`;
    }
  }
}

/**
 * The projection onto lower triangular matrices: K (I - m) changes K K' by -K (m + m') K' to first order, so that a triangular m does
 * what the symmetric one would with its elements below the diagonal doubled.
 */
function triangularWeights(weights: FloatArray, size: number): FloatArray {
  for (let i = 0; i < size; i++) {
    for (let j = 0; j <= i; j++) weights[i * size + j] = i === j ? 1 : 2;
  }
  return weights;
}
