/**
 * How a kernel carries directions in its inputs to directions in its outputs. Kernels fall into few kinds, and each kind has one rule; the
 * values that a rule needs are those tfjs saved on the tape for the kernel's gradient.
 */
import * as tf from '@tensorflow/tfjs';

import type { Attributes, KernelAttributes } from './attributes';
import { einsumTangent } from './einsumTangent';
import { engine } from './engine';
import { localResponseTangent } from './localResponseTangent';
import { maxPoolTangent } from './maxPoolTangent';
import type { TapeNode } from './types';

/** The direction in an input; undefined where it is zero. */
export type TangentOf = (input: string) => tf.Tensor | undefined;

/** A node with what its rule may ask for. */
export interface TangentStep {
  node: TapeNode;
  /** What tfjs saved for the kernel's gradient. */
  saved: tf.Tensor[];
  tangent: TangentOf;
  attributes: () => KernelAttributes;
}

/** The directions of a node's outputs, of which at least one input has a direction. Runs in a tidy. */
export type TangentRule = (step: TangentStep) => tf.Tensor | tf.Tensor[];

const names = (list: string): string[] => list.split(' ');

const table = <T>(list: string, value: T): [string, T][] => names(list).map((name) => [name, value]);

/** Kernels that are constant almost everywhere: no direction passes through them. */
const constant = new Set(
  names(
    'Floor Ceil Round Sign Step FloorDiv ArgMax ArgMin OneHot ZerosLike OnesLike IsFinite IsInf IsNan Equal NotEqual Greater ' +
      'GreaterEqual Less LessEqual LogicalAnd LogicalOr LogicalNot Range Fill',
  ),
);

/**
 * Functions of one tensor with a symmetric Jacobian: those of each element by itself, and the softmax, whose Jacobian is
 * diag(y) - y y'. There the gradient's rule, J' v, is the tangent's.
 */
const symmetric =
  'Abs Acos Acosh Asin Asinh Atan Atanh ClipByValue Cos Cosh Elu Erf Exp Expm1 LeakyRelu Log Log1p Reciprocal Relu6 Rsqrt Selu ' +
  'Sigmoid Sin Sinh Softmax Softplus Sqrt Square Tan Tanh logSigmoid__op';

/** Linear functions of one tensor: the kernel itself, applied to the direction. */
const linear =
  'AvgPool AvgPool3D BatchToSpaceND BroadcastTo Cumsum DepthToSpace Mean MirrorPad Neg ResizeBilinear ResizeNearestNeighbor Reverse Slice ' +
  'SpaceToBatchND SplitV StridedSlice Sum Tile Transpose Unpack';

/** Functions that only show their input in another shape. */
const reshapes = 'Identity Reshape ExpandDims';

