import type * as tf from '@tensorflow/tfjs';

import { engine } from './engine';
import type { TapeNode } from './types';

/** The attributes of a kernel call, such as strides and padding. */
export type KernelAttributes = Readonly<Record<string, unknown>>;

/** Kernels whose attributes are needed. */
const watched = new Set([
  'BatchMatMul',
  '_FusedMatMul',
  'Conv2D',
  'FusedConv2D',
  'Conv2DBackpropInput',
  'DepthwiseConv2dNative',
  'GatherV2',
  'FusedBatchNorm',
  'Transpose',
  'Concat',
  'Pack',
  'SplitV',
]);

/** Fused operations are on the tape under the name of the operation, not of the kernel that runs inside it. */
const kernelInside: Record<string, string> = {
  fusedMatMul__op: '_FusedMatMul',
  fusedConv2d__op: 'FusedConv2D',
};

/** Where both of them save what their kernel gave. */
const savedOutput = 2;

/**
 * The attributes of the kernels that ran while a function did. The tape does not keep them: its nodes hold them in closures.
 *
 * They are found again by the data of the kernel's output. A fused operation ends with a reshape of it and saves it; cpu and wasm share
 * the data with the reshaped tensor, tfjs-node with the saved one. Other kernels may share it too (a transposition that moves
 * nothing), so each kernel has a table of its own.
 */
export class Attributes {
  private readonly tables = new Map<string, Map<object, KernelAttributes>>();

  /** Runs `f`, seeing every kernel call that it makes. Leaves the engine as it was, whatever `f` does. */
  watch<T>(f: () => T): T {
    const target = engine();
    const own = Object.getOwnPropertyDescriptor(target, 'runKernel');
    const runKernel = target.runKernel;
    target.runKernel = (name, inputs, attributes) => {
      const result = runKernel.call(target, name, inputs, attributes);
      if (attributes && watched.has(name)) this.remember(name, result, attributes as KernelAttributes);
      return result;
    };
    try {
      return f();
    } finally {
      if (own) Object.defineProperty(target, 'runKernel', own);
      else delete (target as Partial<typeof target>).runKernel;
    }
  }

  /** The attributes with which the kernel of `node` was called, or undefined where it was not seen or not watched. */
  of(node: TapeNode): KernelAttributes | undefined {
    const fused = kernelInside[node.kernelName];
    const table = this.tables.get(fused ?? node.kernelName);
    const found = table?.get(node.outputs[0].dataId);
    return found ?? (fused ? table?.get(node.saved![savedOutput].dataId) : undefined);
  }

  private remember(name: string, result: tf.Tensor | tf.Tensor[], attributes: KernelAttributes): void {
    let table = this.tables.get(name);
    if (!table) this.tables.set(name, (table = new Map<object, KernelAttributes>()));
    table.set((Array.isArray(result) ? result[0] : result).dataId, attributes);
  }
}
