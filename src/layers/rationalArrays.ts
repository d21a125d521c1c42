/** Rational activations on plain arrays: by the addon where it loads, in TypeScript where it does not. */
import { nativeKernels, type NativeKernels } from '../accelerate/native';
import type { RationalLayout } from '../linalg/jobs';
import { loadAddon } from '../linalg/loader';
import { RationalFunction, rationalVersions } from '../linalg/reference/rational';

/** x is [rows, groups, inner], the coefficients are [groups, size]. */
export interface RationalArrays {
  layout: RationalLayout & { rows: number };
  x: Float32Array;
  numerator: Float32Array;
  denominator: Float32Array;
}

export interface RationalGradients {
  dx: Float32Array;
  dNumerator: Float32Array;
  dDenominator: Float32Array;
}

/** Writes y = P(x) / Q(x). */
export function evaluateRational(arrays: RationalArrays, y: Float32Array): void {
  const native = nativeIfLoaded();
  const { x, numerator, denominator } = arrays;
  if (native) {
    native.rational(...layoutArguments(arrays), x, numerator, denominator, y);
    return;
  }
  forEachGroup(arrays, (f, _, elements) => elements((i) => (y[i] = f.at(x[i]))));
}

/** Writes dy times dy/dx, and its sums with the derivatives by the coefficients. */
export function differentiateRational(
  arrays: RationalArrays,
  dy: Float32Array,
  gradients: RationalGradients,
): void {
  const native = nativeIfLoaded();
  const { x, numerator, denominator, layout } = arrays;
  const { dx, dNumerator, dDenominator } = gradients;
  if (native) {
    native.rationalGradient(
      ...layoutArguments(arrays),
      x,
      dy,
      numerator,
      denominator,
      dx,
      dNumerator,
      dDenominator,
    );
    return;
  }
  const { numeratorSize, denominatorSize } = layout;
  const derivatives = new Float64Array(numeratorSize + denominatorSize);
  forEachGroup(arrays, (f, group, elements) => {
    const sums = new Float64Array(derivatives.length);
    elements((i) => {
      dx[i] = dy[i] * f.differentiate(x[i], derivatives);
      for (let k = 0; k < sums.length; k++) sums[k] += dy[i] * derivatives[k];
    });
    dNumerator.set(sums.subarray(0, numeratorSize), group * numeratorSize);
    dDenominator.set(sums.subarray(numeratorSize), group * denominatorSize);
  });
}

function nativeIfLoaded(): NativeKernels | undefined {
  return loadAddon().addon ? nativeKernels() : undefined;
}

function layoutArguments({
  layout: { version, rows, groups, inner, numeratorSize, denominatorSize },
}: RationalArrays): [number, number, number, number, number, number] {
  return [rationalVersions.indexOf(version), rows, groups, inner, numeratorSize, denominatorSize];
}

/** Calls `visit` for every group with its function and a loop over the indices of its elements. */
function forEachGroup(
  { layout, numerator, denominator }: RationalArrays,
  visit: (f: RationalFunction, group: number, elements: (element: (i: number) => void) => void) => void,
): void {
  const { version, rows, groups, inner, numeratorSize, denominatorSize } = layout;
  for (let group = 0; group < groups; group++) {
    const a = numerator.subarray(group * numeratorSize, (group + 1) * numeratorSize);
    const b = denominator.subarray(group * denominatorSize, (group + 1) * denominatorSize);
    visit(new RationalFunction(version, a, b), group, (element) => {
      for (let row = 0; row < rows; row++) {
        const begin = (row * groups + group) * inner;
        for (let i = begin; i < begin + inner; i++) element(i);
      }
    });
  }
}
