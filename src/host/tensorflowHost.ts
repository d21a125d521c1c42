import type * as tf from '@tensorflow/tfjs';

import { requireDtype } from './check';
import { DataHost } from './dataHost';
import type { TensorFlowOp } from './tensorflowOp';

/** A tensor of fewer elements is copied sooner than lent. */
const worthLending = 2048;

/**
 * The host for tfjs-node. Its binding only copies, so the memory of larger tensors is lent by an op of the addon's own, where that can be
 * registered; weights are given to TensorFlow in arrays that it adopts.
 */
export class TensorFlowHost extends DataHost {
  private lending = false;
  /** The arrays that variables got from `update`, by their data: TensorFlow's memory of them is these arrays. */
  private readonly adopted = new WeakMap<object, Float32Array>();

  constructor(private readonly op: TensorFlowOp) {
    super('tensorflow', true);
  }

  override lend<T>(work: () => T): T {
    if (this.lending) return work();
    this.lending = true;
    try {
      return this.op.lend(work);
    } finally {
      this.lending = false;
    }
  }

  override read(tensor: tf.Tensor): Float32Array {
    requireDtype(tensor, 'float32');
    // tfjs says what is wrong with a disposed tensor.
    if (tensor.isDisposed) return super.read(tensor);
    const adopted = this.adopted.get(tensor.dataId);
    if (adopted) return adopted;
    return this.lending && tensor.size >= worthLending ? this.op.view(tensor) : super.read(tensor);
  }

  override update(variables: tf.Variable[], write: (values: Float32Array[]) => void): void {
    let given: Float32Array[] = [];
    super.update(variables, (values) => {
      given = values;
      write(values);
    });
    variables.forEach(({ dataId }, i) => this.adopted.set(dataId, given[i]));
  }

  protected override allocate(length: number): Float32Array {
    return this.op.array(length);
  }
}
