/** Coefficients that a rational activation can start from. */
import { NatgradError } from '../errors';
import type { RationalVersion } from '../linalg/jobs';
import { fitRational, type RationalCoefficients } from './fitRational';
import { sizesOf, type RationalType } from './rationalType';

/** The functions that have a name. */
export type RationalFunctionName = 'relu' | 'leakyRelu' | 'tanh' | 'sigmoid' | 'swish' | 'gelu';

const functions: Record<RationalFunctionName, (x: number) => number> = {
  relu: (x) => Math.max(x, 0),
  leakyRelu: (x) => (x < 0 ? 0.01 * x : x),
  tanh: Math.tanh,
  sigmoid: (x) => 1 / (1 + Math.exp(-x)),
  swish: (x) => x / (1 + Math.exp(-x)),
  /** x times the normal distribution function, by its tanh approximation (D. Hendrycks and K. Gimpel, 2016). */
  gelu: (x) => 0.5 * x * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3))),
};

/**
 * Where coefficients start: a function by name, any function that is fitted by least squares on an interval (default [-3, 3]), or the
 * coefficients themselves, lowest power first.
 */
export type RationalInitializer =
  | RationalFunctionName
  | { function: (x: number) => number; interval?: [number, number] }
  | RationalCoefficients;

/**
 * The ReLU of Boulle, Nakatsukasa and Townsend ("Rational neural networks", NeurIPS 2020), type [3, 2], the best approximation on [-1, 1];
 * its error, 0.0219, is attained at 0 and at both ends. The coefficient of x in the denominator is 0.
 */
const boulle = { numerator: [0.0218, 0.5, 1.5957, 1.1915], square: 2.383 };

/** Fits that are known, all on [-3, 3] (the versions' published package); errors 0.030 and 0.114, at 0. */
const known: ({
  type: string;
  version: RationalVersion;
  name: RationalFunctionName;
} & RationalCoefficients)[] = [
  {
    type: '5,4',
    version: 'A',
    name: 'relu',
    numerator: [0.02996, 0.6169, 2.3753, 3.066, 1.5247, 0.2528],
    denominator: [-1.1916, 4.408, 0.911, 0.3488],
  },
  {
    type: '3,2',
    version: 'A',
    name: 'leakyRelu',
    numerator: [0.1144, 0.5892, 0.5424, 0.1329],
    denominator: [0.2075, 0.2073],
  },
];

/**
 * The coefficients that an initializer stands for. `relu` of type [3, 2] is Boulle's, except in version A, where the gradient of a
 * coefficient that is 0 is 0 for ever.
 *
 * @throws NatgradError ERR_NATGRAD_ARGUMENT for an unknown name or what is no initializer; ERR_NATGRAD_SHAPE where the number of
 *   coefficients is not that of the type; what {@link fitRational} throws
 */
export function initialCoefficients(
  initializer: RationalInitializer,
  type: RationalType,
  version: RationalVersion,
): RationalCoefficients {
  if (typeof initializer === 'string') return named(initializer, type, version);
  if (typeof initializer === 'object' && initializer !== null) {
    if ('function' in initializer) {
      const { numerator, denominator } = fitRational(initializer.function, {
        type,
        version,
        interval: initializer.interval,
      });
      return { numerator, denominator };
    }
    if ('numerator' in initializer) return given(initializer, type, version);
  }
  throw new NatgradError(
    'ERR_NATGRAD_ARGUMENT',
    `initializer is ${String(initializer)}; give one of ${Object.keys(functions).join(', ')}, {function, interval} or {numerator, denominator}.`,
  );
}

function named(
  name: RationalFunctionName,
  type: RationalType,
  version: RationalVersion,
): RationalCoefficients {
  if (!Object.hasOwn(functions, name)) {
    throw new NatgradError(
      'ERR_NATGRAD_ARGUMENT',
      `initializer is '${name}'; use one of ${Object.keys(functions).join(', ')}, or give {function, interval} or {numerator, denominator}.`,
    );
  }
  if (name === 'relu' && type.join() === '3,2' && version !== 'A') {
    const { numerator, square } = boulle;
    return { numerator: [...numerator], denominator: [...firstCoefficients(version), 0, square] };
  }
  const fit = known.find(
    (entry) => entry.name === name && entry.type === type.join() && entry.version === version,
  );
  if (fit) return { numerator: [...fit.numerator], denominator: [...fit.denominator] };
  const { numerator, denominator } = fitRational(functions[name], { type, version });
  return { numerator, denominator };
}

/** b_0 of the versions that have one, where Q(0) is to be 1. */
function firstCoefficients(version: RationalVersion): number[] {
  if (version === 'boulle') return [1];
  return version === 'C' ? [0.9] : [];
}

function given(
  { numerator, denominator }: RationalCoefficients,
  type: RationalType,
  version: RationalVersion,
): RationalCoefficients {
  const [numeratorSize, denominatorSize] = sizesOf(type, version);
  const check = (values: unknown, size: number, name: string) => {
    if (!Array.isArray(values) || values.length !== size || !values.every(Number.isFinite)) {
      throw new NatgradError(
        'ERR_NATGRAD_SHAPE',
        `initializer.${name} must be ${size} finite numbers, lowest power first, for type [${type.join(', ')}] in version ${version}.`,
      );
    }
  };
  check(numerator, numeratorSize, 'numerator');
  check(denominator, denominatorSize, 'denominator');
  return { numerator: [...numerator], denominator: [...denominator] };
}
