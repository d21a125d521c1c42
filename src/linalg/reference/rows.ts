import type { ConvGeometry, DenseRows, FloatArray, PatchRows } from '../jobs';

/**
 * The rows of a factor's input as an explicit float64 matrix: dense rows as they are, convolution patches gathered from the image
 * (zeros in the padding), flattened in the order (kernelHeight, kernelWidth, channels).
 */
export function explicitRows(input: DenseRows | PatchRows): {
  values: FloatArray;
  rows: number;
  columns: number;
} {
  if (!('geometry' in input)) return { values: input.data, rows: input.rows, columns: input.columns };
  const g = input.geometry;
  const rows = g.batch * g.outHeight * g.outWidth;
  const columns = g.kernelHeight * g.kernelWidth * g.channels;
  const values = new Float64Array(rows * columns);
  let row = 0;
  for (let image = 0; image < g.batch; image++) {
    for (let y = 0; y < g.outHeight; y++) {
      for (let x = 0; x < g.outWidth; x++) {
        gatherPatch(input.data, g, image, y, x, values.subarray(row * columns, (row + 1) * columns));
        row++;
      }
    }
  }
  return { values, rows, columns };
}

function gatherPatch(
  data: FloatArray,
  g: ConvGeometry,
  image: number,
  outY: number,
  outX: number,
  patch: Float64Array,
): void {
  for (let ky = 0; ky < g.kernelHeight; ky++) {
    const y = outY * g.strideHeight - g.padTop + ky * g.dilationHeight;
    if (y < 0 || y >= g.inHeight) continue;
    for (let kx = 0; kx < g.kernelWidth; kx++) {
      const x = outX * g.strideWidth - g.padLeft + kx * g.dilationWidth;
      if (x < 0 || x >= g.inWidth) continue;
      const from = ((image * g.inHeight + y) * g.inWidth + x) * g.channels;
      const to = (ky * g.kernelWidth + kx) * g.channels;
      for (let channel = 0; channel < g.channels; channel++) patch[to + channel] = data[from + channel];
    }
  }
}