const rules = new Map<string, TangentRule>([
  ...table<TangentRule>(symmetric, bySymmetry),
  ...table<TangentRule>(linear, (step) => rerun(step)),
  ...table<TangentRule>(reshapes, ({ node, tangent }) =>
    tf.reshape(tangent(Object.keys(node.inputs)[0])!, node.outputs[0].shape),
  ),
  ['Relu', ({ saved, tangent }) => tf.mul(tangent('x')!, tf.step(saved[0]))],
  ['PadV2', (step) => rerun(step, { ...step.attributes(), constantValue: 0 })],
  ...table<TangentRule>('AddN Concat Pack', joined),
  ['GatherV2', (step) => run(step, { x: step.tangent('x')!, indices: step.saved[1] })],
  ['UnsortedSegmentSum', (step) => run(step, { x: step.tangent('x')!, segmentIds: step.saved[0] })],
  ['Select', selection],

  ['BatchMatMul', bilinear('a', 'b')],
  ['Conv2D', bilinear('x', 'filter')],
  ['Conv3D', bilinear('x', 'filter')],
  ['DepthwiseConv2dNative', bilinear('x', 'filter')],
  ['Conv2DBackpropInput', bilinear('dy', 'filter')],
  ['Einsum', ({ node, saved, tangent, attributes }) => einsumTangent(node, saved, tangent, attributes())],
  ['fusedMatMul__op', fused('BatchMatMul', ['a', 'b'], [0, 1])],
  ['fusedConv2d__op', fused('Conv2D', ['x', 'filter'], [1, 0])],
  ['fusedDepthwiseConv2d__op', fused('DepthwiseConv2dNative', ['x', 'filter'], [1, 0])],

  ['Add', byPartials(() => [(da) => da, (db) => db])],
  ['Sub', byPartials(() => [(da) => da, (db) => tf.neg(db)])],
  ['Multiply', byPartials(([a, b]) => [(da) => tf.mul(da, b), (db) => tf.mul(a, db)])],
  ['RealDiv', byPartials(quotient)],
  ['SquaredDifference', byPartials(squaredDifference)],
  ['Pow', byPartials(power)],
  ['Maximum', byPartials(([a, b]) => choices(tf.greaterEqual(a, b)))],
  ['Minimum', byPartials(([a, b]) => choices(tf.lessEqual(a, b)))],
  ['Mod', byPartials(([a, b]) => [(da) => da, (db) => tf.neg(tf.mul(db, tf.floor(tf.div(a, b))))])],
  ['Atan2', byPartials(angle)],
  ['Prelu', byPartials(leak, ['x', 'alpha'])],

  ...table<TangentRule>('Max Min', extreme),
  ['MaxPool', (step) => maxPoolTangent(step.saved[0], step.saved[1], step.tangent('x')!, step.attributes())],
  [
    'MaxPool3D',
    (step) => maxPoolTangent(step.saved[0], step.saved[1], step.tangent('x')!, step.attributes()),
  ],
  ['FusedBatchNorm', batchNorm],
  ['LRN', ({ saved: [x], tangent, attributes }) => localResponseTangent(x, tangent('x')!, attributes())],
  ['LogSoftmax', ({ saved, tangent }) => logSoftmax(saved[0], tangent('logits')!)],
  ['logSoftmax__op', ({ saved, tangent }) => logSoftmax(saved[0], tangent('0')!)],
  ['softmaxCrossEntropy__op', softmaxCrossEntropy],
]);

/** Gives a kernel of our own its rule, as `tf.registerGradient` gives it its gradient. */
export function registerTangent(kernelName: string, rule: TangentRule): void {
  rules.set(kernelName, rule);
}

/**
 * The directions of a node's outputs, in order.
 *
 * @returns undefined if they are zero whatever those of its inputs are
 * @throws Error if there is no rule for the kernel, or if a kernel that it needs cannot run
 */
export function tangentsOf(
  node: TapeNode,
  attributes: Attributes,
  tangent: TangentOf,
): tf.Tensor[] | undefined {
  if (constant.has(node.kernelName)) return undefined;
  // Conversion to integers or booleans is constant almost everywhere, too.
  if (node.outputs[0].dtype !== 'float32') return undefined;
  if (node.kernelName === 'Cast' || isCopy(node)) return [tangent('x')!];
  const rule = rules.get(node.kernelName);
  if (!rule) throw new Error('there is no rule for its derivative in a direction');
  const result = rule({
    node,
    saved: node.saved ?? [],
    tangent,
    attributes: () => attributes.of(node) ?? {},
  });
  return Array.isArray(result) ? result : [result];
}

/** Whether a node is a copy that tfjs saved. Such a node has the name of the scope that it was made in, not of a kernel. */
function isCopy({ kernelName, inputs }: TapeNode): boolean {
  return Object.keys(inputs).join() === 'x' && !tf.getKernel(kernelName, tf.getBackend());
}

function run(
  { node, attributes }: TangentStep,
  inputs: tf.NamedTensorMap,
  how = attributes(),
): tf.Tensor | tf.Tensor[] {
  return engine().runKernel(node.kernelName, inputs, how);
}

/** The kernel, applied to the direction in its only input. */
function rerun(step: TangentStep, how = step.attributes()): tf.Tensor | tf.Tensor[] {
  const [input] = Object.keys(step.node.inputs);
  return run(step, { [input]: step.tangent(input)! }, how);
}

function bySymmetry({ node, tangent }: TangentStep): tf.Tensor {
  const [input] = Object.keys(node.inputs);
  if (!node.gradient) throw new Error(`tfjs has no gradient for ${node.kernelName}`);
  return node.gradient([tangent(input)!])[input]();
}

