/**
 * Block tri-diagonal K-FAC (Martens & Grosse 2015, section 4.3): one block over a chain of layers whose inverse, not the matrix itself,
 * is block tri-diagonal, as if what happens in a layer depended on the next layer only.
 *
 * With the factors of K-FAC, A_ij = E[a~_i a~_j'] of the inputs and G_ij = E[g_i g_j'] of the output gradients, the matrix has the blocks
 * A_ij (x) G_ij on its three central diagonals; those further out follow from them. Its inverse is Xi' Lambda Xi, Xi the identity with
 * -Psi_i,i+1 above its diagonal, Psi = Psi^A (x) Psi^G, and Lambda the inverses of
 *
 *     Sigma_i = A_ii (x) G_ii - Psi_i,i+1 (A_i+1,i+1 (x) G_i+1,i+1) Psi_i,i+1'      (Sigma_L = A_LL (x) G_LL for the last layer).
 *
 * For gradients V_i in the layout of tfjs, [in, out] with the bias as one more row:
 *
 *     U_i = V_i - Psi^A_i V_i+1 Psi^G_i'
 *     T_i = K^A_i [(K^A_i' U_i K^G_i) / (1 - s^A_i s^G_i')] K^G_i',   T_L = A_LL^-1 U_L G_LL^-1       (K and s of `ChainSide`)
 *     R_i = T_i - Psi^A_i-1' T_i-1 Psi^G_i-1
 *
 * Damping is added to A_ii and G_ii before all of this, split by pi as in K-FAC; the cross moments get none.
 */
import type { FloatArray, Job, Report } from '../../linalg/jobs';
import {
  least,
  rowsOf,
  type AverageStep,
  type BlockShape,
  type BlockSummary,
  type CurvatureBlock,
  type RefreshOutcome,
  type RowsOrPatches,
  type Statistics,
} from '../block';
import { ChainSide } from './chainSide';
import { allocate, type Precision } from '../shared/factor';
import { dotPhase, type Phase } from '../phases';
import { product } from '../shared/productJob';
import { summaryOf } from '../shared/summary';

/** Of what the regression leaves unexplained, 1 - s^A s^G, at least this is taken to be there: rounding may leave none. */
const leastShare = 1e-7;

/** One layer of a chain. */
export interface ChainLink {
  /** Length of an input row or patch, without the homogeneous coordinate. */
  inputSize: number;
  outputSize: number;
  /** Whether a bias follows the kernel among the variables. */
  bias: boolean;
}

export interface BlockTridiagonalOptions {
  /** Variables of all layers, in the order of `links`. */
  shape: BlockShape;
  /** The layers in the order of the forward pass, at least two. */
  links: ChainLink[];
  precision?: Precision;
}

/** The matrices of a layer are [rows, columns]. */
interface Place extends ChainLink {
  rows: number;
  columns: number;
}

export class BlockTridiagonalBlock implements CurvatureBlock {
  readonly structure = 'block tri-diagonal';
  readonly shape: BlockShape;
  readonly needs;
  ready = false;

  private readonly places: Place[];
  private readonly input: ChainSide;
  private readonly output: ChainSide;
  private readonly precision: Precision;
  /** 1 / (1 - s^A s^G') of all layers but the last. */
  private readonly scales: FloatArray[];
  private readonly work: { v: FloatArray; t: FloatArray; half: FloatArray }[];
  private lambda = 0;

  constructor({ shape, links, precision = 'float32' }: BlockTridiagonalOptions) {
    this.shape = shape;
    this.precision = precision;
    this.needs = links.map(() => ({ activations: true, outputGradients: true }));
    this.places = links.map((link) => {
      return { ...link, rows: link.inputSize + Number(link.bias), columns: link.outputSize };
    });
    this.input = new ChainSide(
      this.places.map(({ rows }) => rows),
      precision,
    );
    this.output = new ChainSide(
      this.places.map(({ columns }) => columns),
      precision,
    );
    this.scales = this.places
      .slice(0, -1)
      .map(({ rows, columns }) => allocate(precision, rows * columns).fill(1));
    this.work = this.places.map(({ rows, columns }, i) => {
      const next = this.places[i + 1] ?? { rows: 0, columns: 0 };
      const half = Math.max(rows * next.columns, next.rows * columns);
      return {
        v: allocate(precision, rows * columns),
        t: allocate(precision, rows * columns),
        half: allocate(precision, half),
      };
    });
  }

