import type { ConvGeometry, FloatArray } from '../../src/linalg';

/** Rows of patches, written down one element after the other from the definition of a convolution. */
export function patchesOf(
  data: FloatArray,
  g: ConvGeometry,
): { rows: Float64Array; count: number; columns: number } {
  const elements: number[] = [];
  for (let image = 0; image < g.batch; image++) {
    for (let outY = 0; outY < g.outHeight; outY++) {
      for (let outX = 0; outX < g.outWidth; outX++) {
        for (let ky = 0; ky < g.kernelHeight; ky++) {
          for (let kx = 0; kx < g.kernelWidth; kx++) {
            for (let channel = 0; channel < g.channels; channel++) {
              const y = outY * g.strideHeight + ky * g.dilationHeight - g.padTop;
              const x = outX * g.strideWidth + kx * g.dilationWidth - g.padLeft;
              const inside = y >= 0 && y < g.inHeight && x >= 0 && x < g.inWidth;
              elements.push(
                inside ? data[((image * g.inHeight + y) * g.inWidth + x) * g.channels + channel] : 0,
              );
            }
          }
        }
      }
    }
  }
  const count = g.batch * g.outHeight * g.outWidth;
  return { rows: Float64Array.from(elements), count, columns: elements.length / count };
}
