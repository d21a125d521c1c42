import type * as tf from '@tensorflow/tfjs';

import { engine } from './engine';
import type { TapeNode } from './types';

/** The attributes of a kernel call, such as strides and padding. */
export type KernelAttributes = Readonly<Record<string, unknown>>;

/** Fused operations are on the tape under the name of the operation, not of the kernel that runs inside it. */
const kernelInside: Record<string, string> = {
  fusedMatMul__op: '_FusedMatMul',
  fusedConv2d__op: 'FusedConv2D',
  fusedDepthwiseConv2d__op: 'FusedDepthwiseConv2D',
};

const kernelsInside = new Set(Object.values(kernelInside));

/** Where all of them save what their kernel gave. */
const savedOutput = 2;

/**
 * The attributes of the kernels that ran while a function did. The tape does not keep them: its nodes hold them in closures.
 *
 * They are found again by the kernel's output, which is the node's. A fused operation has a kernel inside, whose output it reshapes and
 * saves: there the data tell, which cpu and wasm share with the reshaped tensor and tfjs-node with the saved one. Each kernel inside
 * has a table of its own, because other kernels may share the data too.
 */
export class Attributes {
  private readonly byOutput = new Map<number, KernelAttributes>();
  private readonly inside = new Map<string, Map<object, KernelAttributes>>();

  /** Runs `f`, seeing every kernel call that it makes. Leaves the engine as it was, whatever `f` does. */
  watch<T>(f: () => T): T {
    const target = engine();
    const own = Object.getOwnPropertyDescriptor(target, 'runKernel');
    const runKernel = target.runKernel;
    target.runKernel = (name, inputs, attributes) => {
      const result = runKernel.call(target, name, inputs, attributes);
      if (attributes) this.remember(name, result, attributes as KernelAttributes);
      return result;
    };
    try {
      return f();
    } finally {
      if (own) Object.defineProperty(target, 'runKernel', own);
      else delete (target as Partial<typeof target>).runKernel;
    }
  }

  /** The attributes with which the kernel of `node` was called, or undefined where it was not seen or takes none. */
  of(node: TapeNode): KernelAttributes | undefined {
    const fused = kernelInside[node.kernelName];
    if (!fused) return this.byOutput.get(node.outputs[0].id);
    const table = this.inside.get(fused);
    return table?.get(node.outputs[0].dataId) ?? table?.get(node.saved![savedOutput].dataId);
  }

  private remember(name: string, result: tf.Tensor | tf.Tensor[], attributes: KernelAttributes): void {
    const output = Array.isArray(result) ? result[0] : result;
    this.byOutput.set(output.id, attributes);
    if (!kernelsInside.has(name)) return;
    let table = this.inside.get(name);
    if (!table) this.inside.set(name, (table = new Map<object, KernelAttributes>()));
    table.set(output.dataId, attributes);
  }
}
