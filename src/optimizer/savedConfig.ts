/**
 * The configuration of an optimizer as JSON, as tfjs saves it in a model's topology, and back. What JSON cannot hold is said, not lost
 * in silence.
 */
import { restorePattern, savePattern } from '../names';
import { LearningRateMultipliers, restoreMultipliers } from '../step/learningRateMultipliers';
import { restoreSchedule, saveSchedule } from '../step/scheduleConfig';
import { L2, restoreDecay, WeightDecay } from '../step/weightDecay';
import { CHOSEN, effectiveConfig, type NaturalGradientConfig, type ResolvedConfig } from './config';

type Json = Record<string, unknown>;

const scheduled = ['learningRate', 'momentum', 'damping', 'preconditionerDamping', 'factorDecay'] as const;

/** A configuration of JSON values only. Schedules that are plain functions are saved as their value at `step`, with a warning. */
export function saveConfig(config: ResolvedConfig, step: number): Json {
  const saved: Json = { ...config };
  for (const key of scheduled) {
    const value = config[key];
    if (typeof value === 'number' || typeof value === 'function') saved[key] = saveSchedule(value, step, key);
  }
  saved.learningRateMultipliers = new LearningRateMultipliers(config.learningRateMultipliers).config();
  saved.weightDecay = new WeightDecay(config.weightDecay).config(step);
  saved.l2 = new L2(config.l2).config(step);
  saved.blocks = config.blocks.flatMap(({ match, curvature }, i) =>
    savePattern(match, `blocks[${i}].match`).map((pattern) => ({ match: pattern, curvature })),
  );
  saved.potentials = config.potentials.flatMap(({ match, potential }, i) => {
    if (typeof potential === 'object') {
      console.warn(
        `natgrad: potentials[${i}].potential is an object, which cannot be saved; give it again after loading.`,
      );
      return [];
    }
    return savePattern(match, `potentials[${i}].match`).map((pattern) => ({ match: pattern, potential }));
  });
  if (typeof config.fisher === 'object') {
    const { distribution, output, ...rest } = config.fisher;
    if (typeof distribution === 'object') {
      console.warn(
        'natgrad: fisher.distribution is an object, which cannot be saved; give it again after loading.',
      );
    }
    const named = typeof distribution === 'string' ? { distribution } : {};
    const pattern = output === undefined ? [] : savePattern(output, 'fisher.output');
    saved.fisher = { ...rest, ...named, ...(pattern.length > 0 ? { output: pattern[0] } : {}) };
  }
  const effective = effectiveConfig(config);
  return Object.fromEntries(Object.entries(saved).filter(([key]) => key in effective));
}

/** The configuration that `saveConfig` saved. */
export function restoreConfig(saved: Json): NaturalGradientConfig {
  const config: Json = { ...saved };
  for (const key of scheduled) {
    const value = saved[key] as Json | string | null | undefined;
    const isSchedule = value !== null && value !== undefined && value !== CHOSEN;
    if (isSchedule && !(typeof value === 'object' && 'adapt' in value)) {
      config[key] = restoreSchedule(value, key);
    }
  }
  for (const key of ['weightDecay', 'l2']) {
    if (saved[key] !== undefined) config[key] = restoreDecay(saved[key], key);
  }
  if (saved.learningRateMultipliers !== undefined) {
    config.learningRateMultipliers = restoreMultipliers(saved.learningRateMultipliers);
  }
  if (Array.isArray(saved.blocks)) {
    config.blocks = saved.blocks.map((rule: Json) => ({ ...rule, match: restorePattern(rule.match) }));
  }
  if (Array.isArray(saved.potentials)) {
    config.potentials = saved.potentials.map((rule: Json) => ({
      ...rule,
      match: restorePattern(rule.match),
    }));
  }
  const fisher = saved.fisher as Json | string | undefined;
  if (typeof fisher === 'object' && fisher.output !== undefined) {
    config.fisher = { ...fisher, output: restorePattern(fisher.output) };
  }
  return config;
}
