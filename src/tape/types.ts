import type * as tf from '@tensorflow/tfjs';

import type { ConvGeometry, RationalLayout } from '../linalg/jobs';

/** One node of tfjs's autodiff tape, as far as this package reads it. */
export interface TapeNode {
  id: number;
  kernelName: string;
  inputs: Record<string, tf.Tensor>;
  outputs: tf.Tensor[];
  saved?: tf.Tensor[];
  gradient?: (dys: tf.Tensor[]) => Record<string, () => tf.Tensor>;
}

/** What the variables of one group do to their input. */
export type LayerKind =
  | 'dense' // z = a W (+ b); Dense, 1x1 convolutions as such, and the kernels of SimpleRNN, LSTM, GRU
  | 'conv2d' // z = conv2d(a, W) (+ b), NHWC; also Conv1D
  | 'depthwiseConv2d'
  | 'conv2dTranspose' // z = the gradient of conv2d by its input at a: Conv2DTranspose
  | 'embedding' // z = rows of W picked by indices
  | 'scaleShift' // z = gamma * xhat + beta: BatchNorm and LayerNorm in training
  | 'rational' // z = P(a) / Q(a), elementwise, with trainable coefficients
  | 'bias' // a bias that is no part of a group above
  | 'other'; // not understood: only its gradient is known

/**
 * One place of the graph where a group of variables is used. `activation` and `output` are tensors of the tape and live only
 * while it does.
 */
export interface Use {
  /**
   * What the kernel is applied to: rows [.., in] for dense, NHWC for convolutions, int32 indices for embedding, xhat for scaleShift, x for
   * rational.
   */
  activation?: tf.Tensor;
  /** The pre-activation z; the tensor whose gradient is g. */
  output: tf.Tensor;
  /** Shape [rows, out] as which `output` and its gradient are read: rows = examples x positions. */
  rows: number;
  /** conv2d and depthwiseConv2d only. */
  geometry?: ConvGeometry;
  /** conv2dTranspose only: where the patches of `output` lie, one per pixel of `activation`. */
  outputGeometry?: ConvGeometry;
  /** The kernel is used transposed, z = a W': dense, and conv2dTranspose always. */
  transposed?: boolean;
  /** GRU's recurrent kernel is used in two blocks of columns: where this use's block begins and how wide it is. */
  columns?: { begin: number; size: number };
  /** rational only. */
  rational?: RationalCall;
}

/** How a rational activation was computed. */
export interface RationalCall extends RationalLayout {
  /** [groups, numeratorSize] and [groups, denominatorSize], in any shape; tensors of the tape. */
  numerator: tf.Tensor;
  denominator: tf.Tensor;
  /** What the coefficients were multiplied with, [groups, numeratorSize + denominatorSize]; all ones if undefined. */
  noise?: Float32Array;
}

/** The function f that some columns of a layer's output z go through next. */
export interface Nonlinearity {
  kind: 'linear' | 'rectifier' | 'elu' | 'sigmoid' | 'hardSigmoid' | 'tanh' | 'softmax';
  /** Where the columns begin, and how many they are. */
  begin: number;
  size: number;
  /**
   * What tfjs keeps of it, [rows, size]: for a rectifier its argument z (what was added to the output on the way included), for a hard
   * sigmoid 0.2 z + 0.5 before it is clipped, for all others f(z). Undefined for 'linear'.
   */
  values?: tf.Tensor;
  /** Rectifier: its slope for negative arguments. */
  slope?: number;
}

/** A group of variables that share their curvature block: a kernel with its bias, a gamma with its beta, or one variable alone. */
export interface Layer {
  kind: LayerKind;
  /** In the order kernel, bias (gamma, beta; numerator, denominator). Missing members of the group are undefined. */
  variables: tf.Variable[];
  /** Names the role of each entry of `variables`. */
  roles: ('kernel' | 'bias' | 'gamma' | 'beta' | 'table' | 'numerator' | 'denominator' | 'variable')[];
  /**
   * Size of one input row (patch, of all channels) and one output row (of a transposed convolution, patch); 0 where it has no meaning.
   * For an embedding the number of its rows; for rational both are the elements of all groups; for a kernel that is used in blocks of
   * columns, all of its columns.
   */
  inputSize: number;
  outputSize: number;
  uses: Use[];
  /**
   * Whether the gradients of its variables are what autodiff makes of the rows of its one use and of nothing else: a' g for the kernel,
   * the sum of the rows of g for the bias.
   */
  gradientIsProduct?: boolean;
  /**
   * Layers with a kernel whose outputs reach the input of this one through no other kernel; empty at the inputs of the network. Only of
   * layers with a kernel.
   */
  feeders?: Layer[];
  /** Why the group is 'other' or 'bias', in words for `summary()`. */
  reason?: string;
}

