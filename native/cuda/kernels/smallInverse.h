// Inverses of small matrices, a block for each.
#pragma once

#include "blocks.h"

namespace {

// Block (matrix i): out = scale (scale (A + damping I))^-1, mirrored, by Cholesky in shared memory. norms[i] is its
// Frobenius norm, NaN where a pivot was not positive; out is written only if norms[i] <= limits[i].
template <class T>
__device__ void invertSmall(int64_t size, const T* const* in, T* const* out, const double* dampings,
                            const double* scales, const double* limits, double* norms) {
  __shared__ T a[smallThreads][smallThreads + 1];
  __shared__ T pivots[smallThreads];
  const int64_t matrix = blockIdx.x;
  const int n = static_cast<int>(size), me = static_cast<int>(threadIdx.x);
  const T scale = static_cast<T>(scales[matrix]);
  const T* source = in[matrix];
  for (int i = 0; i < n; ++i) {
    if (me < i) a[i][me] = source[i * n + me] * scale;
    if (me == i) a[i][i] = static_cast<T>((static_cast<double>(source[i * n + i]) + dampings[matrix]) * scales[matrix]);
  }
  __syncthreads();
  // A = LL', column by column.
  bool definite = true;
  for (int k = 0; k < n; ++k) {
    const T pivot = a[k][k];
    definite = definite && pivot > T(0);
    const T root = sqrt(definite ? pivot : T(1));
    __syncthreads();
    if (me == k) a[k][k] = root;
    if (me > k && me < n) a[me][k] /= root;
    __syncthreads();
    if (me > k && me < n) {
      for (int j = k + 1; j <= me; ++j) a[me][j] -= a[me][k] * a[j][k];
    }
    __syncthreads();
  }
  // X = L^-1, column `me` in the part of row `me` right of the diagonal.
  if (me < n) {
    pivots[me] = T(1) / a[me][me];
    for (int i = me + 1; i < n; ++i) {
      T sum = a[i][me] * pivots[me];
      for (int k = me + 1; k < i; ++k) sum += a[i][k] * a[me][k];
      a[me][i] = -sum / a[i][i];
    }
  }
  __syncthreads();
  // A^-1 = X'X, row `me` in the place of L, which is not needed any more.
  double squares = 0;
  if (me < n) {
    for (int j = 0; j <= me; ++j) {
      T sum = pivots[me] * (j == me ? pivots[me] : a[j][me]);
      for (int k = me + 1; k < n; ++k) sum += a[me][k] * a[j][k];
      a[me][j] = sum * scale;
      const double x = static_cast<double>(a[me][j]);
      squares += (j == me ? 1 : 2) * x * x;
    }
  }
  const double norm = definite ? sqrt(foldBlock(squares, Sum())) : 0.0 / 0.0;
  if (me == 0) norms[matrix] = norm;
  if (!(norm <= limits[matrix])) return;
  for (int i = 0; i < n; ++i) {
    if (me < n) out[matrix][i * n + me] = me <= i ? a[i][me] : a[me][i];
  }
}

}  // namespace
