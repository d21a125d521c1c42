/** What jobs are given: arrays, and rows made of them. */
export type FloatArray = Float32Array | Float64Array;

/** Where the patches of a two-dimensional convolution lie in its NHWC input. All in elements; padding is before/top and left. */
export interface ConvGeometry {
  batch: number;
  inHeight: number;
  inWidth: number;
  channels: number;
  kernelHeight: number;
  kernelWidth: number;
  strideHeight: number;
  strideWidth: number;
  dilationHeight: number;
  dilationWidth: number;
  padTop: number;
  padLeft: number;
  outHeight: number;
  outWidth: number;
}

/** `rows` vectors of `columns` elements, one after the other. */
export interface DenseRows {
  data: FloatArray;
  rows: number;
  columns: number;
}

/** The patches of an NHWC image batch as rows, flattened in the order (kernelHeight, kernelWidth, channels). */
export interface PatchRows {
  data: FloatArray;
  geometry: ConvGeometry;
}
