import { NatgradError, requireKeys, shown } from '../errors';
import {
  matchesName,
  namePatterns,
  restorePattern,
  savePattern,
  type NamePattern,
  type PatternConfig,
} from '../names';
import { requireNonNegative } from './schedule';

/** A learning rate of their own for the variables with matching names: `factor` times that of all others. */
export interface LearningRateMultiplier {
  match: NamePattern | NamePattern[];
  /** A finite number of at least 0. */
  factor: number;
}

/** A {@link LearningRateMultiplier} as JSON. */
interface MultiplierConfig {
  match: PatternConfig[];
  factor: number;
}

/** The option that `LearningRateMultipliers.config` saved. */
export function restoreMultipliers(saved: unknown): LearningRateMultiplier[] {
  return (saved as MultiplierConfig[]).map(({ match, factor }) => ({
    match: match.map(restorePattern),
    factor,
  }));
}

/**
 * Learning rates that differ by variable. D. Zhang ("Optimizing rational neural networks with natural gradient descent") lets the
 * coefficients of rational activations move ten times slower than the weights: `{match: /numerator|denominator/, factor: 0.1}`.
 */
export class LearningRateMultipliers {
  private readonly rules: { match: NamePattern[]; factor: number }[];

  /** @throws NatgradError ERR_NATGRAD_TYPE or ERR_NATGRAD_ARGUMENT for what is no list of {match, factor} */
  constructor(option: LearningRateMultiplier[]) {
    if (!Array.isArray(option)) {
      throw new NatgradError(
        'ERR_NATGRAD_TYPE',
        `learningRateMultipliers is ${shown(option)}; give an array of {match, factor}.`,
      );
    }
    this.rules = option.map((rule, i) => {
      const argument = `learningRateMultipliers[${i}]`;
      requireKeys(rule, ['match', 'factor'], argument);
      const { match, factor } = rule;
      if (match === undefined) {
        throw new NatgradError(
          'ERR_NATGRAD_ARGUMENT',
          `${argument}.match is missing; say which variables the factor is for.`,
        );
      }
      return {
        match: namePatterns(match, `${argument}.match`),
        factor: requireNonNegative(factor, `${argument}.factor`),
      };
    });
  }

  /** What the learning rate of a variable is multiplied with: the factor of the first rule that picks its name, else 1. */
  factor(variableName: string): number {
    const rule = this.rules.find(({ match }) => match.some((pattern) => matchesName(pattern, variableName)));
    return rule?.factor ?? 1;
  }

  /** The option as JSON; patterns that are functions are left out with a warning, and so is a rule that has no others. */
  config(): MultiplierConfig[] {
    return this.rules.flatMap(({ match, factor }, i) => {
      const patterns = match.flatMap((pattern) =>
        savePattern(pattern, `learningRateMultipliers[${i}].match`),
      );
      return patterns.length > 0 ? [{ match: patterns, factor }] : [];
    });
  }
}
