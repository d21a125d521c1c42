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
  type Activation,
  type AverageStep,
  type BlockShape,
  type BlockSummary,
  type CurvatureBlock,
  type RefreshOutcome,
  type RowsOrPatches,
  type Statistics,
} from '../block';
import { combineJob } from '../shared/elementwiseJobs';
import { kroneckerJob, type Operand } from '../shared/kroneckerJob';
import type { MatrixShape } from '../shared/layerMatrix';
import { outcomeOf } from '../shared/outcome';
import { ChainSide } from './chainSide';
import { ChainVectors } from './chainVectors';
import { denseChain } from './denseChain';
import { allocate, type Precision } from '../shared/factor';
import { dotPhase, type Phase } from '../phases';
import { totalWeight } from '../shared/rowWeights';
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

export class BlockTridiagonalBlock implements CurvatureBlock {
  readonly structure = 'block tri-diagonal';
  readonly shape: BlockShape;
  readonly needs;
  ready = false;

  /** Of the matrices of the layers. */
  private readonly matrices: MatrixShape[];
  private readonly input: ChainSide;
  private readonly output: ChainSide;
  /** 1 / (1 - s^A s^G') of all layers but the last. */
  private readonly scales: FloatArray[];
  private readonly work: ChainVectors;
  private lambda = 0;

  constructor({ shape, links, precision = 'float32' }: BlockTridiagonalOptions) {
    this.shape = shape;
    this.needs = links.map(() => ({ activations: true, outputGradients: true }));
    this.matrices = links.map(({ inputSize, outputSize, bias }) => {
      return { rows: inputSize + Number(bias), columns: outputSize, bias };
    });
    const rows = this.matrices.map((matrix) => matrix.rows);
    const columns = this.matrices.map((matrix) => matrix.columns);
    this.input = new ChainSide(rows, precision);
    this.output = new ChainSide(columns, precision);
    this.scales = rows.slice(0, -1).map((length, i) => allocate(precision, length * columns[i]).fill(1));
    this.work = new ChainVectors(this.matrices, precision);
  }

