import * as tf from '@tensorflow/tfjs';

import { NatgradError } from '../errors';
import { randomStream } from '../fisher/random';
import type { RationalVersion } from '../linalg/jobs';
import { rationalVersions } from '../linalg/reference/rational';
import type { RationalCoefficients } from './fitRational';
import { initialCoefficients, type RationalInitializer } from './rationalInitializers';
import { rationalWithNoise } from './rationalOp';
import { requireType, requireVersion, type RationalType } from './rationalType';

/** What tfjs's own layers take: name, trainable, inputShape and so on. */
type LayerArguments = NonNullable<ConstructorParameters<typeof tf.layers.Layer>[0]>;

/** Options of {@link rational}, beside those of every layer of tfjs. */
export interface RationalConfig extends LayerArguments {
  /** Degrees [m, n] of numerator and denominator, each from 1 to 16. Default [3, 2]. */
  type?: RationalType;
  /**
   * What the denominator is, see {@link RationalVersion}. In A to D it is never 0. In N and boulle it may become 0, and then outputs and
   * gradients are not finite; natgrad's optimizers leave the weights as they are in such a step. In training, D multiplies every
   * coefficient with a number drawn uniformly from [0.9, 1.1). Default 'B'.
   */
  version?: RationalVersion;
  /** Default 'relu': of type [3, 2] that of Boulle et al., else a fit on [-3, 3]. */
  initializer?: RationalInitializer;
  /** One function for all units, or one per unit. Default true. */
  shared?: boolean;
  /** With `shared: false`, the axes (counted from 1; 0 is the batch) along which units share a function, as in tfjs's prelu. */
  sharedAxes?: number | number[] | null;
  /** Brings x into [-clip, clip] first, which bounds its powers; beyond, the gradient by x is 0. Default null: off. */
  clip?: number | null;
  /** Of the noise of version D. Default 0. */
  seed?: number;
}

const ownOptions = ['type', 'version', 'initializer', 'shared', 'sharedAxes', 'clip', 'seed'];
const ofEveryLayer = 'inputShape batchInputShape batchSize dtype name trainable weights inputDType'.split(
  ' ',
);
const knownOptions = [...ownOptions, ...ofEveryLayer];

/**
 * An activation with trainable coefficients, y = P(x) / Q(x) with polynomials P and Q: a layer of tfjs. Its weights are the numerators
 * [..., m + 1] and the denominators [..., n] ([..., n + 1] in versions C and boulle), lowest power first.
 *
 * (N. Boulle, Y. Nakatsukasa and A. Townsend, "Rational neural networks", NeurIPS 2020; D. Zhang, "Optimizing rational neural networks
 * with natural gradient descent", trains the coefficients by their own natural gradient, which natgrad's optimizers do.)
 */
export class Rational extends tf.layers.Layer {
  static readonly className = 'Rational';

  private readonly type: RationalType;
  private readonly version: RationalVersion;
  private readonly coefficients: RationalCoefficients;
  private readonly shared: boolean;
  private readonly sharedAxes: number[];
  private readonly clip: number | null;
  private readonly seed: number;
  private numerator!: ReturnType<tf.layers.Layer['addWeight']>;
  private denominator!: ReturnType<tf.layers.Layer['addWeight']>;
  /** How often noise was drawn. */
  private draws = 0;

  /** @throws NatgradError ERR_NATGRAD_ARGUMENT or ERR_NATGRAD_SHAPE for an unknown option or a value out of range */
  constructor(config: RationalConfig = {}) {
    super(config);
    const unknown = Object.keys(config).find((key) => !knownOptions.includes(key));
    if (unknown !== undefined) refuse(`'${unknown}' is not an option`, `use ${ownOptions.join(', ')}`);
    const { type = [3, 2], version = 'B', initializer = 'relu', shared = true } = config;
    const { sharedAxes, clip = null, seed = 0 } = config;
    requireType(type);
    requireVersion(version);
    if (typeof shared !== 'boolean') refuse(`shared is ${String(shared)}`, 'give true or false');
    this.type = [...type];
    this.version = version;
    this.coefficients = initialCoefficients(initializer, type, version);
    this.shared = shared;
    this.sharedAxes = [sharedAxes ?? []].flat();
    if (!this.sharedAxes.every((axis) => Number.isInteger(axis) && axis >= 1)) {
      refuse(`sharedAxes is ${JSON.stringify(sharedAxes)}`, 'give axes from 1 on, e.g. [1, 2]');
    }
    if (shared && this.sharedAxes.length > 0) {
      refuse('sharedAxes is given with shared: true', 'set shared: false for one function per unit');
    }
    if (clip !== null && !(Number.isFinite(clip) && clip > 0)) {
      refuse(`clip is ${String(clip)}`, 'give a positive number, or null');
    }
    this.clip = clip;
    if (!Number.isSafeInteger(seed) || seed < 0)
      refuse(`seed is ${String(seed)}`, 'give an integer of at least 0');
    this.seed = seed;
    this.supportsMasking = true;
  }

