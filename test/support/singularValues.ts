/** Singular value decompositions by one-sided Jacobi rotations, which never form a matrix of squares: an oracle for what does. */

/**
 * The matrix of rank `rank` that is closest to a row-major one.
 *
 * M. Hestenes, "Inversion of matrices by biorthogonalization and related results", 1958: columns are rotated in pairs until they are
 * orthogonal, A V = U S; the longest of them, rotated back, are the truncated decomposition.
 */
export function truncated(
  matrix: ArrayLike<number>,
  rows: number,
  columns: number,
  rank: number,
): Float64Array {
  const column = (values: ArrayLike<number>, width: number, j: number) =>
    Float64Array.from({ length: values.length / width }, (_, i) => values[i * width + j]);
  const identity = Float64Array.from({ length: columns ** 2 }, (_, at) => Number(at % (columns + 1) === 0));
  const [images, rotation] = [matrix, identity].map((values) =>
    Array.from({ length: columns }, (_, j) => column(values, columns, j)),
  );
  let rotated = true;
  for (let sweep = 0; rotated && sweep < 60; sweep++) {
    rotated = false;
    for (let i = 0; i < columns; i++) {
      for (let j = i + 1; j < columns; j++) {
        const [a, b, c] = [
          inner(images[i], images[i]),
          inner(images[j], images[j]),
          inner(images[i], images[j]),
        ];
        if (Math.abs(c) <= 1e-16 * Math.sqrt(a * b)) continue;
        rotated = true;
        const zeta = (b - a) / (2 * c);
        const tangent = Math.sign(zeta || 1) / (Math.abs(zeta) + Math.sqrt(1 + zeta * zeta));
        for (const [x, y] of [
          [images[i], images[j]],
          [rotation[i], rotation[j]],
        ])
          rotate(x, y, tangent);
      }
    }
  }
  const order = images
    .map((_, j) => j)
    .sort((i, j) => inner(images[j], images[j]) - inner(images[i], images[i]));
  const result = new Float64Array(rows * columns);
  for (const k of order.slice(0, rank)) {
    for (let i = 0; i < rows; i++) {
      for (let j = 0; j < columns; j++) result[i * columns + j] += images[k][i] * rotation[k][j];
    }
  }
  return result;
}

function inner(a: Float64Array, b: Float64Array): number {
  return a.reduce((sum, value, i) => sum + value * b[i], 0);
}

function rotate(x: Float64Array, y: Float64Array, tangent: number): void {
  const cosine = 1 / Math.sqrt(1 + tangent * tangent);
  const sine = cosine * tangent;
  for (let i = 0; i < x.length; i++) {
    [x[i], y[i]] = [cosine * x[i] - sine * y[i], sine * x[i] + cosine * y[i]];
  }
}
