import type * as tf from '@tensorflow/tfjs';

import type { Attributes } from './attributes';
import type { Graph } from './graph';
import type { Head, Nonlinearity, TapeNode, Use } from './types';

/** Nodes that end the search, with the function they are. What they save is what a {@link Nonlinearity} wants of them. */
const functions: Record<string, Nonlinearity['kind']> = {
  Relu: 'rectifier',
  Relu6: 'rectifier',
  LeakyRelu: 'rectifier',
  Elu: 'elu',
  Sigmoid: 'sigmoid',
  Tanh: 'tanh',
  Softmax: 'softmax',
};

const reshapes = new Set(['Reshape', 'ExpandDims', 'Identity', 'Cast']);

/** Columns of a layer's outputs on their way through the graph. */
interface Columns {
  tensor: tf.Tensor;
  begin: number;
  size: number;
}

/**
 * The functions that the outputs of a use go through next, which together cover its columns once: a recurrent kernel has one for each of
 * its gates. Sums (with a bias, or with the outputs of another kernel) and batch normalisation lie in between; anything that is not
 * known, or that is one of several uses of the outputs, counts as linear.
 */
export function nonlinearitiesOf(
  use: Use,
  heads: readonly Head[],
  graph: Graph,
  attributes: Attributes,
): Nonlinearity[] {
  const { shape } = use.output;
  return follow({ tensor: use.output, begin: 0, size: shape[shape.length - 1] });

  function follow({ tensor, begin, size }: Columns): Nonlinearity[] {
    const head = heads.find(({ parameters }) => parameters.id === tensor.id);
    if (head?.probabilities) {
      const kind = head.distribution === 'categorical' ? 'softmax' : 'sigmoid';
      return [{ kind, begin, size, values: head.probabilities }];
    }
    const linear: Nonlinearity = { kind: 'linear', begin, size };
    const normalised = throughNormalisation(tensor, graph);
    if (normalised) return follow({ tensor: normalised, begin, size });
    const consumers = graph.consumersOf(tensor);
    if (consumers.length !== 1) return [linear];
    const [{ node }] = consumers;
    const [output] = node.outputs;
    const known = functions[node.kernelName];
    if (known) {
      const slope = node.kernelName === 'LeakyRelu' ? (attributes.of(node)?.alpha as number) : 0;
      return [
        { kind: known, begin, size, values: node.saved![0], ...(known === 'rectifier' ? { slope } : {}) },
      ];
    }
    if (node.kernelName === 'SplitV') {
      return isAlongColumns(node, attributes) ? split(node, begin).flatMap(follow) : [linear];
    }
    if (node.kernelName === 'Multiply') {
      const clip = hardSigmoid(node, graph);
      return clip ? [{ kind: 'hardSigmoid', begin, size, values: clip.saved![0] }] : [linear];
    }
    const passes = reshapes.has(node.kernelName) || node.kernelName === 'Add';
    const sameColumns = output.size === tensor.size && output.shape[output.shape.length - 1] === size;
    return passes && sameColumns ? follow({ tensor: output, begin, size }) : [linear];
  }
}

/** What batch normalisation, which takes the mean and the variance of a tensor besides, makes of it. */
function throughNormalisation(tensor: tf.Tensor, graph: Graph): tf.Tensor | undefined {
  for (const { node, input } of graph.consumersOf(tensor)) {
    const [output] = node.outputs;
    if (node.kernelName === 'FusedBatchNorm' && input === 'x') return output;
    const normalised = reshapes.has(node.kernelName) ? throughNormalisation(output, graph) : undefined;
    if (normalised) return normalised;
  }
  return undefined;
}

function isAlongColumns(node: TapeNode, attributes: Attributes): boolean {
  const axis = attributes.of(node)?.axis;
  return axis === -1 || axis === node.inputs.x.shape.length - 1;
}

function split(node: TapeNode, begin: number): Columns[] {
  return node.outputs.map((tensor) => {
    const size = tensor.shape[tensor.shape.length - 1];
    const columns = { tensor, begin, size };
    begin += size;
    return columns;
  });
}

/** clip(0.2 z + 0.5, 0, 1) as tfjs-layers computes it: the node that clips, given the one that multiplies. */
function hardSigmoid(multiplication: TapeNode, graph: Graph): TapeNode | undefined {
  let node = multiplication;
  for (const next of ['Add', 'ClipByValue']) {
    const consumers = graph.consumersOf(node.outputs[0]);
    const isByConstant = Object.values(node.inputs).some(
      (other) => other.size === 1 && !graph.dependsOnVariables(other),
    );
    if (!isByConstant || consumers.length !== 1 || consumers[0].node.kernelName !== next) return undefined;
    [{ node }] = consumers;
  }
  return node;
}
