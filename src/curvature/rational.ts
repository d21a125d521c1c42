/**
 * The exact block of the coefficients of a rational activation (D. Zhang, "Optimizing rational neural networks with natural gradient
 * descent"). A function has few coefficients, so no factors are needed: with the score of an example, summed over the units u and
 * positions that share the function,
 *
 *     s_n = sum_u [ g x^i / Q ; -g s_j x^j P / Q^2 ],    F = (1/N) sum_n s_n s_n',
 *
 * of size m + n + 1 (one more in versions C and boulle), inverted as F + lambda I. Units with functions of their own have a block each;
 * the blocks are a stack. What units with different functions share is left out.
 */
import type { FloatArray, RationalLayout, Report } from '../linalg/jobs';
import type { Layer } from '../tape/types';
import {
  type AverageStep,
  type BlockShape,
  type BlockSummary,
  type CurvatureBlock,
  type RationalRows,
  type RefreshOutcome,
  type Statistics,
} from './block';
import { allocate, type Precision } from './shared/factor';
import { dotPhase, type Phase } from './phases';
import { FactorStack } from './shared/factorStack';
import { product } from './shared/productJob';
import { summaryOf } from './shared/summary';
import { requireMemory, shapeOf, type CommonOptions } from './structure';

export interface RationalOptions {
  /** Numerators [groups, numeratorSize] and denominators [groups, denominatorSize], in any shapes. */
  shape: BlockShape;
  layout: RationalLayout;
  precision?: Precision;
}

export class RationalBlock implements CurvatureBlock {
  readonly structure = 'exact';
  readonly shape: BlockShape;
  readonly needs = [{ activations: true, outputGradients: true }];
  ready = false;

  private readonly layout: RationalLayout;
  private readonly size: number;
  /** One matrix per group. */
  private readonly factors: FactorStack;
  /** A vector over the coefficients, group by group, and its product with a stack. */
  private readonly vector: FloatArray;
  private readonly result: FloatArray;

  constructor({ shape, layout, precision = 'float32' }: RationalOptions) {
    this.shape = shape;
    this.layout = layout;
    this.size = layout.numeratorSize + layout.denominatorSize;
    this.factors = new FactorStack(this.size, layout.groups, precision);
    const length = layout.groups * this.size;
    this.vector = allocate(precision, length);
    this.result = allocate(precision, length);
  }

  updatePhases([{ examples, activations, passes }]: Statistics[], { decay, scale }: AverageStep): Phase[] {
    const uses = activations as RationalRows[];
    // Where positions have predictions of their own but come as one row, or the other way round, scores are summed over what they share.
    const independent = uses.reduce((divisor, { rows }) => greatestCommonDivisor(divisor, rows), examples);
    return passes.map(({ weight, gradientScale, outputGradients }, pass) => ({
      jobs: [
        {
          op: 'rationalFactor',
          ...this.layout,
          inputs: uses.map(({ data, numerator, denominator, noise }, use) => ({
            activation: data,
            gradient: outputGradients![use].data,
            numerator,
            denominator,
            ...(noise ? { noise } : {}),
          })),
          examples: independent,
          decay: pass === 0 ? decay : 1,
          scale: (scale * weight * gradientScale ** 2) / examples,
          factors: this.factors.moments,
        },
      ],
    }));
  }

  refreshPhases(lambda: number): Phase[] {
    return this.factors.refreshPhases(lambda);
  }

  install(reports: Report[]): RefreshOutcome {
    const outcome = this.factors.install(reports, this.ready);
    this.ready = true;
    return outcome;
  }

  restart(): void {
    this.factors.moments.fill(0);
  }

  preconditionPhases(gradients: FloatArray[], directions: FloatArray[]): Phase[] {
    return this.products(() => this.factors.inverses, gradients, directions);
  }

  multiplyPhases(vectors: FloatArray[], products: FloatArray[]): Phase[] {
    return this.products(() => this.fullMoments(), vectors, products);
  }

