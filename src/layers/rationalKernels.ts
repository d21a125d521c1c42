/** The kernel of a rational activation and the one of its gradient, registered with tfjs: one node of the tape per activation. */
import * as tf from '@tensorflow/tfjs';

import { memoryOf, type BackendName } from '../accelerate/memory';
import type { RationalLayout } from '../linalg/jobs';
import { rationalKernel, type RationalAttributes } from '../tape/rationalKernel';
import { registerTangent } from '../tape/tangentRules';
import { differentiateRational, evaluateRational, type RationalArrays } from './rationalArrays';
import { rationalDerivatives, rationalTangent, rationalValues } from './rationalTensors';

const gradientKernel = 'NatgradRationalGradient';

interface Inputs {
  x: tf.Tensor;
  numerator: tf.Tensor;
  denominator: tf.Tensor;
  /** Of the gradient only. */
  dy?: tf.Tensor;
}

type Kernel = (inputs: Inputs, attributes: RationalAttributes, backend: object) => tf.TensorInfo[];

function layoutOf({ numerator, denominator }: Inputs, attributes: RationalAttributes): RationalLayout {
  const { version, groups, inner } = attributes;
  const [numeratorSize, denominatorSize] = [numerator, denominator].map(
    ({ shape }) => tf.util.sizeFromShape(shape) / groups,
  );
  return { version, groups, inner, numeratorSize, denominatorSize };
}

/** The part of the noise that belongs to the numerators, and that of the denominators; undefined without noise. */
function noiseOf({ groups, numeratorSize, denominatorSize }: RationalLayout, noise: number[] | undefined) {
  if (!noise) return undefined;
  const size = numeratorSize + denominatorSize;
  const part = (begin: number, end: number) =>
    Float32Array.from(
      Array.from({ length: groups }, (_, g) => noise.slice(g * size + begin, g * size + end)).flat(),
    );
  return { numerator: part(0, numeratorSize), denominator: part(numeratorSize, size) };
}

/** The kernels on the memory of a backend that hands it out. */
function onMemory(backendName: BackendName): { forward: Kernel; backward: Kernel } {
  /** Takes the views, which hold until the next allocation. */
  const arrays = (inputs: Inputs, attributes: RationalAttributes, backend: object): RationalArrays => {
    const memory = memoryOf(backendName, backend);
    const layout = layoutOf(inputs, attributes);
    const noise = noiseOf(layout, attributes.noise);
    const x = memory.floats(inputs.x);
    const coefficients = (name: 'numerator' | 'denominator') => {
      const values = memory.floats(inputs[name]);
      return noise ? values.map((value, k) => value * noise[name][k]) : values;
    };
    const rows = x.length / Math.max(1, layout.groups * layout.inner);
    const [numerator, denominator] = [coefficients('numerator'), coefficients('denominator')];
    return { layout: { ...layout, rows }, x, numerator, denominator };
  };
  return {
    forward(inputs, attributes, backend) {
      const memory = memoryOf(backendName, backend);
      const y = memory.create(inputs.x.shape, (values) => {
        evaluateRational(arrays(inputs, attributes, backend), values);
      });
      return [y];
    },
    backward(inputs, attributes, backend) {
      const memory = memoryOf(backendName, backend);
      const { numerator, denominator } = inputs;
      const noise = noiseOf(layoutOf(inputs, attributes), attributes.noise);
      const dNumerator = new Float32Array(tf.util.sizeFromShape(numerator.shape));
      const dDenominator = new Float32Array(tf.util.sizeFromShape(denominator.shape));
      const dx = memory.create(inputs.x.shape, (values) => {
        const gradients = { dx: values, dNumerator, dDenominator };
        differentiateRational(
          arrays(inputs, attributes, backend),
          memory.floats(inputs.dy as tf.TensorInfo),
          gradients,
        );
      });
      const filled = (shape: number[], values: Float32Array, factors?: Float32Array) =>
        memory.create(shape, (out) => out.set(factors ? values.map((v, k) => v * factors[k]) : values));
      return [
        dx,
        filled(numerator.shape, dNumerator, noise?.numerator),
        filled(denominator.shape, dDenominator, noise?.denominator),
      ];
    },
  };
}