  updatePhases(statistics: Statistics[], { decay, scale }: AverageStep): Phase[] {
    const [{ examples, passes }] = statistics;
    const activations = statistics.map((layer) => layer.activations![0] as RowsOrPatches);
    const phases = passes.map(({ weight, gradientScale }, pass): Phase => {
      const share = (scale * weight * gradientScale ** 2) / examples;
      const gradients = statistics.map((layer) => layer.passes[pass].outputGradients![0]);
      const average = { decay: pass === 0 ? decay : 1, scale: share };
      const none = gradients.map(() => false);
      return { jobs: this.output.updateJobs(gradients, none, average) };
    });
    const homogeneous = this.places.map(({ bias }) => bias);
    const average = { decay, scale: scale / rowsOf(activations[0]) };
    phases[0].jobs.push(...this.input.updateJobs(activations, homogeneous, average));
    return phases;
  }

  refreshPhases(lambda: number): Phase[] {
    this.lambda = lambda;
    const output = this.output.refreshPhases(lambda, this.input);
    return this.input
      .refreshPhases(lambda, this.output)
      .map((jobs, phase) => ({ jobs: [...jobs, ...output[phase]] }));
  }

  /** All matrices of the chain are replaced together or not at all. */
  install(reports: Report[]): RefreshOutcome {
    const failures = reports.filter(({ status }) => status !== 'ok').length;
    if (failures === 0) {
      this.input.install();
      this.output.install();
      this.fillScales();
      this.ready = true;
    } else if (!this.ready) {
      this.input.installIdentity(Math.sqrt(this.lambda));
      this.output.installIdentity(Math.sqrt(this.lambda));
      this.fillScales();
      this.ready = true;
    }
    const first = reports.find(({ status }) => status !== 'ok');
    return {
      failures,
      retries: reports.filter(({ retries }) => retries > 0).length,
      minEigenvalue: this.dampedReports(reports).reduce(
        (sum, report) => least(sum, report.minEigenvalue),
        NaN,
      ),
      // What failed first says why; what depends on it fails for that reason.
      overflowed: first?.status === 'notFinite',
    };
  }

  /** Reports of the inverses and roots of the damped moments, which come first. */
  private dampedReports(reports: Report[]): Report[] {
    return reports.slice(0, 4 * this.scales.length);
  }

  private fillScales(): void {
    this.scales.forEach((scales, i) => {
      const [inputs, outputs] = [this.input.current.shares[i], this.output.current.shares[i]];
      for (let k = 0; k < inputs.length; k++) {
        for (let l = 0; l < outputs.length; l++) {
          scales[k * outputs.length + l] = 1 / Math.max(leastShare, 1 - inputs[k] * outputs[l]);
        }
      }
    });
  }

  restart(): void {
    this.input.restart();
    this.output.restart();
  }

  preconditionPhases(gradients: FloatArray[], directions: FloatArray[]): Phase[] {
    const { places, work, scales, input, output } = this;
    const before = scales.map((_, i) => i);
    const [a, g] = [input.current, output.current];
    const last = places.length - 1;
    const inBases = (i: number, transposed: boolean, from: FloatArray, out: FloatArray): Job => ({
      op: 'kronecker',
      left: a.bases[i],
      leftSize: places[i].rows,
      leftForm: 'full',
      leftTransposed: transposed,
      right: g.bases[i],
      rightSize: places[i].columns,
      rightForm: 'full',
      rightTransposed: !transposed,
      input: from,
      out,
    });
    return [
      this.copyIn(gradients),
      { jobs: before.map((i) => this.fromNext(i, a.regressions[i], work[i + 1].v)) },
      { jobs: before.map((i) => this.toThis(i, g.regressions[i], work[i].v, -1, 1)) },
      {
        jobs: [
          ...before.map((i) => inBases(i, true, work[i].v, work[i].t)),
          {
            op: 'kronecker',
            left: a.inverse,
            leftSize: places[last].rows,
            leftForm: 'full',
            right: g.inverse,
            rightSize: places[last].columns,
            rightForm: 'full',
            input: work[last].v,
            out: work[last].t,
          },
        ],
      },
      { jobs: before.map((i) => ({ op: 'scale', diagonal: scales[i], input: work[i].t, out: work[i].v })) },
      { jobs: before.map((i) => inBases(i, false, work[i].v, work[i].t)) },
      { jobs: before.map((i) => this.fromThis(i, a.regressions[i], work[i].t)) },
      { jobs: before.map((i) => this.toNext(i, g.regressions[i], work[i + 1].t, -1, 1)) },
      this.copyOut(
        work.map(({ t }) => t),
        directions,
      ),
      dotPhase(gradients, directions),
    ];
  }

