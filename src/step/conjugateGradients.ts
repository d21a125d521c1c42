/** One vector in pieces: an array per variable. */
export type Pieces = readonly ArrayLike<number>[];

export interface ConjugateGradientsOptions {
  /** Products with the matrix at most. */
  iterations: number;
  /** Ends when |residual| <= tolerance |right side|. Default 0: never before. */
  tolerance?: number;
}

export interface ConjugateGradientsResult {
  solution: Float64Array[];
  /** |b - A x| / |b|, as the recurrence has it; 0 for b = 0. */
  residual: number;
  /** Products with the matrix that were made. */
  iterations: number;
}

/**
 * Solves A x = b for a symmetric positive-definite A that is known by its products, in float64, from x = 0 (M. Hestenes and E. Stiefel,
 * "Methods of conjugate gradients for solving linear systems", 1952). It stops where A does not curve along the search direction: x is
 * then the best of what was searched.
 *
 * @param multiply A p
 */
export function conjugateGradients(
  multiply: (p: Float64Array[]) => Pieces,
  b: Pieces,
  { iterations, tolerance = 0 }: ConjugateGradientsOptions,
): ConjugateGradientsResult {
  const solution = b.map(({ length }) => new Float64Array(length));
  const residual = b.map((piece) => Float64Array.from(piece));
  let search = residual.map((piece) => piece.slice());
  const initial = dot(residual, residual);
  let square = initial;
  let done = 0;
  while (done < iterations && square > 0 && Math.sqrt(square / initial) > tolerance) {
    const product = multiply(search);
    done++;
    const curvature = dot(search, product);
    if (!(curvature > 0)) break;
    const length = square / curvature;
    add(solution, length, search);
    add(residual, -length, product);
    const next = dot(residual, residual);
    const share = next / square;
    search = search.map((piece, i) => piece.map((value, at) => residual[i][at] + share * value));
    square = next;
  }
  return { solution, residual: initial > 0 ? Math.sqrt(square / initial) : 0, iterations: done };
}

/** The inner product of two vectors in pieces, in float64. */
export function dot(a: Pieces, b: Pieces): number {
  let sum = 0;
  a.forEach((piece, i) => {
    const other = b[i];
    for (let at = 0; at < piece.length; at++) sum += piece[at] * other[at];
  });
  return sum;
}

function add(target: Float64Array[], scale: number, source: Pieces): void {
  target.forEach((piece, i) => {
    for (let at = 0; at < piece.length; at++) piece[at] += scale * source[i][at];
  });
}
