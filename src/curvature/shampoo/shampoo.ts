/**
 * Shampoo (Gupta, Koren & Singer 2018, "Shampoo: Preconditioned Stochastic Tensor Optimization"; blocks, grafting and a late start as in
 * Anil, Gupta, Koren, Regan & Singer 2020 and Shi et al. 2023, "A Distributed Data-Parallel PyTorch Implementation of the Distributed
 * Shampoo Optimizer"), and SOAP (Vyas, Morwani, Zhao, Shapira, Brandfonbrener, Janson & Kakade 2024, "SOAP: Improving and Stabilizing
 * Shampoo using Adam").
 *
 * For a variable seen as a matrix with batch gradients V and moving averages over batches
 *
 *     L = E[V V'] + damping I      R = E[V' V] + damping I
 *
 * the direction is L^-e V R^-e, e = 1/4 (a vector has R alone, with the exponent 2 e). SOAP takes Adam's step in the eigenbases
 * Q_L, Q_R of L and R:
 *
 *     V~ = Q_L' V Q_R,   v = E[V~^2],   direction = Q_L [V~ / ((v + damping)^(2 e) + epsilon)] Q_R'.
 */
import type { FloatArray, Job, Report } from '../../linalg/jobs';
import { referenceKernels } from '../../linalg/reference';
import {
  variableSizes,
  type AverageStep,
  type BlockShape,
  type BlockSummary,
  type CurvatureBlock,
  type RefreshOutcome,
  type Statistics,
} from '../block';
import { allocate, type Precision } from '../shared/factor';
import { graft, graftedDirection, SquareAverage, type GraftingMethod } from './grafting';
import { dotPhase, runPhases, type Phase } from '../phases';
import { extents, fold, ShampooPart, type Basis } from './shampooPart';
import { outcomeOf } from '../shared/outcome';
import { summaryOf } from '../shared/summary';

/** Options of Shampoo that a user can set. */
export interface ShampooSettings {
  /** 'root': L^-e V R^-e; 'eigen': SOAP, Adam's step in the eigenbases of L and R. Default 'root'. */
  basis?: Basis;
  /** e, 0.25 (the default) or 0.5: the latter is what Kronecker-factored natural gradients have. */
  exponent?: 0.25 | 0.5;
  /** Whose length the direction of each variable gets; 'none' (the default) leaves it as it is. */
  grafting?: GraftingMethod;
  /** Decay of the second moments, element by element, of SOAP and of grafting with 'adam' and 'rmsprop'. Default 0.99. */
  beta2?: number;
  /** Added to the roots of those. Default 1e-8. */
  epsilon?: number;
  /** For so many batches the direction is that of `grafting` alone, the gradient itself with 'none' and 'sgd'. Default 0. */
  startStep?: number;
  /** A matrix with more rows or columns than this is cut into parts with factors of their own. Default 1024. */
  blockSize?: number;
}

export interface ShampooOptions extends ShampooSettings {
  shape: BlockShape;
  precision?: Precision;
}

/** A variable with its parts. */
interface Entry {
  parts: ShampooPart[];
  /** Of its gradient, for grafting. */
  squares: SquareAverage | null;
  /** Of its parts in the eigenbases. */
  rotated: SquareAverage[];
}

export class ShampooBlock implements CurvatureBlock {
  readonly structure: string;
  readonly shape: BlockShape;
  readonly needs = [{ scores: true }];
  ready = false;

  private readonly settings: Required<ShampooSettings>;
  private readonly entries: Entry[];
  /** Batches seen, whether the last of them has entered the squares (0) or not yet (1), and the damping in use. */
  private readonly progress = new Float64Array(3);
  private upcomingLambda = 0;

  constructor({ shape, precision = 'float32', ...settings }: ShampooOptions) {
    this.shape = shape;
    this.settings = {
      basis: 'root', exponent: 0.25, grafting: 'none', beta2: 0.99, epsilon: 1e-8, startStep: 0, blockSize: 1024,
      ...settings,
    }; // prettier-ignore
    const { basis, exponent, grafting, beta2, blockSize } = this.settings;
    this.structure = basis === 'eigen' ? 'Shampoo, eigenbasis' : 'Shampoo';
    this.entries = shape.shapes.map((dimensions): Entry => {
      const { rows, columns, isVector } = fold(dimensions);
      const parts = extents(rows, columns, blockSize).map(
        (extent) => new ShampooPart(extent, columns, isVector, exponent, basis, precision),
      );
      const average = (size: number) => new SquareAverage(size, beta2, precision);
      return {
        parts,
        squares: grafting === 'adam' || grafting === 'rmsprop' ? average(rows * columns) : null,
        rotated: basis === 'eigen' ? parts.map(({ input }) => average(input.length)) : [],
      };
    });
  }

