/**
 * Which block each layer of the tape gets: the structure that was chosen where the layer has the form for it, otherwise the finest block
 * for its kind, and the naive diagonal last. Nothing trainable is left out, and every coarser block says why.
 * Rational activations have few coefficients and get their exact block, whatever the structure.
 */
import { NatgradError } from '../errors';
import { matchesName, type NamePattern } from '../names';
import type { Layer } from '../tape/types';
import type { CurvatureBlock } from './block';
import { fallbackBlock, naiveDiagonal } from './fallbacks';
import { rationalBlock, whyNotRational } from './rational';
import { shapeOf, type CommonOptions, type Covered } from './structure';
import { chosen, type CurvatureOption } from './structures';

/** A user's choice of structure for the variables whose name matches. */
export interface BlockRule {
  /** Which variables the rule is for, by name. */
  match: NamePattern;
  curvature: CurvatureOption;
}

export interface CoverOptions extends CommonOptions {
  curvature: CurvatureOption;
  /** Exceptions from `curvature`; the first that matches wins. */
  rules: BlockRule[];
}

/**
 * The blocks of layers that have none yet, which together cover each of them once. A block that spans layers covers the layers of one
 * call.
 *
 * @throws NatgradError ERR_NATGRAD_UNSUPPORTED_LAYER where `strict` forbids the fallback that a layer needs, ERR_NATGRAD_NO_MEMORY where a
 *   block would not fit
 */
export function coverLayers(layers: Layer[], options: CoverOptions): Covered[] {
  const spanned: Layer[] = [];
  const { structure, own } = chosen(options.curvature);
  const covered = layers.flatMap((layer): Covered[] => {
    const rule = ruleFor(layer, options.rules);
    if (!rule && layer.kind !== 'rational' && structure.cover && structure.obstacle(layer, options) === '') {
      spanned.push(layer);
      return [];
    }
    return [{ layers: [layer], block: layerBlock(layer, options, rule) }];
  });
  if (spanned.length > 0) covered.push(...structure.cover!(spanned, options, own));
  // In the order of the layers, so that a reloaded model finds its blocks again.
  const place = ({ layers: [first] }: Covered) => layers.indexOf(first);
  return covered.sort((a, b) => place(a) - place(b));
}

function ruleFor(layer: Layer, rules: BlockRule[]): BlockRule | undefined {
  return rules.find(({ match }) => layer.variables.some(({ name }) => matchesName(match, name)));
}

function layerBlock(layer: Layer, options: CoverOptions, rule: BlockRule | undefined): CurvatureBlock {
  const { name, structure, own } = chosen(rule?.curvature ?? options.curvature);
  if (rule && name === 'diagonal') return naiveDiagonal(layer, options, 'asked for');
  const isRational = layer.kind === 'rational';
  if (isRational && whyNotRational(layer) === '') return rationalBlock(layer, options);
  const obstacle = isRational ? whyNotRational(layer) : structure.obstacle(layer, options);
  if (!obstacle) return structure.block(layer, options, own);
  // A Kronecker product that a layer has in place of the same, in blocks of columns, is not a coarser one.
  const reason = name === 'kroneckerFactored' ? '' : obstacle;
  const fallback = fallbackBlock(layer, options, reason);
  if (fallback) return fallback;
  if (options.strict) {
    throw new NatgradError(
      'ERR_NATGRAD_UNSUPPORTED_LAYER',
      `'${shapeOf(layer).names.join("', '")}' cannot have the curvature '${name}'${rule ? ', as `blocks` asks' : ''}: ${obstacle}. ` +
        'Set `strict: false` to let it have the diagonal of the Fisher matrix.',
    );
  }
  return naiveDiagonal(layer, options, obstacle);
}