/** The kernels by tfjs's own operations. */
const byOperations: { forward: Kernel; backward: Kernel } = {
  forward: (inputs, attributes) => [withNoise(inputs, attributes, (tensors) => [rationalValues(tensors)])[0]],
  backward: (inputs, attributes) =>
    withNoise(inputs, attributes, (tensors, times) => {
      const [dx, dNumerator, dDenominator] = rationalDerivatives(tensors, inputs.dy!);
      return [dx, times(dNumerator, 'numerator'), times(dDenominator, 'denominator')];
    }),
};

function withNoise(
  inputs: Inputs,
  attributes: RationalAttributes,
  compute: (
    tensors: Inputs & { layout: RationalLayout },
    times: (tensor: tf.Tensor, name: 'numerator' | 'denominator') => tf.Tensor,
  ) => tf.Tensor[],
): tf.Tensor[] {
  return tf.tidy(() => {
    const layout = layoutOf(inputs, attributes);
    const noise = noiseOf(layout, attributes.noise);
    const times = (tensor: tf.Tensor, name: 'numerator' | 'denominator') =>
      noise ? tf.mul(tensor, tf.tensor(noise[name], tensor.shape)) : tensor;
    const [numerator, denominator] = (['numerator', 'denominator'] as const).map((name) =>
      times(inputs[name], name),
    );
    return compute({ layout, x: inputs.x, numerator, denominator }, times);
  });
}

function register(backendName: string): void {
  const { forward, backward } =
    backendName === 'cpu' || backendName === 'wasm' ? onMemory(backendName) : byOperations;
  const kernelFunc =
    (kernel: Kernel): tf.KernelFunc =>
    ({ inputs, attrs, backend }) => {
      const results = kernel(inputs as unknown as Inputs, attrs as unknown as RationalAttributes, backend);
      return results.length === 1 ? results[0] : results;
    };
  tf.registerKernel({ kernelName: rationalKernel, backendName, kernelFunc: kernelFunc(forward) });
  tf.registerKernel({ kernelName: gradientKernel, backendName, kernelFunc: kernelFunc(backward) });
}

/** The kernels of the gradient give all three at once, so they run when tfjs asks for the rules, not when it asks for one gradient. */
tf.registerGradient({
  kernelName: rationalKernel,
  inputsToSave: ['x', 'numerator', 'denominator'],
  gradFunc(dy, [x, numerator, denominator], attrs) {
    const inputs = { x, numerator, denominator, dy: dy as tf.Tensor };
    const [dx, dNumerator, dDenominator] = tf.engine().runKernel<tf.Tensor[]>(gradientKernel, inputs, attrs);
    return { x: () => dx, numerator: () => dNumerator, denominator: () => dDenominator };
  },
});

registerTangent(rationalKernel, ({ saved: [x, numerator, denominator], tangent, attributes }) => {
  const how = attributes() as unknown as RationalAttributes;
  const [result] = withNoise({ x, numerator, denominator }, how, (tensors, times) => {
    const [dx, da, db] = ['x', 'numerator', 'denominator'].map((input) => tangent(input));
    return [
      rationalTangent(tensors, {
        x: dx,
        numerator: da && times(da, 'numerator'),
        denominator: db && times(db, 'denominator'),
      }),
    ];
  });
  return result;
});

/** Runs the kernel on the backend in use. */
export function runRational(inputs: Omit<Inputs, 'dy'>, attributes: RationalAttributes): tf.Tensor {
  // Asking for the backend itself starts it if nothing has yet; its name is not known before.
  tf.backend();
  if (!tf.getKernel(rationalKernel, tf.getBackend())) register(tf.getBackend());
  return tf.engine().runKernel<tf.Tensor>(rationalKernel, inputs, attributes as unknown as tf.NamedAttrMap);
}
