import * as tf from '@tensorflow/tfjs';
import { epilogue, noEpilogue } from './epilogue';
import { allFloat32, sameShape, type Call, type Kernel } from './kernel';
import type { Memory } from '../memory';
import type { EpilogueArguments } from '../native';

/** The common shape of two batches under the rules of broadcasting, or `null` where they do not fit. */
function broadcast(a: number[], b: number[]): number[] | null {
  const shape: number[] = [];
  for (let axis = Math.max(a.length, b.length); axis > 0; --axis) {
    const ofA = a[a.length - axis] ?? 1;
    const ofB = b[b.length - axis] ?? 1;
    if (ofA !== ofB && ofA !== 1 && ofB !== 1) return null;
    shape.push(ofA === 1 ? ofB : ofA);
  }
  return shape;
}

/** Which matrix of a batch of `shape` goes with matrix `index` of the result's batch. */
function matrixAt(index: number, shape: number[], outShape: number[]): number {
  let matrix = 0;
  let step = 1;
  for (let axis = 1; axis <= outShape.length; ++axis) {
    const extent = outShape[outShape.length - axis];
    const ofShape = shape[shape.length - axis] ?? 1;
    if (ofShape !== 1) matrix += (index % extent) * step;
    step *= ofShape;
    index = Math.floor(index / extent);
  }
  return matrix;
}

function matMul(
  { inputs, attrs, memory, native }: Call<tf.BatchMatMulInputs, tf.BatchMatMulAttrs>,
  epilogueFor: (outShape: number[]) => ((memory: Memory) => EpilogueArguments) | null,
): tf.TensorInfo | null {
  const { a, b } = inputs;
  const { transposeA, transposeB } = attrs;
  if (!allFloat32(a, b) || a.shape.length < 2 || b.shape.length < 2) return null;
  const [aRows, aColumns] = a.shape.slice(-2);
  const [bRows, bColumns] = b.shape.slice(-2);
  const [rows, inner] = transposeA ? [aColumns, aRows] : [aRows, aColumns];
  const [bInner, columns] = transposeB ? [bColumns, bRows] : [bRows, bColumns];
  const aBatch = a.shape.slice(0, -2);
  const bBatch = b.shape.slice(0, -2);
  const outBatch = broadcast(aBatch, bBatch);
  if (inner !== bInner || outBatch === null) return null;
  const outShape = [...outBatch, rows, columns];
  const finish = epilogueFor(outShape);
  if (finish === null) return null;

  const batch = tf.util.sizeFromShape(outBatch);
  const aSize = rows * inner;
  const bSize = inner * columns;
  const multiply = (
    count: number,
    oneA: boolean,
    aValues: Float32Array,
    oneB: boolean,
    bValues: Float32Array,
    out: Float32Array,
    end: EpilogueArguments,
  ) => {
    native.matMul(
      transposeA ?? false,
      transposeB ?? false,
      count,
      rows,
      columns,
      inner,
      oneA,
      aValues,
      oneB,
      bValues,
      out,
      ...end,
    );
  };
  return memory.create(outShape, (out) => {
    if (out.length === 0) return;
    const aValues = memory.floats(a);
    const bValues = memory.floats(b);
    const oneA = tf.util.sizeFromShape(aBatch) === 1;
    const oneB = tf.util.sizeFromShape(bBatch) === 1;
    if ((oneA || sameShape(aBatch, outBatch)) && (oneB || sameShape(bBatch, outBatch))) {
      multiply(batch, oneA, aValues, oneB, bValues, out, finish(memory));
      return;
    }
    for (let index = 0; index < batch; ++index) {
      const aAt = matrixAt(index, aBatch, outBatch) * aSize;
      const bAt = matrixAt(index, bBatch, outBatch) * bSize;
      const outAt = index * rows * columns;
      multiply(
        1,
        true,
        aValues.subarray(aAt, aAt + aSize),
        true,
        bValues.subarray(bAt, bAt + bSize),
        out.subarray(outAt, outAt + rows * columns),
        noEpilogue,
      );
    }
    native.epilogue(out, ...finish(memory));
  });
}

/** tfjs's BatchMatMul: any rank from two up, batches broadcast on both sides. */
export const batchMatMul: Kernel<tf.BatchMatMulInputs, tf.BatchMatMulAttrs> = (call) =>
  matMul(call, () => () => noEpilogue);

/** tfjs's _FusedMatMul: the product, plus bias, through an activation. */
export const fusedMatMul: Kernel<tf._FusedMatMulInputs, tf._FusedMatMulAttrs> = (call) =>
  matMul(call, (outShape) => epilogue(call.inputs, call.attrs, outShape));