  updatePhases(statistics: Statistics[], { decay, scale }: AverageStep): Phase[] {
    const [{ examples, passes }] = statistics;
    const activations = statistics.map((layer) => layer.activations![0] as RowsOrPatches & Activation);
    const phases = passes.map(({ weight, gradientScale }, pass): Phase => {
      const share = (scale * weight * gradientScale ** 2) / examples;
      const gradients = statistics.map((layer) => layer.passes[pass].outputGradients![0]);
      const average = { decay: pass === 0 ? decay : 1, scale: share };
      const none = gradients.map(() => false);
      return { jobs: this.output.updateJobs(gradients, none, average) };
    });
    const homogeneous = this.matrices.map(({ bias }) => bias);
    const average = { decay, scale: scale / totalWeight(activations.slice(0, 1)) };
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
    const failed = reports.find(({ status }) => status !== 'ok');
    if (!failed) {
      this.input.install();
      this.output.install();
    } else if (!this.ready) {
      this.input.installIdentity(Math.sqrt(this.lambda));
      this.output.installIdentity(Math.sqrt(this.lambda));
    }
    if (!failed || !this.ready) this.fillScales();
    this.ready = true;
    // The inverses and roots of the damped moments come first.
    const damped = reports.slice(0, 4 * this.scales.length);
    return {
      ...outcomeOf(reports),
      minEigenvalue: outcomeOf(damped).minEigenvalue,
      // What failed first says why; what depends on it fails for that reason.
      overflowed: failed?.status === 'notFinite',
    };
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

  resident(): FloatArray[] {
    return [...this.input.resident, ...this.output.resident, ...this.work.resident];
  }

  preconditionPhases(gradients: FloatArray[], directions: FloatArray[]): Phase[] {
    const { work, scales, input, output } = this;
    const { v, t } = work;
    const before = scales.map((_, i) => i);
    const [a, g] = [input.current, output.current];
    const difference = { scale: -1, keep: 1 };
    return [
      work.copyIn(gradients),
      { jobs: before.map((i) => work.fromNext(i, a.regressions[i], v[i + 1])) },
      { jobs: before.map((i) => work.toThis(i, g.regressions[i], v[i], difference)) },
      {
        jobs: [...before.map((i) => this.intoBases(i, v[i], t[i])), this.lastSolution(v.at(-1)!, t.at(-1)!)],
      },
      { jobs: before.map((i) => ({ op: 'scale', diagonal: scales[i], input: t[i], out: v[i] })) },
      { jobs: before.map((i) => this.outOfBases(i, v[i], t[i])) },
      { jobs: before.map((i) => work.fromThis(i, a.regressions[i], t[i])) },
      { jobs: before.map((i) => work.toNext(i, g.regressions[i], t[i + 1], difference)) },
      work.copyOut(t, directions),
      dotPhase(gradients, directions),
    ];
  }

  /** `out = K^A_i' from K^G_i` */
  private intoBases(i: number, from: FloatArray, out: FloatArray): Job {
    const [left, right] = this.bases(i);
    return kroneckerJob({ ...left, transposed: true }, right, [from], [out]);
  }

  /** `out = K^A_i from K^G_i'` */
  private outOfBases(i: number, from: FloatArray, out: FloatArray): Job {
    const [left, right] = this.bases(i);
    return kroneckerJob(left, { ...right, transposed: true }, [from], [out]);
  }

  private bases(i: number): [Operand, Operand] {
    const { rows, columns } = this.matrices[i];
    const [a, g] = [this.input.current, this.output.current];
    return [
      { matrix: a.bases[i], size: rows, form: 'full' },
      { matrix: g.bases[i], size: columns, form: 'full' },
    ];
  }

  /** `out = A_LL^-1 from G_LL^-1` of the last layer. */
  private lastSolution(from: FloatArray, out: FloatArray): Job {
    const { rows, columns } = this.matrices.at(-1)!;
    const [a, g] = [this.input.current, this.output.current];
    return kroneckerJob(
      { matrix: a.inverse, size: rows, form: 'full' },
      { matrix: g.inverse, size: columns, form: 'full' },
      [from],
      [out],
    );
  }

  /**
   * The matrix is that of the inverse in use less the damping, which is block diagonal: A_ii (x) G_ii and A_i,i+1 (x) G_i,i+1 as they are
   * now, and Psi_i,i+1 times the block below it further out. Sums over the layers on either side follow from those of the neighbour.
   */
  multiplyPhases(vectors: FloatArray[], products: FloatArray[]): Phase[] {
    const { matrices, work, input, output } = this;
    const { v, t } = work;
    const before = input.crosses.map((_, i) => i);
    const [a, g] = [input.current, output.current];
    const [set, add] = [
      { scale: 1, keep: 0 },
      { scale: 1, keep: 1 },
    ];
    const sums = work.matrices();
    const own = matrices.map(({ rows, columns }, i) =>
      kroneckerJob(
        { matrix: input.moments[i], size: rows, form: 'lower' },
        { matrix: output.moments[i], size: columns, form: 'lower' },
        [v[i]],
        [sums[i]],
      ),
    );
    const phases: Phase[] = [work.copyIn(vectors), { jobs: own }];
    // w_i = X_i v_i+1 + Psi_i w_i+1 over the layers after i.
    for (const i of [...before].reverse()) {
      phases.push(
        { jobs: [work.fromNext(i, input.crosses[i], v[i + 1])] },
        { jobs: [work.toThis(i, output.crosses[i], t[i], set)] },
      );
      if (i + 1 < before.length) {
        phases.push(
          { jobs: [work.fromNext(i, a.regressions[i], t[i + 1])] },
          { jobs: [work.toThis(i, g.regressions[i], t[i], add)] },
        );
      }
      phases.push({
        jobs: [
          combineJob(
            [
              [1, sums[i]],
              [1, t[i]],
            ],
            sums[i],
          ),
        ],
      });
    }
    // X_i' z_i with z_i = v_i + Psi_i-1' z_i-1 over the layers up to i.
    for (const i of before) {
      phases.push(
        { jobs: [work.fromThis(i, input.crosses[i], v[i])] },
        { jobs: [work.toNext(i, output.crosses[i], sums[i + 1], add)] },
        { jobs: [work.fromThis(i, a.regressions[i], v[i])] },
        { jobs: [work.toNext(i, g.regressions[i], v[i + 1], add)] },
      );
    }
    return [...phases, work.copyOut(sums, products), dotPhase(vectors, products)];
  }

  toDense(): Float64Array {
    return denseChain(this.input, this.output);
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
    const { input, output, matrices, work } = this;
    const scales = this.scales.reduce((sum, { byteLength }) => sum + byteLength, 0);
    return summaryOf(this, {
      matrices: matrices.map(({ rows, columns }) => `${rows} x ${rows}, ${columns} x ${columns}`).join('; '),
      bytes: input.bytes + output.bytes + work.bytes + scales,
    });
  }
}

function listed({ regressions, bases, shares, inverse }: ChainSide['current']): Record<string, FloatArray[]> {
  return { regression: regressions, basis: bases, share: shares, inverse: [inverse] };
}
