import {
  structures,
  type CurvatureOption,
  type StructureName,
  type StructureOptions,
} from '../../curvature/structures';
import { NatgradError } from '../../errors';
import { requireConfiguration, type NaturalGradientConfig } from '../config';
import { NaturalGradientOptimizer } from '../NaturalGradientOptimizer';

/** Options of a preset: those of the optimizer but for `curvature`, which it chooses, and those of its structure. */
export type PresetConfig<Name extends StructureName> = Omit<NaturalGradientConfig, 'curvature'> &
  Omit<Extract<StructureOptions, { structure: Name }>, 'structure'>;

/**
 * An optimizer with the given structure, and with defaults of its own in place of those of the class.
 *
 * @param config what the user gave; wins over `defaults`
 */
export function preset<Name extends StructureName>(
  structure: Name,
  defaults: Partial<PresetConfig<Name>>,
  config: PresetConfig<Name>,
): NaturalGradientOptimizer {
  requireConfiguration(config);
  if ((config as NaturalGradientConfig).curvature !== undefined) {
    throw new NatgradError(
      'ERR_NATGRAD_ARGUMENT',
      `curvature has no effect on a preset, which stands for '${structure}'; choose another preset, or structures of single layers by blocks.`,
    );
  }
  const given = Object.entries<unknown>(config).filter(([, value]) => value !== undefined);
  const all: Record<string, unknown> = { ...defaults, ...Object.fromEntries(given) };
  const isOwn = ([name]: [string, unknown]) => Object.hasOwn(structures[structure].options, name);
  const own = Object.fromEntries(Object.entries(all).filter(isOwn));
  const common = Object.fromEntries(Object.entries(all).filter((entry) => !isOwn(entry)));
  const curvature = Object.keys(own).length > 0 ? { structure, ...own } : structure;
  return new NaturalGradientOptimizer({ ...common, curvature: curvature as CurvatureOption });
}
