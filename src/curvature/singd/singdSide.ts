/**
 * One side, input or output, of an inverse-free Kronecker-factored block: a second moment A with a matrix K such that K K' comes to be its
 * damped inverse, in one of several structures that products keep (Lin, Dangel, Eschenhagen, Neklyudov, Kristiadi, Turner & Makhzani 2024,
 * "Structured Inverse-Free Natural Gradient").
 */
import type { FloatArray, Job } from '../../linalg/jobs';
import type { Activation, AverageStep, RowsOrPatches } from '../block';
import { allocate, type Precision } from '../shared/factor';
import type { Operand } from '../shared/kroneckerJob';
import { product } from '../shared/productJob';
import { rowMatrix } from '../shared/rowMatrix';

export type SideStructure = 'dense' | 'diagonal' | 'blockDiagonal' | 'triangular';

/** Blocks of the same size along the diagonal, one after the other in memory. */
interface Group {
  /** Place of its first element in the arrays, and of its first row in the matrix. */
  begin: number;
  firstRow: number;
  size: number;
  count: number;
}

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

  private readonly groups: Group[];
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
    this.groups = groupsOf(
      size,
      structure === 'diagonal' ? 1 : structure === 'blockDiagonal' ? blockSize : size,
    );
    const length = this.groups.reduce((sum, group) => sum + group.count * group.size ** 2, 0);
    const array = (elements = length) => allocate(precision, elements);
    this.moment = array();
    this.identity = array();
    this.eachDiagonal((at) => (this.identity[at] = 1));
    const inverse = (): Inverse => ({
      root: this.identity.slice(),
      momentum: array(),
      product: this.identity.slice(),
    });
    this.current = inverse();
    this.upcoming = inverse();
    this.weights = structure === 'triangular' ? triangularWeights(array(), size) : null;
    this.expanded = structure === 'blockDiagonal' ? this.expand(this.identity) : null;
    this.ones = array(size).fill(1);
    this.work = array();
    this.change = array();
    this.gram = array();
    [this.momentTrace, this.gramTrace, this.step] = [array(1), array(1), array(1)];
    this.fillHomogeneous();
  }

  /** Jobs for `A = decay A + scale sum_r x_r x_r'`, as much of it as the structure looks at. */
  updateJobs(inputs: Activation[], { decay, scale }: AverageStep): Job[] {
    const { structure, homogeneous, moment, size, precision } = this;
    if (structure === 'dense' || structure === 'triangular') {
      const rows = inputs.map((input) => ({
        ...(input as RowsOrPatches),
        scale,
      }));
      return [{ op: 'factor', inputs: rows, homogeneous, decay, factor: moment, size }];
    }
    if (structure === 'diagonal') {
      const rows = inputs.map((input) =>
        'indices' in input ? { ...input, scale } : { ...rowMatrix(input, false, precision), scale },
      );
      const factor = homogeneous ? moment.subarray(0, size - 1) : moment;
      return [{ op: 'diagonalFactor', inputs: rows, decay, factor }];
    }
    const all = inputs.map((input) => rowMatrix(input as RowsOrPatches, homogeneous, precision));
    const rows = all.reduce((sum, part) => sum + part.rows, 0);
    return this.groups.map((group): Job => {
      const { size: width, count, firstRow } = group;
      const stack = allocate(precision, count * rows * width);
      let row = 0;
      for (const { data, rows: own, columns } of all) {
        for (let r = 0; r < own; r++, row++) {
          for (let k = 0; k < count; k++) {
            const from = r * columns + firstRow + k * width;
            stack.set(data.subarray(from, from + width), (k * rows + row) * width);
          }
        }
      }
      const out = this.part(moment, group);
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
    const multiplied: Job[] =
      this.groups.length === 1 && this.groups[0].count === 1
        ? [
            {
              op: 'kronecker',
              left: moment,
              leftSize: size,
              leftForm: 'lower',
              right: this.ones,
              rightSize: size,
              rightForm: 'diagonal',
              input: current.root,
              out: work,
            },
          ]
        : this.products(moment, current.root, work);
    return [...multiplied, ...this.products(current.root, current.root, gram, { transposeLeft: true })];
  }

  /** H = K' A K, in `change`, and the traces tr H = <K, A K> and tr K' K = <K, K>. */
  secondJobs(): Job[] {
    const { current, work, change } = this;
    const length = work.length;
    return [
      ...this.products(current.root, work, change, { transposeLeft: true }),
      product([1, length, 1], current.root, work, this.momentTrace),
      product([1, length, 1], current.root, current.root, this.gramTrace),
    ];
  }

  /** c (H + lambda K' K - I), in `change`. */
  kfacLikeJobs(c: number, lambda: number): Job[][] {
    const { change, gram, identity } = this;
    const terms = [
      { data: change, scale: c },
      { data: gram, scale: c * lambda },
      { data: identity, scale: -c },
    ];
    return [[{ op: 'combine', terms, out: change }]];
  }

  /** c (H tr(H_partner) / d + lambda K' K tr(C' C) / d - I), in `change`, with d the size of the partner and C its K. */
  jointJobs(c: number, lambda: number, partner: SingdSide): Job[][] {
    const { change, gram, identity, work } = this;
    const share = c / partner.size;
    const shape: [number, number, number] = [work.length, 1, 1];
    const terms = [
      { data: work, scale: 1 },
      { data: identity, scale: -c },
    ];
    return [
      [product(shape, change, partner.momentTrace, work, { scale: share })],
      [product(shape, gram, partner.gramTrace, work, { scale: share * lambda, keep: 1 })],
      [{ op: 'combine', terms, out: change }],
    ];
  }

  /** Projects `change` onto the structure. */
  projectJobs(): Job[] {
    const { change, weights } = this;
    return weights
      ? [{ op: 'elementwise', how: 'multiply', left: change, right: weights, offset: 0, out: change }]
      : [];
  }

  /** m <- decay m + change. */
  momentumJobs(decay: number): Job[] {
    const terms = [
      { data: this.current.momentum, scale: decay },
      { data: this.change, scale: 1 },
    ];
    return [{ op: 'combine', terms, out: this.upcoming.momentum }];
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
    const copy: Job = { op: 'combine', terms: [{ data: current.root, scale: 1 }], out: upcoming.root };
    return [
      [copy, ...this.products(current.root, upcoming.momentum, work)],
      [product([work.length, 1, 1], work, step, upcoming.root, { scale: -1, keep: 1 })],
      this.products(upcoming.root, upcoming.root, upcoming.product, { transposeRight: true }),
    ];
  }

  /** Whether what was computed is finite: the product is not unless all of it is. */
  get isFinite(): boolean {
    return this.upcoming.product.every(Number.isFinite);
  }

  install(): void {
    [this.current, this.upcoming] = [this.upcoming, this.current];
    if (this.expanded) this.expand(this.current.product, this.expanded);
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
        return { matrix: which === 'moment' ? this.expand(moment) : this.expanded!, size, form: 'full' };
      default:
        return which === 'moment'
          ? { matrix: moment, size, form: 'lower' }
          : { matrix: current.product, size, form: 'full' };
    }
  }

  /** Element (i, j) of the moment, zero where the structure does not look. */
  at(i: number, j: number): number {
    const [row, column] = i >= j ? [i, j] : [j, i];
    const group = this.groups.findLast(({ firstRow }) => row >= firstRow)!;
    const [k, l] = [row, column].map((index) => Math.floor((index - group.firstRow) / group.size));
    if (k !== l || column < group.firstRow) return 0;
    const [r, c] = [row, column].map((index) => (index - group.firstRow) % group.size);
    return this.moment[group.begin + (k * group.size + r) * group.size + c];
  }

  private products(
    left: FloatArray,
    right: FloatArray,
    out: FloatArray,
    transposed: { transposeLeft?: boolean; transposeRight?: boolean } = {},
  ): Job[] {
    return this.groups.map((group): Job => {
      const { size, count } = group;
      const [a, b, c] = [left, right, out].map((array) => this.part(array, group));
      return product([size, size, size], a, b, c, { count, ...transposed });
    });
  }

  private part(array: FloatArray, { begin, size, count }: Group): FloatArray {
    return array.subarray(begin, begin + count * size * size);
  }

  private eachDiagonal(visit: (at: number) => void): void {
    for (const { begin, size, count } of this.groups) {
      for (let k = 0; k < count; k++) {
        for (let i = 0; i < size; i++) visit(begin + (k * size + i) * size + i);
      }
    }
  }

  /** A stack of blocks as a whole matrix. */
  private expand(stack: FloatArray, out = allocate(this.precision, this.size ** 2)): FloatArray {
    for (const { begin, firstRow, size, count } of this.groups) {
      for (let k = 0; k < count; k++) {
        for (let i = 0; i < size; i++) {
          const from = begin + (k * size + i) * size;
          const first = firstRow + k * size;
          out.set(stack.subarray(from, from + size), (first + i) * this.size + first);
        }
      }
    }
    return out;
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
        return this.groups
          .map(({ size, count }) => `${count > 1 ? `${count} of ` : ''}${size} x ${size}`)
          .join(', ');
      default:
        return `${this.structure === 'triangular' ? 'triangular ' : ''}${this.size} x ${this.size}`;
    }
  }
}

function groupsOf(size: number, blockSize: number): Group[] {
  const count = Math.floor(size / blockSize);
  const rest = size % blockSize;
  const groups: Group[] = [{ begin: 0, firstRow: 0, size: blockSize, count }];
  groups.push({ begin: count * blockSize ** 2, firstRow: count * blockSize, size: rest, count: 1 });
  return groups.filter((group) => group.count > 0 && group.size > 0);
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