/** Linear functions of many tensors alike. */
function joined(step: TangentStep): tf.Tensor | tf.Tensor[] {
  const { inputs } = step.node;
  const directions = Object.keys(inputs).map((input) => step.tangent(input) ?? tf.zeros(inputs[input].shape));
  return run(step, directions as unknown as tf.NamedTensorMap);
}

function selection({ node, saved, tangent }: TangentStep): tf.Tensor {
  const zero = tf.scalar(0);
  return shapedAs(node, tf.where(saved[0], tangent('t') ?? zero, tangent('e') ?? zero));
}

/** d f(a, b) = f(da, b) + f(a, db), for kernels that save both of their inputs. */
function bilinear(first: string, second: string): TangentRule {
  return (step) => {
    const [a, b] = step.saved;
    const [da, db] = [step.tangent(first), step.tangent(second)];
    return sum(
      da && (run(step, { [first]: da, [second]: b }) as tf.Tensor),
      db && (run(step, { [first]: a, [second]: db }) as tf.Tensor),
    );
  };
}

/** f(a, b) + bias with a linear activation, by the bilinear kernel f inside. `order` says where tfjs saves a and b. */
function fused(kernel: string, inputs: [string, string], order: [number, number]): TangentRule {
  return (step) => {
    const how = step.attributes();
    if ((how.activation ?? 'linear') !== 'linear')
      throw new Error(`its activation is ${String(how.activation)}`);
    const [a, b] = order.map((i) => step.saved[i]);
    const apply = (first: tf.Tensor, second: tf.Tensor) =>
      engine().runKernel(kernel, { [inputs[0]]: first, [inputs[1]]: second }, how) as tf.Tensor;
    const [da, db, dbias] = ['0', '1', '2'].map((input) => step.tangent(input));
    const product = da || db ? sum(da && apply(da, b), db && apply(a, db)) : undefined;
    const { shape } = step.node.outputs[0];
    if (!product) return tf.broadcastTo(dbias!, shape);
    return tf.reshape(dbias ? tf.add(product, dbias) : product, shape);
  };
}

type Partials = [(da: tf.Tensor) => tf.Tensor, (db: tf.Tensor) => tf.Tensor];

/** d f(a, b) = (df/da) da + (df/db) db for functions of pairs of elements, with broadcasting. */
function byPartials(
  partials: (saved: tf.Tensor[]) => Partials,
  [first, second]: [string, string] = ['a', 'b'],
): TangentRule {
  return ({ node, saved, tangent }) => {
    const [withFirst, withSecond] = partials(saved);
    const [da, db] = [tangent(first), tangent(second)];
    return shapedAs(node, sum(da && withFirst(da), db && withSecond(db)));
  };
}

/** d(a / b) = (da - (a / b) db) / b */
function quotient([a, b]: tf.Tensor[]): Partials {
  return [(da) => tf.div(da, b), (db) => tf.neg(tf.div(tf.mul(tf.div(a, b), db), b))];
}

/** d(a - b)^2 = 2 (a - b) (da - db) */
function squaredDifference([a, b]: tf.Tensor[]): Partials {
  const slope = () => tf.mul(tf.sub(a, b), 2);
  return [(da) => tf.mul(slope(), da), (db) => tf.neg(tf.mul(slope(), db))];
}

/** d(a^b) = b a^(b - 1) da + a^b log(a) db, the logarithm taken to be 0 where a is not positive, as tfjs has it. */
function power([a, b, y]: tf.Tensor[]): Partials {
  return [
    (da) => tf.mul(da, tf.mul(b, tf.pow(a, tf.sub(b, 1)))),
    (db) => tf.mul(db, tf.mul(y, tf.where(tf.greater(a, 0), tf.log(a), tf.zerosLike(a)))),
  ];
}

/** One of the two, by element. */
function choices(takesFirst: tf.Tensor): Partials {
  const mask = tf.cast(takesFirst, 'float32');
  return [(da) => tf.mul(da, mask), (db) => tf.mul(db, tf.sub(1, mask))];
}

