/**
 * A fully connected network in float64, small enough to be its own oracle: forward pass, backward pass from any vectors at the output,
 * and the score of every example by itself.
 */
export interface DenseNet {
  /** Sizes of the layers, input first. */
  sizes: number[];
  /** Per layer the kernel [in + 1, out] with the bias as its last row, row-major. */
  weights: Float64Array[];
  activation: 'linear' | 'relu' | 'tanh';
}

export interface Pass {
  /** Per layer the inputs [N, in] of the examples. */
  activations: Float64Array[];
  /** Outputs [N, out] of the last layer. */
  outputs: Float64Array;
}

/** Numbers that look random and are the same in every run: a linear congruential generator, uniform in [-1, 1). */
export function noise(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 31 - 1;
  };
}

export function randomNet(sizes: number[], activation: DenseNet['activation'], seed: number): DenseNet {
  const next = noise(seed);
  const weights = sizes.slice(1).map((out, l) => {
    const scale = Math.sqrt(3 / sizes[l]);
    return Float64Array.from({ length: (sizes[l] + 1) * out }, () => scale * next());
  });
  return { sizes, weights, activation };
}

export function randomInputs(rows: number, columns: number, seed: number): Float64Array {
  const next = noise(seed);
  return Float64Array.from({ length: rows * columns }, next);
}

const functions = {
  linear: { value: (z: number) => z, slope: () => 1 },
  relu: { value: (z: number) => Math.max(z, 0), slope: (z: number) => (z > 0 ? 1 : 0) },
  tanh: { value: Math.tanh, slope: (z: number) => 1 - Math.tanh(z) ** 2 },
};

export function forward(net: DenseNet, inputs: Float64Array): Pass {
  const activations: Float64Array[] = [];
  let current = inputs;
  net.weights.forEach((weights, l) => {
    activations.push(current);
    const [n, m] = [net.sizes[l], net.sizes[l + 1]];
    const rows = current.length / n;
    const z = new Float64Array(rows * m);
    for (let r = 0; r < rows; r++) {
      for (let j = 0; j < m; j++) {
        let sum = weights[n * m + j];
        for (let i = 0; i < n; i++) sum += current[r * n + i] * weights[i * m + j];
        z[r * m + j] = sum;
      }
    }
    const last = l === net.weights.length - 1;
    current = last ? z : z.map(functions[net.activation].value);
  });
  return { activations, outputs: current };
}

/** Gradients at every layer's pre-activation, [N, out] each, from vectors [N, outputs] at the output. */
export function backward(net: DenseNet, pass: Pass, vectors: Float64Array): Float64Array[] {
  const gradients: Float64Array[] = [];
  let current = vectors;
  for (let l = net.weights.length - 1; l >= 0; l--) {
    gradients[l] = current;
    if (l === 0) break;
    const [n, m] = [net.sizes[l], net.sizes[l + 1]];
    const rows = current.length / m;
    const previous = new Float64Array(rows * n);
    const preactivation = preactivations(net, pass, l - 1);
    for (let r = 0; r < rows; r++) {
      for (let i = 0; i < n; i++) {
        let sum = 0;
        for (let j = 0; j < m; j++) sum += current[r * m + j] * net.weights[l][i * m + j];
        previous[r * n + i] = sum * functions[net.activation].slope(preactivation[r * n + i]);
      }
    }
    current = previous;
  }
  return gradients;
}

function preactivations(net: DenseNet, pass: Pass, l: number): Float64Array {
  return forward({ ...net, sizes: net.sizes.slice(l, l + 2), weights: [net.weights[l]] }, pass.activations[l])
    .outputs;
}

/** d(loss)/d(weights) of example `r` for layer `l`, [in + 1, out] row-major: the outer product of [a; 1] and g. */
export function score(
  net: DenseNet,
  pass: Pass,
  gradients: Float64Array[],
  l: number,
  r: number,
): Float64Array {
  const [n, m] = [net.sizes[l], net.sizes[l + 1]];
  const result = new Float64Array((n + 1) * m);
  for (let i = 0; i <= n; i++) {
    const a = i < n ? pass.activations[l][r * n + i] : 1;
    for (let j = 0; j < m; j++) result[i * m + j] = a * gradients[l][r * m + j];
  }
  return result;
}