  /**
   * The matrix is that of the inverse in use less the damping, which is block diagonal: A_ii (x) G_ii and A_i,i+1 (x) G_i,i+1 as they are
   * now, and Psi_i,i+1 times the block below it further out. Sums over the layers on either side follow from those of the neighbour.
   */
  multiplyPhases(vectors: FloatArray[], products: FloatArray[]): Phase[] {
    const { places, work, input, output } = this;
    const before = input.crosses.map((_, i) => i);
    const [a, g] = [input.current, output.current];
    const sums = places.map(({ rows, columns }) => allocate(this.precision, rows * columns));
    const phases: Phase[] = [
      this.copyIn(vectors),
      {
        jobs: places.map(({ rows, columns }, i): Job => ({
          op: 'kronecker',
          left: input.moments[i],
          leftSize: rows,
          leftForm: 'lower',
          right: output.moments[i],
          rightSize: columns,
          rightForm: 'lower',
          input: work[i].v,
          out: sums[i],
        })),
      },
    ];
    // w_i = X_i v_i+1 + Psi_i w_i+1 over the layers after i.
    for (const i of [...before].reverse()) {
      phases.push(
        { jobs: [this.fromNext(i, input.crosses[i], work[i + 1].v)] },
        { jobs: [this.toThis(i, output.crosses[i], work[i].t, 1, 0)] },
      );
      if (i + 1 < before.length) {
        phases.push(
          { jobs: [this.fromNext(i, a.regressions[i], work[i + 1].t)] },
          { jobs: [this.toThis(i, g.regressions[i], work[i].t, 1, 1)] },
        );
      }
      phases.push({ jobs: [add(work[i].t, sums[i])] });
    }
    // X_i' z_i with z_i = v_i + Psi_i-1' z_i-1 over the layers up to i.
    for (const i of before) {
      phases.push(
        { jobs: [this.fromThis(i, input.crosses[i], work[i].v)] },
        { jobs: [this.toNext(i, output.crosses[i], sums[i + 1], 1, 1)] },
        { jobs: [this.fromThis(i, a.regressions[i], work[i].v)] },
        { jobs: [this.toNext(i, g.regressions[i], work[i + 1].v, 1, 1)] },
      );
    }
    return [...phases, this.copyOut(sums, products), dotPhase(vectors, products)];
  }

  /** `half = left next`, the first half of a product that goes from layer i + 1 to layer i. */
  private fromNext(i: number, left: FloatArray, next: FloatArray): Job {
    const { rows } = this.places[i];
    const { rows: inner, columns } = this.places[i + 1];
    return product([rows, inner, columns], left, next, this.work[i].half.subarray(0, rows * columns));
  }

  /** `out = scale half right' + keep out`, its second half. */
  private toThis(i: number, right: FloatArray, out: FloatArray, scale: number, keep: number): Job {
    const { rows, columns } = this.places[i];
    const inner = this.places[i + 1].columns;
    const half = this.work[i].half.subarray(0, rows * inner);
    return product([rows, inner, columns], half, right, out, { scale, keep, transposeRight: true });
  }

  /** `half = left' from`, the first half of a product that goes from layer i to layer i + 1. */
  private fromThis(i: number, left: FloatArray, from: FloatArray): Job {
    const { rows: inner, columns } = this.places[i];
    const { rows } = this.places[i + 1];
    const half = this.work[i].half.subarray(0, rows * columns);
    return product([rows, inner, columns], left, from, half, { transposeLeft: true });
  }

  /** `out = scale half right + keep out`, its second half. */
  private toNext(i: number, right: FloatArray, out: FloatArray, scale: number, keep: number): Job {
    const { columns: inner } = this.places[i];
    const { rows, columns } = this.places[i + 1];
    const half = this.work[i].half.subarray(0, rows * inner);
    return product([rows, inner, columns], half, right, out, { scale, keep });
  }

  /** Variables into matrices: the bias under its kernel. */
  private copyIn(variables: FloatArray[]): Phase {
    const parts = this.variablesIn(this.work.map(({ v }) => v));
    return { jobs: parts.map((part, i) => copy(variables[i], part)) };
  }