  updatePhases(
    [{ examples, effectiveExamples = examples, passes }]: Statistics[],
    { decay, scale }: AverageStep,
  ): Phase[] {
    this.progress[0]++;
    this.progress[1] = 1;
    return passes.map(({ weight, gradientScale, scores }, pass): Phase => {
      // The gradient of the mean loss is the sum of the scores over the number of examples, of which each has its weight only once.
      const share = (scale * weight * gradientScale ** 2) / (examples * effectiveExamples);
      const average = { decay: pass === 0 ? decay : 1, scale: share };
      return {
        jobs: this.entries.flatMap(({ parts }, i) =>
          parts.flatMap((part) => part.updateJobs(scores![i], average)),
        ),
      };
    });
  }

  refreshPhases(lambda: number): Phase[] {
    this.upcomingLambda = lambda;
    return [{ jobs: this.parts.flatMap((part) => part.refreshJobs(lambda)) }];
  }

  install(reports: Report[]): RefreshOutcome {
    let begin = 0;
    for (const part of this.parts) {
      part.install(reports.slice(begin, (begin += part.sides.length)), this.ready, this.upcomingLambda);
    }
    this.progress[2] = this.upcomingLambda;
    this.ready = true;
    return outcomeOf(reports);
  }

  restart(): void {
    for (const { moment } of this.parts.flatMap((part) => part.sides)) moment.fill(0);
    for (const { squares, rotated } of this.entries) {
      for (const average of [...rotated, ...(squares ? [squares] : [])]) average.restart();
    }
  }

  private get parts(): ShampooPart[] {
    return this.entries.flatMap((entry) => entry.parts);
  }

  /** Not the work space of the parts, which `preconditionPhases` fills and reads itself. */
  resident(): FloatArray[] {
    const sides = this.parts.flatMap((part) => part.sides);
    return sides.flatMap(({ moment, current, upcoming }) => [moment, current, upcoming]);
  }

  /** The second moments of a batch are taken from the first gradients that are preconditioned after it. */
  preconditionPhases(gradients: FloatArray[], directions: FloatArray[]): Phase[] {
    const { basis, exponent, epsilon } = this.settings;
    const isNew = this.progress[1] === 1;
    const finish = {
      jobs: [],
      then: () => {
        this.entries.forEach((entry, i) => this.finish(entry, gradients[i], directions[i], isNew));
        this.progress[1] = 0;
      },
    };
    const gather = { jobs: [], then: () => this.gather(gradients) };
    if (basis === 'root') {
      const jobs = this.parts.map((part) => part.multiplyJob(part.input, part.output));
      return [gather, { jobs }, finish, dotPhase(gradients, directions)];
    }
    const divide = ({ parts, rotated }: Entry) => {
      parts.forEach(({ output }, k) => {
        if (isNew) rotated[k].take(output);
        const { mean } = rotated[k];
        for (let i = 0; i < output.length; i++) {
          output[i] /= (mean[i] + this.progress[2]) ** (2 * exponent) + epsilon;
        }
      });
    };
    return [gather, ...this.inEigenbases(divide), finish, dotPhase(gradients, directions)];
  }

  /** From the parts' inputs to their outputs, by way of the eigenbases, where `change` is made to the outputs. */
  private inEigenbases(change: (entry: Entry) => void, bases?: Map<ShampooPart, FloatArray[]>): Phase[] {
    const { parts } = this;
    return [
      {
        jobs: parts.map((part) => part.multiplyJob(part.input, part.output, false, bases?.get(part))),
        then: () => {
          this.entries.forEach(change);
          for (const { input, output } of parts) input.set(output);
        },
      },
      { jobs: parts.map((part) => part.multiplyJob(part.input, part.output, true, bases?.get(part))) },
    ];
  }

  private gather(variables: FloatArray[]): void {
    this.entries.forEach(({ parts }, i) => parts.forEach((part) => part.gather(variables[i], part.input)));
  }

  private finish(
    { parts, squares }: Entry,
    gradient: FloatArray,
    direction: FloatArray,
    isNew: boolean,
  ): void {
    const { grafting, epsilon, startStep } = this.settings;
    if (isNew) squares?.take(gradient);
    if (this.progress[0] <= startStep) {
      graftedDirection(grafting, gradient, squares, epsilon, direction);
      return;
    }
    for (const part of parts) part.scatter(direction);
    if (grafting === 'none') return;
    const model = direction.slice();
    graftedDirection(grafting, gradient, squares, epsilon, model);
    graft(direction, model);
  }

