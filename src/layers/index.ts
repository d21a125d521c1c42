/**
 * Layers of tfjs that go with natural gradients: rational activations, whose coefficients are trained with the weights.
 *
 * @packageDocumentation
 */
export { rational, Rational, type RationalConfig } from './rational';
export { fitRational, type FitOptions, type RationalCoefficients, type RationalFit } from './fitRational';
export type { RationalFunctionName, RationalInitializer } from './rationalInitializers';
export type { RationalType } from './rationalType';
export type { RationalVersion } from '../linalg/jobs';
