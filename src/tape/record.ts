import * as tf from '@tensorflow/tfjs';

import { NatgradError } from '../errors';
import { requireVariables } from '../host/check';
import { Attributes } from './attributes';
import { apart, engine, share, untaped } from './engine';
import { countExamples } from './examples';
import { gradientFailure } from './failure';
import { linkLayers } from './feeders';
import { Graph } from './graph';
import { findHeads, observedHeads } from './heads';
import { findLayers } from './layers';
import { nonlinearitiesOf } from './nonlinearity';
import type { Observation } from './observe';
import { observing } from './observe';
import { forward } from './tangent';
import type { Recording, RecordHooks, RecordResult, TapeNode } from './types';
import { backward } from './walk';

/**
 * `tf.variableGrads(f, variables)`, with a look at the tape on the way: the same value and the same gradients to the last bit,
 * from one run of `f` and one backward pass. The caller disposes both; everything else is released, also when something throws.
 *
 * @param f the loss, a scalar; synchronous
 * @param variables what to differentiate by; all registered trainable variables if undefined. Those that are not trainable get a null
 *   gradient and belong to no layer.
 * @throws NatgradError ERR_NATGRAD_TYPE if `f` is no function or gives no tensor, or if `variables` holds something else;
 *   ERR_NATGRAD_SHAPE if the loss is no scalar; ERR_NATGRAD_ARGUMENT if no variable is trainable or the loss depends on none;
 *   ERR_NATGRAD_BACKEND if the gradient of a kernel cannot be computed
 */
export function record(
  f: () => tf.Scalar,
  variables: tf.Variable[] | undefined,
  hooks: RecordHooks,
): RecordResult {
  requireFunction(f);
  const trainable = trainableOf(variables);
  const wanted: tf.Tensor[] = [...trainable];
  const session = new Session();
  try {
    const { value, grads } = engine().gradients(
      () => {
        const loss = session.forward(f, trainable);
        untaped(() => tf.tidy(() => wanted.push(...(hooks.onForward(session.recording) ?? []))));
        if (hooks.onBackward && wanted.length > trainable.length) session.keepActivations();
        session.nameFailures();
        return loss;
      },
      wanted,
      null,
      true,
    );
    session.tapeIsGone = true;
    const gradients = grads.map((gradient) => gradient ?? null);
    const own = gradients.slice(0, trainable.length);
    const late = gradients.slice(trainable.length);
    try {
      untaped(() => tf.tidy(() => hooks.onBackward?.(session.recording, late)));
    } catch (error) {
      dispose([value, ...own]);
      throw error;
    } finally {
      // A tensor can be asked for twice, as a variable and by the hook; it is then one gradient.
      dispose(late.filter((gradient) => !own.includes(gradient)));
    }
    return { value: value as tf.Scalar, grads: byName(trainable, own, variables) };
  } catch (error) {
    throw session.failure(error);
  } finally {
    session.release();
  }
}

/**
 * Runs `f` once and hands its recording to `use`, without computing gradients: for walks over the tape in either direction at the weights
 * as they are. Everything is released at the end, also when something throws; what `use` keeps it must clone or read.
 *
 * @param f the loss, a scalar; synchronous
 * @param variables what the loss is a function of; all registered trainable variables if undefined
 * @param use runs inside a tidy with recording off, while the tape exists; returns no tensor of that tidy
 * @throws NatgradError as `record` does, but nothing of a backward pass
 */
export function withTape<T>(
  f: () => tf.Scalar,
  variables: tf.Variable[] | undefined,
  use: (recording: Recording) => T,
): T {
  requireFunction(f);
  const trainable = trainableOf(variables);
  const session = new Session();
  return apart(() => {
    const { state } = engine();
    try {
      let result!: T;
      tf.tidy(() => {
        state.activeTape = [];
        state.gradientDepth = 1;
        try {
          session.forward(f, trainable);
        } finally {
          state.gradientDepth = 0;
        }
        untaped(() => tf.tidy(() => void (result = use(session.recording))));
      });
      return result;
    } finally {
      session.tapeIsGone = true;
      for (const { saved } of state.activeTape ?? []) dispose(saved ?? []);
      session.release();
    }
  });
}

/** What one recording holds on to. */
class Session {
  recording!: Recording;
  tapeIsGone = false;
  private readonly attributes = new Attributes();
  private readonly observations: Observation[] = [];
  private readonly kept: tf.Tensor[] = [];
  private tape: TapeNode[] = [];
  private loss: tf.Tensor | undefined;
  private differentiating: TapeNode | undefined;
  private readonly keep = (tensor: tf.Tensor): tf.Tensor => {
    this.kept.push(tf.keep(tensor));
    return tensor;
  };

  /** Runs the user's function and makes sense of the tape that it leaves. */
  forward(f: () => tf.Scalar, variables: tf.Variable[]): tf.Scalar {
    const { state } = engine();
    this.tape = state.activeTape!;
    const loss = this.attributes.watch(() => observing(this.observations, f));
    requireScalar(loss);
    this.loss = loss;
    const graph = new Graph(this.tape, loss, variables);
    if (!graph.dependsOnVariables(loss)) {
      throw new NatgradError(
        'ERR_NATGRAD_ARGUMENT',
        'The loss depends on none of the variables. Use them inside the function f that computes it.',
      );
    }
    const layers = findLayers(variables, graph, this.attributes, this.keep);
    linkLayers(layers, graph);
    const observed = observedHeads(this.observations, graph, this.keep);
    const heads = observed.length > 0 ? observed : findHeads(graph, this.keep);
    this.recording = {
      loss,
      layers,
      heads,
      examples: countExamples(heads, layers, graph, this.attributes),
      readable: (tensor) =>
        readable(tensor, this.tape) ?? this.observations.find((observed) => observed.tensor === tensor)?.copy,
      nonlinearities: (use) =>
        nonlinearitiesOf(use, heads, graph, this.attributes).map(({ values, ...rest }) =>
          values ? { ...rest, values: this.keep(share(values)) } : rest,
        ),
      backward: (seeds, targets) => {
        this.requireTape('backward');
        return backward(this.tape, this.attributes, seeds, targets);
      },
      tangent: (tangents, targets) => {
        this.requireTape('tangent');
        return forward(this.tape, this.attributes, tangents, targets);
      },
    };
    return loss;
  }

