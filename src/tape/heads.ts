import * as tf from '@tensorflow/tfjs';

import { untaped } from './engine';
import type { Graph } from './graph';
import type { Keep } from './kernelUse';
import type { Observation } from './observe';
import type { Distribution, Head, TapeNode } from './types';

/**
 * Operations of which losses are made. The search for heads goes through these only: anything else is part of the network, and a
 * sigmoid behind it is a hidden one.
 */
const lossOperations = new Set(
  (
    'Add AddN Sub Multiply RealDiv DivNoNan Neg Log Log1p Exp Abs Square Sqrt Pow Sum Mean Max Min Maximum Minimum ClipByValue Relu ' +
    'Select Cast Identity Reshape ExpandDims Transpose Tile Concat Pack Unpack SplitV Slice StridedSlice GatherV2 GatherNd Reverse'
  ).split(' '),
);

/**
 * The heads of a loss, found by walking back from it. Nothing is guessed: a path ends without a head where it reaches a variable or an
 * operation that losses are not made of; softmax and sigmoid count only where a logarithm is taken of them on the way to the
 * loss; and of a squared difference exactly one side must depend on variables.
 *
 * @param keep takes over probabilities that are computed here, on first use
 */
export function findHeads(graph: Graph, keep: Keep): Head[] {
  const heads: Head[] = [];
  /** Tensors on a path to the loss, and whether a logarithm lies on such a path. */
  const wanted = new Map([[graph.loss.id, false]]);
  const settled = new Set<number>();
  for (let i = graph.nodes.length - 1; i >= 0; i--) {
    const node = graph.nodes[i];
    const reached = node.outputs.filter(({ id }) => wanted.has(id) && !settled.has(id));
    if (reached.length === 0 || usesVariable(node, graph)) continue;
    const logged = reached.some(({ id }) => wanted.get(id));
    const head = recognise(node, logged, graph, keep);
    if (head) {
      if (!settled.has(head.parameters.id)) heads.push(head);
      settled.add(head.parameters.id);
    }
    if (!lossOperations.has(node.kernelName)) continue;
    const isLogarithm = node.kernelName === 'Log' || node.kernelName === 'Log1p';
    for (const input in node.inputs) {
      const tensor = node.inputs[input];
      if (!graph.dependsOnVariables(tensor)) continue;
      wanted.set(tensor.id, wanted.get(tensor.id) || logged || isLogarithm);
    }
  }
  return heads.reverse();
}

/** The heads that the user declared, those that depend on no variable left out. */
export function observedHeads(observations: readonly Observation[], graph: Graph, keep: Keep): Head[] {
  const dependent = observations.filter(({ tensor }) => graph.isComputedFromVariables(tensor));
  return dependent.map(({ tensor, copy, distribution, weights }): Head => {
    if (distribution === 'gaussian' || distribution === 'gaussianWithVariance') {
      return { distribution, parameters: tensor, weights };
    }
    const probabilities = () => (distribution === 'categorical' ? tf.softmax(copy) : tf.sigmoid(copy));
    return headOf(distribution, tensor, keep, probabilities, weights);
  });
}

function recognise(node: TapeNode, logged: boolean, graph: Graph, keep: Keep): Head | undefined {
  const { inputs, saved } = node;
  switch (node.kernelName) {
    case 'Softmax':
      return logged ? headOf('categorical', inputs.logits, keep, saved![0]) : undefined;
    case 'Sigmoid':
      return logged ? headOf('bernoulli', inputs.x, keep, saved![0]) : undefined;
    case 'LogSoftmax':
      return headOf('categorical', inputs.logits, keep, () => tf.exp(saved![0]));
    case 'logSoftmax__op':
      return headOf('categorical', inputs[0], keep, () => tf.exp(saved![0]));
    case 'softmaxCrossEntropy__op': {
      const logits = inputs[1];
      // Labels that depend on variables too (distillation between trained networks) make it another loss.
      const isHead = graph.dependsOnVariables(logits) && !graph.dependsOnVariables(inputs[0]);
      return isHead ? headOf('categorical', logits, keep, () => tf.exp(saved![1])) : undefined;
    }
    case 'SquaredDifference':
      return difference(node, node, graph);
    case 'Square':
      return difference(node, graph.producerOf(inputs.x), graph);
    case 'Multiply':
      return inputs.a.id === inputs.b.id ? difference(node, graph.producerOf(inputs.a), graph) : undefined;
    case 'Log1p':
      return crossEntropyOfLogits(node, graph, keep);
    default:
      return undefined;
  }
}

/** (mean - target)^2 */
function difference(square: TapeNode, node: TapeNode | undefined, graph: Graph): Head | undefined {
  if (!node || (node !== square && node.kernelName !== 'Sub') || usesVariable(node, graph)) return undefined;
  const { a, b } = node.inputs;
  const [aDepends, bDepends] = [graph.dependsOnVariables(a), graph.dependsOnVariables(b)];
  if (aDepends === bDepends) return undefined;
  const parameters = aDepends ? a : b;
  if (parameters.size !== node.outputs[0].size) return undefined;
  return { distribution: 'gaussian', parameters, target: node.saved![aDepends ? 1 : 0] };
}

/**
 * max(x, 0) - x y + log(1 + exp(-|x|)), the cross-entropy of a Bernoulli distribution with logits x as tfjs writes it. Where x is itself a
 * logarithm of probabilities, they are the sigmoid's and the search goes on to it.
 */
function crossEntropyOfLogits(log1p: TapeNode, graph: Graph, keep: Keep): Head | undefined {
  let node: TapeNode | undefined = log1p;
  for (const kernel of ['Exp', 'Neg', 'Abs']) {
    node = graph.producerOf(node.inputs.x);
    if (node?.kernelName !== kernel) return undefined;
  }
  const { x } = node.inputs;
  const has = (kernel: string) => graph.consumersOf(x).some((edge) => edge.node.kernelName === kernel);
  if (!has('Relu') || !has('Multiply') || graph.isParameter(x) || !graph.dependsOnVariables(x))
    return undefined;
  if (graph.producerOf(x)?.kernelName === 'Log') return undefined;
  const [logits] = node.saved!;
  return headOf('bernoulli', x, keep, () => tf.sigmoid(logits));
}

function usesVariable(node: TapeNode, graph: Graph): boolean {
  for (const input in node.inputs) if (graph.isParameter(node.inputs[input])) return true;
  return false;
}

/** A head whose probabilities are on the tape, or are computed when somebody asks for them. */
function headOf(
  distribution: Distribution,
  parameters: tf.Tensor,
  keep: Keep,
  probabilities: tf.Tensor | (() => tf.Tensor),
  weights?: tf.Tensor,
): Head {
  if (typeof probabilities !== 'function') return { distribution, parameters, probabilities };
  let computed: tf.Tensor | undefined;
  return {
    distribution,
    parameters,
    ...(weights ? { weights } : {}),
    get probabilities() {
      return (computed ??= keep(untaped(() => tf.tidy(probabilities))));
    },
  };
}
