import type { BackwardPass } from '../../../src/curvature/block';
import { KroneckerFactoredBlock } from '../../../src/curvature/kronecker/kroneckerFactored';
import { runPhases } from '../../../src/curvature/phases';
import type { ConvGeometry, Kernels } from '../../../src/linalg/jobs';
import { kernels } from '../../../src/linalg/kernels';
import { once } from '../../support/blocks';
import { randomInputs } from '../../support/denseNet';
import { addOuterProduct, relativeError } from '../../support/matrices';

const [outC, inC, kernelHeight, kernelWidth] = [2, 3, 2, 3];

/** Images of `height` x `width` pixels, transposed-convolved with stride 1 and no padding. */
function geometryOf(batch: number, height: number, width: number): ConvGeometry {
  return {
    batch,
    inHeight: height + kernelHeight - 1,
    inWidth: width + kernelWidth - 1,
    channels: outC,
    kernelHeight,
    kernelWidth,
    strideHeight: 1,
    strideWidth: 1,
    dilationHeight: 1,
    dilationWidth: 1,
    padTop: 0,
    padLeft: 0,
    outHeight: height,
    outWidth: width,
  };
}

/**
 * Rows of the Jacobian of z[y + i, x + j, o] = sum over pixels (y, x) and c of W[i, j, o, c] a[y, x, c] for one image: one per element of z,
 * over the elements of W.
 */
function jacobian(image: Float64Array, height: number, width: number): Float64Array[] {
  const { inHeight, inWidth } = geometryOf(1, height, width);
  const rows = Array.from(
    { length: inHeight * inWidth * outC },
    () => new Float64Array(kernelHeight * kernelWidth * outC * inC),
  );
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      for (let i = 0; i < kernelHeight; i++) {
        for (let j = 0; j < kernelWidth; j++) {
          for (let o = 0; o < outC; o++) {
            const row = rows[((y + i) * inWidth + x + j) * outC + o];
            for (let c = 0; c < inC; c++) {
              row[((i * kernelWidth + j) * outC + o) * inC + c] += image[(y * width + x) * inC + c];
            }
          }
        }
      }
    }
  }
  return rows;
}

/** The block from one pass for every element of z, each with 1 there, as the exact estimator has it for half squared error. */
function estimate(kernel: Kernels, images: Float64Array, batch: number, height: number, width: number) {
  const patches = geometryOf(batch, height, width);
  const [pixels, size] = [patches.inHeight * patches.inWidth, patches.inHeight * patches.inWidth * outC];
  const block = new KroneckerFactoredBlock({
    shape: { names: ['kernel'], shapes: [[kernelHeight, kernelWidth, outC, inC]] },
    inputSize: inC,
    outputSize: kernelHeight * kernelWidth * outC,
    bias: false,
    transposed: true,
    precision: 'float64',
  });
  const passes = Array.from({ length: size }, (_, element): BackwardPass => {
    const data = Float64Array.from({ length: batch * size }, (_, at) => (at % size === element ? 1 : 0));
    return {
      weight: 1,
      gradientScale: 1,
      outputGradients: [{ data, rows: batch * pixels, columns: outC, patches }],
    };
  });
  const activations = [{ data: images, rows: batch * height * width, columns: inC }];
  runPhases(kernel, block.updatePhases([{ examples: batch, activations, passes }], once));
  return block;
}

describe.each(['cpu', 'reference'] as const)('a transposed convolution on the %s kernels', (backend) => {
  let kernel: Kernels;
  beforeAll(() => (kernel = kernels(backend)));

  it('has the exact block where every image is one pixel, for any batch', () => {
    // Oracle: 1/N sum_n J_n' J_n with the Jacobian written out; one pixel makes the layer a dense one.
    const images = randomInputs(4, inC, 1);
    const block = estimate(kernel, images, 4, 1, 1);
    const p = kernelHeight * kernelWidth * outC * inC;
    const exact = new Float64Array(p * p);
    for (let n = 0; n < 4; n++) {
      for (const row of jacobian(images.slice(n * inC, (n + 1) * inC), 1, 1))
        addOuterProduct(exact, row, 1 / 4);
    }
    expect(relativeError(block.toDense(), exact)).toBeLessThan(1e-12);
  });

  it('has the trace of the exact block for several pixels', () => {
    // Oracle: tr F = 1/N sum_n sum of squares of J_n. What K-FAC leaves out couples pixels and is not on the diagonal, because a weight meets
    // every element of z in one pixel only; and all pixels have the same tr G, because nothing is padded.
    const [batch, height, width] = [2, 2, 2];
    const images = randomInputs(batch * height * width, inC, 2);
    const block = estimate(kernel, images, batch, height, width);
    const size = height * width * inC;
    let expected = 0;
    for (let n = 0; n < batch; n++) {
      for (const row of jacobian(images.slice(n * size, (n + 1) * size), height, width)) {
        expected += row.reduce((sum, value) => sum + value * value, 0) / batch;
      }
    }
    const dense = block.toDense();
    const p = Math.sqrt(dense.length);
    const trace = Array.from({ length: p }, (_, i) => dense[i * p + i]).reduce((sum, value) => sum + value);
    expect(Math.abs(trace - expected)).toBeLessThan(1e-10 * expected);
  });
});