/** The kind of predictive distribution that a tensor of the graph parameterises. */
export type Distribution = 'categorical' | 'bernoulli' | 'gaussian' | 'gaussianWithVariance';

/** A tensor that parameterises a predictive distribution, found by walking back from the loss. */
export interface Head {
  distribution: Distribution;
  /**
   * Logits of categorical (last axis) and bernoulli, mean of gaussian, means and then variances of gaussianWithVariance. It names what to seed: a model releases it as soon as it is
   * used, so its values may be gone (`isDisposed`) when the loss is there.
   */
  parameters: tf.Tensor;
  /** Softmax or sigmoid of the parameters; always there for categorical and bernoulli, and readable. */
  probabilities?: tf.Tensor;
  /** Gaussian: the other side of the difference, the target, where the loss has one. */
  target?: tf.Tensor;
  /** One number per row that its loss is multiplied with, where the user gave them; readable. */
  weights?: tf.Tensor;
}

/** What `record` hands to its callback once the forward pass is on the tape and nothing is released yet. */
export interface Recording {
  /** The user's loss. */
  loss: tf.Scalar;
  layers: Layer[];
  /** Empty when no predictive distribution was recognised; never guessed. */
  heads: Head[];
  /**
   * How many terms the loss averages over: the rows of the heads. Heads that are joined (stacked, concatenated) before the loss add
   * up, as the time steps of a sequence do; heads of separate losses that are added (several outputs) share their examples.
   * Without a head, the leading dimension of the first layer's output.
   */
  examples: number;
  /**
   * A tensor with the values of one of the tape: itself, or a copy that tfjs saved where the model has released it already. Undefined
   * if there is none. Belongs to the tape; only in `onForward`.
   */
  readable: (tensor: tf.Tensor) => tf.Tensor | undefined;
  /**
   * The functions that the outputs of a use go through next, which cover its columns once. Only in `onForward`; their values can be read
   * as long as the activations.
   */
  nonlinearities: (use: Use) => Nonlinearity[];
  /**
   * Reverse walk over the tape from seeded tensors (cotangents of their shape) to targets, keyed by tensor id. Only what lies on
   * a path is computed; the caller disposes the result (or is inside a tidy). Nothing of it is recorded.
   */
  backward: (seeds: ReadonlyMap<number, tf.Tensor>, targets: Iterable<tf.Tensor>) => Map<number, tf.Tensor>;
  /**
   * Forward walk over the tape: the derivatives of targets in the direction given by `tangents` (by tensor id, in the tensors' shapes), keyed
   * by tensor id; a target that no tangent reaches has none. The caller disposes the result (or is inside a tidy). Nothing of it is
   * recorded.
   */
  tangent: (tangents: ReadonlyMap<number, tf.Tensor>, targets: Iterable<tf.Tensor>) => Map<number, tf.Tensor>;
}

export interface RecordResult {
  value: tf.Scalar;
  /** By variable name, as tf.variableGrads gives them: no entry for a variable the loss does not depend on, null for one that is not trainable. */
  grads: tf.NamedTensorMap;
}

export interface RecordHooks {
  /**
   * After the user's function ran. What it returns are further tensors of the tape whose gradients (of the loss) are wanted.
   * Runs inside a tidy with recording off.
   */
  onForward(recording: Recording): tf.Tensor[] | void;
  /**
   * After the backward pass, with the gradients of those tensors, in order. If there were any, the activations of `layers` can still be
   * read. Runs inside a tidy.
   */
  onBackward?(recording: Recording, gradients: (tf.Tensor | null)[]): void;
}