/** d atan2(a, b) = (b da - a db) / (a^2 + b^2) */
function angle([a, b]: tf.Tensor[]): Partials {
  const square = () => tf.add(tf.square(a), tf.square(b));
  return [(da) => tf.div(tf.mul(da, b), square()), (db) => tf.neg(tf.div(tf.mul(a, db), square()))];
}

/** prelu(x) = x for x > 0, alpha x otherwise. */
function leak([x, alpha]: tf.Tensor[]): Partials {
  const positive = tf.cast(tf.greater(x, 0), 'float32');
  const negative = () => tf.sub(1, positive);
  return [
    (dx) => tf.mul(dx, tf.add(positive, tf.mul(alpha, negative()))),
    (dalpha) => tf.mul(dalpha, tf.mul(x, negative())),
  ];
}

/** The sum over the elements that are the largest (smallest), which is how tfjs differentiates ties. */
function extreme({ node, saved, tangent, attributes }: TangentStep): tf.Tensor {
  const [x, y] = saved;
  const { reductionIndices, axis } = attributes() as { reductionIndices?: number[]; axis?: number[] };
  const axes = tf.util.parseAxisParam((reductionIndices ?? axis)!, x.shape);
  const kept = tf.reshape(y, tf.backend_util.expandShapeToKeepDim(reduced(x.shape, axes), axes));
  const attained = tf.cast(tf.equal(x, kept), 'float32');
  return tf.reshape(tf.sum(tf.mul(tangent('x')!, attained), axes), node.outputs[0].shape);
}

const reduced = (shape: number[], axes: number[]) => shape.filter((_, axis) => !axes.includes(axis));

/**
 * y = scale xhat + offset, xhat = (x - mean) r, r = 1 / sqrt(variance + epsilon), so that
 *
 *     dy = scale ((dx - dmean) r - xhat r^2 dvariance / 2) + xhat dscale + doffset
 */
function batchNorm({ node, saved, tangent, attributes }: TangentStep): tf.Tensor {
  const [x, mean, variance, scale] = saved;
  const r = tf.rsqrt(tf.add(variance, (attributes().varianceEpsilon as number | undefined) ?? 1e-3));
  const xhat = () => tf.mul(tf.sub(x, mean), r);
  const [dx, dmean, dvariance] = ['x', 'mean', 'variance'].map((input) => tangent(input));
  const [dscale, doffset] = ['scale', 'offset'].map((input) => tangent(input));
  const inner = [
    dx && tf.mul(dx, r),
    dmean && tf.neg(tf.mul(dmean, r)),
    dvariance && tf.mul(xhat(), tf.mul(tf.square(r), tf.mul(dvariance, -0.5))),
  ];
  const terms = [
    ...inner.map((term) => (term && scale ? tf.mul(term, scale) : term)),
    dscale && tf.mul(dscale, xhat()),
    doffset,
  ];
  return shapedAs(node, sum(...terms));
}

/** d log softmax(x) = dx - sum(softmax(x) dx), along the last axis */
function logSoftmax(y: tf.Tensor, dx: tf.Tensor): tf.Tensor {
  return tf.sub(dx, tf.sum(tf.mul(tf.exp(y), dx), -1, true));
}

/** -sum(labels log softmax(logits)), with labels that sum to 1 as its gradient in tfjs takes it; saved are labels and log softmax. */
function softmaxCrossEntropy({ saved: [labels, logs], tangent }: TangentStep): tf.Tensor {
  const [dlabels, dlogits] = [tangent('0'), tangent('1')];
  return tf.sum(
    sum(dlabels && tf.neg(tf.mul(dlabels, logs)), dlogits && tf.mul(dlogits, tf.sub(tf.exp(logs), labels))),
    -1,
  );
}

/** The sum of what is there. */
function sum(...terms: (tf.Tensor | undefined)[]): tf.Tensor {
  return terms.filter((term) => term !== undefined).reduce((total, term) => tf.add(total, term));
}

/** A direction in the shape of the node's output, to which a broadcast input's may still have to be repeated. */
function shapedAs({ outputs: [{ shape }] }: TapeNode, tangent: tf.Tensor): tf.Tensor {
  return tf.util.arraysEqual(tangent.shape, shape) ? tangent : tf.broadcastTo(tangent, shape);
}