  private requireTape(method: string): void {
    if (!this.tapeIsGone) return;
    throw new NatgradError(
      'ERR_NATGRAD_STATE',
      `recording.${method} can be called only while the tape exists: in onForward, or in the callback of withTape.`,
    );
  }

  /** tfjs disposes what is saved on the tape after its backward pass; tensors that share the data outlive that. */
  keepActivations(): void {
    for (const { uses } of this.recording.layers) {
      for (const use of uses) {
        if (use.activation) use.activation = this.keep(share(use.activation));
        if (!use.rational) continue;
        for (const name of ['numerator', 'denominator'] as const) {
          use.rational[name] = this.keep(share(use.rational[name]));
        }
      }
    }
  }

  /** Lets an error in tfjs's backward pass say which node it came from. */
  nameFailures(): void {
    for (const node of this.tape) {
      const { gradient } = node;
      if (!gradient) continue;
      node.gradient = (dys) => {
        this.differentiating = node;
        return gradient(dys);
      };
    }
  }

  /** The error to throw instead of `error`, once all that the tape holds is released. */
  failure(error: unknown): unknown {
    const { state } = engine();
    // tfjs leaves the tape behind when a function or a gradient throws. Within an outer gradient it still belongs to that.
    if (!this.tapeIsGone && state.gradientDepth === 0 && state.activeTape) {
      for (const { saved } of state.activeTape) dispose(saved ?? []);
      state.activeTape = null;
      if (this.loss && !(this.loss instanceof tf.Variable)) this.loss.dispose();
    }
    const isForeign = !(error instanceof NatgradError) && this.differentiating && !this.tapeIsGone;
    return isForeign ? gradientFailure(this.differentiating!, error) : error;
  }

  release(): void {
    dispose(this.kept);
    dispose(this.observations.flatMap(({ copy, weights }) => [copy, weights ?? null]));
  }
}

/** A copy that tfjs saved of a tensor: one that shares its data, or (wasm copies the data too) one that a consumer's gradient needs. */
function readable(tensor: tf.Tensor, tape: readonly TapeNode[]): tf.Tensor | undefined {
  if (!tensor.isDisposed) return tensor;
  for (const { kernelName, inputs, saved } of tape) {
    const sharing = saved?.find(({ dataId, isDisposed }) => dataId === tensor.dataId && !isDisposed);
    if (sharing) return sharing;
    for (const input in inputs) {
      if (inputs[input]?.id !== tensor.id) continue;
      const position = tf.getGradient(kernelName)?.inputsToSave?.indexOf(input) ?? -1;
      const copy = saved?.[position];
      if (copy && !copy.isDisposed) return copy;
    }
  }
  return undefined;
}

function trainableOf(variables: tf.Variable[] | undefined): tf.Variable[] {
  if (variables !== undefined) requireVariables(variables, 'varList');
  const disposed = variables?.find(({ isDisposed }) => isDisposed);
  if (disposed !== undefined) {
    throw new NatgradError(
      'ERR_NATGRAD_STATE',
      `variable '${disposed.name}' is disposed; train the variables of a model that is still there.`,
    );
  }
  const all = variables ?? Object.values(engine().state.registeredVariables);
  const trainable = all.filter((variable) => variable.trainable);
  if (trainable.length === 0) {
    throw new NatgradError(
      'ERR_NATGRAD_ARGUMENT',
      all.length === 0
        ? 'There are no variables to train; give some, or make layers trainable before model.compile.'
        : `None of the ${all.length} variables is trainable; make at least one so.`,
    );
  }
  return trainable;
}

function requireFunction(f: unknown): void {
  if (typeof f !== 'function') {
    throw new NatgradError(
      'ERR_NATGRAD_TYPE',
      `The loss f must be a function but was ${typeof f}; give one that computes the loss.`,
    );
  }
}

function requireScalar(loss: unknown): void {
  if (!(loss instanceof tf.Tensor)) {
    const what =
      loss instanceof Promise
        ? 'a promise; it must be synchronous'
        : `${typeof loss}; compute it by operations of tfjs`;
    throw new NatgradError('ERR_NATGRAD_TYPE', `The loss f must return a tensor but returned ${what}.`);
  }
  const { shape } = loss as tf.Tensor;
  if (shape.length > 0) {
    throw new NatgradError(
      'ERR_NATGRAD_SHAPE',
      `The loss f must return a scalar but returned a tensor of shape [${shape.join(', ')}]; reduce it, for example with .mean().`,
    );
  }
}

function byName(
  trainable: tf.Variable[],
  gradients: (tf.Tensor | null)[],
  given?: tf.Variable[],
): tf.NamedTensorMap {
  const grads: Record<string, tf.Tensor | null> = {};
  trainable.forEach(({ name }, i) => {
    if (gradients[i]) grads[name] = gradients[i];
  });
  for (const variable of given ?? []) if (!variable.trainable) grads[variable.name] = null;
  return grads as tf.NamedTensorMap;
}

function dispose(tensors: readonly (tf.Tensor | null)[]): void {
  for (const tensor of tensors) tensor?.dispose();
}
