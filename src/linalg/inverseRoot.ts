import { many, outputs, sameForm, squareSize, type OneOrMany } from './batch';
import type { RootMethod } from './jobs';
import { perform, requireOptions, type CallOptions, type Outcome } from './outcome';

export interface InverseRootOptions<M extends OneOrMany = OneOrMany> extends CallOptions {
  /** Which root: `M^(-1/p)`; default 2. */
  p?: 1 | 2 | 4;
  /** Added to the diagonal first; default 0. Iterations use it as the lower bound of the eigenvalues. */
  damping?: number;
  /** Default 'auto', which chooses by size, dtype and condition bound. */
  method?: RootMethod;
  /** Residual at which an iteration stops; default 1e-4 for float32, 1e-10 for float64. */
  tolerance?: number;
  /** Default by method. */
  maxIterations?: number;
  /** Where to write, in the form of the input; must not overlap it. Default: new arrays. */
  out?: M;
}

/**
 * Inverse p-th root of symmetric positive definite matrices, `(M + damping I)^(-1/p)`, as Shampoo (p = 4) and whitening (p = 2) need it.
 *
 * @param matrices one n by n matrix, row-major, of which only the lower triangle is read; or an array of such matrices
 * @returns full, exactly symmetric matrices in the dtype of the input
 * @throws NatgradError ERR_NATGRAD_NOT_POSITIVE_DEFINITE, ERR_NATGRAD_NOT_CONVERGED, ERR_NATGRAD_NOT_FINITE, ERR_NATGRAD_SHAPE,
 *   ERR_NATGRAD_TYPE, ERR_NATGRAD_BUFFER, ERR_NATGRAD_ARGUMENT
 *
 * @example
 * inverseRoot(new Float32Array([4, 0, 0, 9])); // [0.5, 0, 0, 0.333]
 * inverseRoot(new Float32Array([16, 0, 0, 81]), {p: 4}); // [0.5, 0, 0, 0.333]
 */
export function inverseRoot<M extends OneOrMany, O extends InverseRootOptions<M>>(
  matrices: M,
  options?: O,
): Outcome<M, O> {
  requireOptions<InverseRootOptions>(options, [
    'p',
    'damping',
    'method',
    'tolerance',
    'maxIterations',
    'out',
  ]);
  const list = many<OneOrMany>(matrices) as Float32Array[];
  const sizes = list.map((matrix) => squareSize('matrix', matrix));
  const out = outputs(
    list,
    sizes.map((size) => size * size),
    options?.out,
  );
  const plans = list.map((matrix, i) => [
    [
      {
        op: 'inverseRoot' as const,
        matrix,
        size: sizes[i],
        damping: options?.damping ?? 0,
        p: options?.p ?? 2,
        method: options?.method ?? 'auto',
        tolerance: options?.tolerance ?? 0,
        maxIterations: options?.maxIterations ?? 0,
        out: out[i],
      },
    ],
  ]);
  return perform('inverseRoot', plans, sameForm<M>(matrices, out), options);
}