  override build(inputShape: tf.Shape | tf.Shape[]): void {
    const shape = oneOf<tf.Shape>(
      Array.isArray(inputShape[0]) ? (inputShape as tf.Shape[]) : [inputShape as tf.Shape],
    );
    const units = this.shared
      ? []
      : shape.slice(1).map((size, i) => (this.sharedAxes.includes(i + 1) ? 1 : size));
    const far = this.sharedAxes.find((axis) => axis >= shape.length);
    if (far !== undefined)
      refuse(`sharedAxes holds ${far}`, `an input of shape [${shape.join(', ')}] has no such axis`);
    const open = units.indexOf(null);
    if (open >= 0) {
      refuse(
        `axis ${open + 1} of the input has no fixed size`,
        `let units share a function along it: sharedAxes: [${open + 1}]`,
      );
    }
    const add = (name: 'numerator' | 'denominator') =>
      this.addWeight(
        name,
        [...units, this.coefficients[name].length],
        'float32',
        new SameForAll(this.coefficients[name]),
      );
    this.numerator = add('numerator');
    this.denominator = add('denominator');
    this.built = true;
  }

  override call(inputs: tf.Tensor | tf.Tensor[], kwargs: { training?: boolean }): tf.Tensor {
    return tf.tidy(() => {
      const x = oneOf([inputs].flat());
      const bounded = this.clip === null ? x : tf.clipByValue(x, -this.clip, this.clip);
      const noise = this.version === 'D' && kwargs.training ? this.drawNoise() : undefined;
      return rationalWithNoise(bounded, this.numerator.read(), this.denominator.read(), this.version, noise);
    });
  }

  private drawNoise(): number[] {
    const stream = randomStream(this.seed, this.draws++);
    const weights = [this.numerator, this.denominator];
    const count = weights.reduce((sum, { shape }) => sum + tf.util.sizeFromShape(shape as number[]), 0);
    return Array.from({ length: count }, () => 0.9 + 0.2 * stream.uniform());
  }

  override computeOutputShape(inputShape: tf.Shape | tf.Shape[]): tf.Shape | tf.Shape[] {
    return inputShape;
  }

  /** The coefficients the layer began with stand for any initializer, functions among them. */
  override getConfig(): tf.serialization.ConfigDict {
    return {
      ...super.getConfig(),
      type: this.type,
      version: this.version,
      initializer: { ...this.coefficients },
      shared: this.shared,
      sharedAxes: this.sharedAxes,
      clip: this.clip,
      seed: this.seed,
    };
  }

  static override fromConfig<T extends tf.serialization.Serializable>(
    cls: tf.serialization.SerializableConstructor<T>,
    config: tf.serialization.ConfigDict,
  ): T {
    const saved = { ...config };
    // tfjs adds a key of its own to the configuration it saved, and writes strings in lower case.
    delete saved.customObjects;
    const version = (saved.version as string).toLowerCase();
    saved.version = rationalVersions.find((name) => name.toLowerCase() === version)!;
    return new cls(saved);
  }
}

/**
 * Makes a {@link Rational} layer.
 *
 * @throws NatgradError ERR_NATGRAD_ARGUMENT or ERR_NATGRAD_SHAPE for an unknown option or a value out of range
 *
 * @example
 * tf.sequential({ layers: [tf.layers.dense({ units: 64, inputShape: [1] }), rational(), tf.layers.dense({ units: 1 })] });
 */
export function rational(config: RationalConfig = {}): Rational {
  return new Rational(config);
}

/** Gives every unit the same coefficients. */
class SameForAll extends tf.serialization.Serializable {
  constructor(private readonly coefficients: number[]) {
    super();
  }

  getConfig(): tf.serialization.ConfigDict {
    return { coefficients: this.coefficients };
  }

  fromConfigUsesCustomObjects(): boolean {
    return false;
  }

  apply(shape: tf.Shape): tf.Tensor {
    const { coefficients } = this;
    const size = tf.util.sizeFromShape(shape as number[]);
    const values = Float32Array.from({ length: size }, (_, i) => coefficients[i % coefficients.length]);
    return tf.tensor(values, shape as number[], 'float32');
  }
}

/** The only element of a list. */
function oneOf<T>(list: T[]): T {
  if (list.length === 1) return list[0];
  throw new NatgradError('ERR_NATGRAD_SHAPE', `rational: it takes one input, but was given ${list.length}.`);
}

function refuse(what: string, remedy: string): never {
  throw new NatgradError('ERR_NATGRAD_ARGUMENT', `rational: ${what}; ${remedy}.`);
}

tf.serialization.registerClass(Rational);