  private products(stack: () => FloatArray, input: FloatArray[], out: FloatArray[]): Phase[] {
    this.gather(input);
    const { size, vector, result } = this;
    return [
      {
        jobs: [product([size, size, 1], stack(), vector, result, { count: this.layout.groups })],
        then: () => this.scatter(out),
      },
      dotPhase(input, out),
    ];
  }

  /** From one array per variable to the order of the matrices, and back. */
  private gather([numerators, denominators]: FloatArray[]): void {
    this.eachGroup((at, a, b) => {
      this.vector.set(numerators.subarray(...a), at);
      this.vector.set(denominators.subarray(...b), at + this.layout.numeratorSize);
    });
  }

  private scatter([numerators, denominators]: FloatArray[]): void {
    this.eachGroup((at, a, b) => {
      const middle = at + this.layout.numeratorSize;
      numerators.set(this.result.subarray(at, middle), a[0]);
      denominators.set(this.result.subarray(middle, at + this.size), b[0]);
    });
  }

  private eachGroup(visit: (at: number, a: [number, number], b: [number, number]) => void): void {
    const { groups, numeratorSize: m, denominatorSize: n } = this.layout;
    for (let g = 0; g < groups; g++) visit(g * this.size, [g * m, (g + 1) * m], [g * n, (g + 1) * n]);
  }

  private fullMoments(): FloatArray {
    const full = this.factors.moments.slice();
    const { size } = this;
    for (let begin = 0; begin < full.length; begin += size * size) {
      for (let i = 0; i < size; i++) {
        for (let j = i + 1; j < size; j++) full[begin + i * size + j] = full[begin + j * size + i];
      }
    }
    return full;
  }

  toDense(): Float64Array {
    const { groups, numeratorSize: m, denominatorSize: n } = this.layout;
    const { size } = this;
    const full = this.fullMoments();
    const length = groups * size;
    const dense = new Float64Array(length * length);
    // Variables one after the other: all numerators, then all denominators.
    const place = (g: number, k: number) => (k < m ? g * m + k : groups * m + g * n + k - m);
    for (let g = 0; g < groups; g++) {
      for (let i = 0; i < size; i++) {
        for (let j = 0; j < size; j++) {
          dense[place(g, i) * length + place(g, j)] = full[(g * size + i) * size + j];
        }
      }
    }
    return dense;
  }

  state(): Record<string, FloatArray> {
    return this.factors.state();
  }

  upcoming(): Record<string, FloatArray> {
    return this.factors.upcoming();
  }

  loaded(ready: boolean): void {
    this.ready = ready;
  }

  summary(): BlockSummary {
    const { dimensions: matrices, bytes } = this.factors;
    return summaryOf(this, { matrices, bytes: bytes + 2 * this.vector.byteLength });
  }
}

/** The reason why a layer of kind 'rational' cannot have its exact block, or an empty string. */
export function whyNotRational(layer: Layer): string {
  return layer.variables.length === 2 ? '' : 'its numerator and denominator are not trained together';
}

/**
 * The block of a rational activation that nothing prevents.
 *
 * @throws NatgradError ERR_NATGRAD_NO_MEMORY if it would not fit
 */
export function rationalBlock(layer: Layer, common: CommonOptions): RationalBlock {
  const { version, groups, inner, numeratorSize, denominatorSize } = layer.uses[0].rational!;
  const layout = { version, groups, inner, numeratorSize, denominatorSize };
  const shape = shapeOf(layer);
  const elementBytes = common.precision === 'float32' ? 4 : 8;
  const bytes = 3 * elementBytes * groups * (numeratorSize + denominatorSize) ** 2;
  requireMemory(shape, 'exact', bytes, common, 'Let more units share a function (sharedAxes)');
  return new RationalBlock({ shape, layout, precision: common.precision });
}

function greatestCommonDivisor(a: number, b: number): number {
  while (b > 0) [a, b] = [b, a % b];
  return a;
}