  private copyOut(matrices: FloatArray[], variables: FloatArray[]): Phase {
    return { jobs: this.variablesIn(matrices).map((part, i) => copy(part, variables[i])) };
  }

  /** The parts of the layers' matrices that are the variables, in their order. */
  private variablesIn(matrices: FloatArray[]): FloatArray[] {
    return this.places.flatMap(({ inputSize, columns, bias }, i) => {
      const kernel = inputSize * columns;
      const parts = [matrices[i].subarray(0, kernel)];
      return bias ? [...parts, matrices[i].subarray(kernel)] : parts;
    });
  }

  toDense(): Float64Array {
    const { places, input, output } = this;
    const offsets = [0];
    for (const { rows, columns } of places) offsets.push(offsets.at(-1)! + rows * columns);
    const total = offsets.at(-1)!;
    const dense = new Float64Array(total * total);
    for (let j = places.length - 1; j >= 0; j--) {
      for (let i = j; i >= 0; i--) {
        const [a, g] = [pairBlock(input, i, j), pairBlock(output, i, j)];
        const [rows, columns] = [places[i].rows * places[i].columns, places[j].rows * places[j].columns];
        for (let row = 0; row < rows; row++) {
          for (let column = 0; column < columns; column++) {
            const value =
              a(Math.floor(row / places[i].columns), Math.floor(column / places[j].columns)) *
              g(row % places[i].columns, column % places[j].columns);
            dense[(offsets[i] + row) * total + offsets[j] + column] = value;
            dense[(offsets[j] + column) * total + offsets[i] + row] = value;
          }
        }
      }
    }
    return dense;
  }

  state(): Record<string, FloatArray> {
    return {
      ...this.named('', (side) => ({ moment: side.moments, cross: side.crosses, ...listed(side.current) })),
      ...Object.fromEntries(this.scales.map((scales, i) => [`scale${i}`, scales])),
    };
  }

  upcoming(): Record<string, FloatArray> {
    return this.named('upcoming', (side) => listed(side.upcoming));
  }

  private named(
    prefix: string,
    arraysOf: (side: ChainSide) => Record<string, FloatArray[]>,
  ): Record<string, FloatArray> {
    const sides = { A: this.input, G: this.output };
    return Object.fromEntries(
      Object.entries(sides).flatMap(([name, side]) =>
        Object.entries(arraysOf(side)).flatMap(([kind, arrays]) =>
          arrays.map((array, i) => [`${prefix}${kind}${name}${i}`, array]),
        ),
      ),
    );
  }

  loaded(ready: boolean): void {
    this.ready = ready;
  }

  summary(): BlockSummary {
    const { input, output, places } = this;
    const own = [...this.scales, ...this.work.flatMap(({ v, t, half }) => [v, t, half])];
    return summaryOf(this, {
      matrices: places.map(({ rows, columns }) => `${rows} x ${rows}, ${columns} x ${columns}`).join('; '),
      bytes: input.bytes + output.bytes + own.reduce((sum, { byteLength }) => sum + byteLength, 0),
    });
  }
}

function copy(from: FloatArray, out: FloatArray): Job {
  return { op: 'combine', terms: [{ data: from, scale: 1 }], out };
}

/** `to += from`. */
function add(from: FloatArray, to: FloatArray): Job {
  return { op: 'combine', terms: [from, to].map((data) => ({ data, scale: 1 })), out: to };
}

function listed({ regressions, bases, shares, inverse }: ChainSide['current']): Record<string, FloatArray[]> {
  return { regression: regressions, basis: bases, share: shares, inverse: [inverse] };
}

/** One side's factor of block (i, j), i <= j, by element. */
function pairBlock(side: ChainSide, i: number, j: number): (k: number, l: number) => number {
  if (i === j) return (k, l) => side.momentAt(i, k, l);
  const width = side.sizes[j];
  let block = Float64Array.from(side.crosses[j - 1]);
  for (let above = j - 2; above >= i; above--) {
    const [rows, inner] = [side.sizes[above], side.sizes[above + 1]];
    const regression = side.current.regressions[above];
    const next = new Float64Array(rows * width);
    for (let k = 0; k < rows; k++) {
      for (let m = 0; m < inner; m++) {
        for (let l = 0; l < width; l++)
          next[k * width + l] += regression[k * inner + m] * block[m * width + l];
      }
    }
    block = next;
  }
  return (k, l) => block[k * width + l];
}
