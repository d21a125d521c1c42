import type * as tf from '@tensorflow/tfjs';

import type { Attributes } from './attributes';
import type { Graph } from './graph';
import { classify } from './kernelUse';
import type { Classified, Keep } from './kernelUse';
import type { Layer, TapeNode } from './types';
import { usesOf } from './uses';

/** All that one variable does, if it does the same wherever it is used. */
interface Member {
  variable: tf.Variable;
  uses: Classified[];
  /** Whether its gradient is more than that of its uses. */
  penalised: boolean;
  /** Why the variable is not understood. */
  obstacle?: string;
}

/** A second member of a group, the first that it belongs to, and the outputs of the two together by the first one's node. */
interface Follower {
  leader: Member;
  member: Member;
  outputs: Map<number, tf.Tensor>;
}

/** Second members of a group and the roles of the first that they join. */
const joins: Partial<Record<Classified['role'], Classified['role'][]>> = {
  bias: ['kernel', 'gamma'],
  beta: ['gamma'],
  denominator: ['numerator'],
};

/** The roles of first members. */
const leading = new Set<Classified['role']>(Object.values(joins).flat());

/**
 * The variables in groups: every one in exactly one layer, in the order of `variables` by the first member of each group.
 *
 * @param keep takes over tensors that are made here and must live as long as the layers
 */
export function findLayers(
  variables: readonly tf.Variable[],
  graph: Graph,
  attributes: Attributes,
  keep: Keep,
): Layer[] {
  const members = [...new Set(variables)].map((variable) => describe(variable, graph, attributes, keep));
  const leaders = new Map<number, Member>();
  for (const member of members) {
    for (const { role, node } of member.uses) if (leading.has(role)) leaders.set(node.id, member);
  }
  const followers = new Map<Member, Follower>();
  const grouped = new Set<Member>();
  for (const member of members) {
    const found = leaderOf(member, leaders, graph);
    if (!found || followers.has(found.leader)) continue;
    followers.set(found.leader, found);
    grouped.add(member);
  }
  return members
    .filter((member) => !grouped.has(member))
    .map((member) => layerOf(member, followers.get(member)));
}

function describe(variable: tf.Variable, graph: Graph, attributes: Attributes, keep: Keep): Member {
  const { uses: found, penalised } = usesOf(variable, graph, attributes);
  const unknown = (obstacle: string): Member => ({ variable, uses: [], penalised, obstacle });
  if (found.length === 0) return unknown('the loss does not depend on it but for penalties');
  const uses: Classified[] = [];
  for (const use of found) {
    const classified = classify(use, attributes, keep);
    if (typeof classified === 'string') return unknown(classified);
    uses.push(classified);
  }
  const [first] = uses;
  for (const other of uses) {
    const sameSize =
      other.inputSize === first.inputSize && (other.outputSize === first.outputSize || other.use.columns);
    const sameWay =
      other.kind === first.kind && other.role === first.role && other.use.transposed === first.use.transposed;
    if (!sameWay || !sameSize) return unknown('it is used in several different ways');
  }
  return { variable, uses, penalised };
}

/** The member whose every use this one, a second member, goes with directly, once each; undefined if there is none. */
function leaderOf(member: Member, leaders: Map<number, Member>, graph: Graph): Follower | undefined {
  const outputs = new Map<number, tf.Tensor>();
  let leader: Member | undefined;
  for (const use of member.uses) {
    const node = adder(use, graph);
    const candidate = node && leaders.get(node.id);
    if (!candidate || (leader && candidate !== leader)) return undefined;
    leader = candidate;
    outputs.set(node.id, use.use.output);
  }
  if (!leader) return undefined;
  const [first] = leader.uses;
  const [own] = member.uses;
  const isWhole =
    outputs.size === member.uses.length && outputs.size === leader.uses.length && !first.use.columns;
  // The patches of a transposed convolution overlap, so that its kernel and its bias do not share their rows.
  const fits =
    joins[own.role]?.includes(first.role) &&
    own.outputSize === first.outputSize &&
    first.kind !== 'conv2dTranspose';
  return isWhole && fits ? { leader, member, outputs } : undefined;
}

/** The node whose output, and nothing else of it, the bias is added to. */
function adder({ node, addedTo, use }: Classified, graph: Graph): TapeNode | undefined {
  if (!addedTo) return node;
  if (addedTo.size !== use.output.size) return undefined;
  let between = addedTo;
  let producer = graph.producerOf(between);
  while (producer && graph.consumersOf(between).length === 1) {
    if (producer.kernelName !== 'Reshape') return producer;
    between = producer.inputs.x;
    producer = graph.producerOf(between);
  }
  return undefined;
}

function layerOf({ variable, uses, penalised, obstacle }: Member, follower?: Follower): Layer {
  if (obstacle !== undefined) {
    return {
      kind: 'other',
      variables: [variable],
      roles: ['variable'],
      inputSize: 0,
      outputSize: 0,
      uses: [],
      reason: obstacle,
    };
  }
  const [{ kind, role, inputSize, outputSize, use: first }] = uses;
  const inBlocks = uses.some(({ use }) => use.columns);
  const layer: Layer = {
    kind,
    variables: [variable],
    roles: [role],
    inputSize,
    outputSize: inBlocks ? variable.shape[variable.shape.length - 1] : outputSize,
    uses: uses.map(({ use }) => use),
  };
  if (kind === 'bias') layer.reason = 'it is not the bias of a single kernel';
  const isUsedOnce = kind === 'dense' && uses.length === 1 && !first.columns && !first.transposed;
  layer.gradientIsProduct = isUsedOnce && !penalised && !follower?.member.penalised;
  if (!follower) return layer;
  layer.variables.push(follower.member.variable);
  layer.roles.push(kind === 'rational' ? 'denominator' : role === 'gamma' ? 'beta' : 'bias');
  // The pre-activation is what the bias was added to already; the gradient of both tensors is the same.
  for (const { node, use } of uses) use.output = follower.outputs.get(node.id)!;
  return layer;
}