  /**
   * The matrix that the direction is a division by, without damping and grafting: L^e (x) R^e, or in the eigenbases v^(2 e).
   */
  multiplyPhases(vectors: FloatArray[], products: FloatArray[]): Phase[] {
    const { basis, exponent } = this.settings;
    const begin: Phase = { jobs: [], then: () => this.gather(vectors) };
    const end: Phase[] = [
      {
        jobs: [],
        then: () =>
          this.entries.forEach(({ parts }, i) => parts.forEach((part) => part.scatter(products[i]))),
      },
      dotPhase(vectors, products),
    ];
    if (basis === 'eigen') {
      const multiply = ({ parts, rotated }: Entry) => {
        parts.forEach(({ output }, k) => {
          output.forEach((value, i) => (output[i] = value * rotated[k].mean[i] ** (2 * exponent)));
        });
      };
      return [begin, ...this.inEigenbases(multiply), ...end];
    }
    const values = new Map<ShampooPart, FloatArray[]>();
    const bases = new Map<ShampooPart, FloatArray[]>();
    for (const part of this.parts) {
      values.set(part, part.sides.map(({ moment, size }) => moment.slice(0, size))); // prettier-ignore
      bases.set(part, part.sides.map(({ moment }) => moment.slice())); // prettier-ignore
    }
    begin.jobs = this.parts.flatMap((part) =>
      part.sides.map(({ moment, size }, side): Job => {
        const [all, vectorsOf] = [values.get(part)!, bases.get(part)!];
        return { op: 'eigh', matrix: moment, size, values: all[side], vectors: vectorsOf[side] };
      }),
    );
    const multiply = ({ parts }: Entry) => {
      for (const part of parts) {
        const { columns } = part.extent;
        const [right, left] = [...values.get(part)!].reverse();
        const power = part.left ? exponent : 2 * exponent;
        part.output.forEach((value, at) => {
          const eigenvalue = (left?.[Math.floor(at / columns)] ?? 1) * right[at % columns];
          part.output[at] = value * Math.max(eigenvalue, 0) ** power;
        });
      }
    };
    return [begin, ...this.inEigenbases(multiply, bases), ...end];
  }

  /** Column by column. */
  toDense(): Float64Array {
    const sizes = variableSizes(this.shape);
    const total = sizes.reduce((sum, size) => sum + size, 0);
    const dense = new Float64Array(total * total);
    const precision = this.parts[0].input instanceof Float32Array ? 'float32' : 'float64';
    let column = 0;
    sizes.forEach((size, variable) => {
      for (let i = 0; i < size; i++, column++) {
        const [unit, product] = [0, 1].map(() => sizes.map((length) => allocate(precision, length)));
        unit[variable][i] = 1;
        runPhases(referenceKernels, this.multiplyPhases(unit, product));
        product
          .flatMap((values) => [...values])
          .forEach((value, row) => (dense[row * total + column] = value));
      }
    });
    return dense;
  }

  state(): Record<string, FloatArray> {
    const state: Record<string, FloatArray> = { shampoo: this.progress };
    this.entries.forEach(({ squares, rotated }, i) => {
      const averages = Object.entries({ squares: squares ? [squares] : [], rotated });
      for (const [name, list] of averages) {
        list.forEach(({ mean, weight }, k) => {
          state[`${name}${i}.${k}`] = mean;
          state[`${name}Weight${i}.${k}`] = weight;
        });
      }
    });
    return { ...state, ...this.named('moment', 'moment'), ...this.named('current', this.settings.basis) };
  }

  upcoming(): Record<string, FloatArray> {
    return this.named('upcoming', 'upcoming');
  }

  private named(which: 'moment' | 'current' | 'upcoming', name: string): Record<string, FloatArray> {
    return Object.fromEntries(
      this.parts.flatMap(({ left, right }, k) => [
        ...(left ? [[`${name}L${k}`, left[which]]] : []),
        [`${name}R${k}`, right[which]],
      ]),
    ) as Record<string, FloatArray>;
  }

  loaded(ready: boolean): void {
    this.ready = ready;
  }

  summary(): BlockSummary {
    const averages = this.entries.flatMap(({ squares, rotated }) => [
      ...rotated,
      ...(squares ? [squares] : []),
    ]);
    const own = averages.reduce((sum, { mean }) => sum + mean.byteLength, 0);
    return summaryOf(this, {
      matrices: this.parts.flatMap(({ sides }) => sides.map(({ size }) => `${size} x ${size}`)).join(', '),
      bytes: this.parts.reduce((sum, { bytes }) => sum + bytes, own),
    });
  }
}
