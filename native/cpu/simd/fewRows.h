// The product of a few rows with a large matrix: of the rows of a batch with an inverse of a wide layer.
//
// BLAS packs the large matrix as a whole before it multiplies, which takes as long as half the multiplication where there are fifty rows.
// Here a panel of it at a time goes to the first-level cache and is multiplied by all rows, which are read where they are.
#pragma once

#include "cpu/simd/gram.h"
#include "cpu/simd/lanes.h"

namespace natgrad {
namespace NATGRAD_SIMD {
namespace {

// C = alpha A B + beta C for `rows` rows of A and the first `columns` columns of a packed panel of B.
template <class T, int64_t rows>
void fewRowsTile(int64_t depth, const T* a, int64_t lda, const T* panel, int64_t columns, T alpha, T beta, T* c, int64_t ldc) {
  using V = LanesOf<T>;
  V sum[rows][gramVectors] = {};
  addProducts(depth, a, lda, 1, panel, sum);
  const V scale = broadcast(alpha), keep = broadcast(beta);
#pragma GCC unroll 8
  for (int64_t r = 0; r < rows; ++r) {
#pragma GCC unroll 3
    for (int64_t v = 0; v < gramVectors; ++v) {
      const int64_t left = columns - v * width<T>;
      if (left <= 0) break;
      const int64_t count = left < width<T> ? left : width<T>;
      T* const to = c + r * ldc + v * width<T>;
      V result = scale * sum[r][v];
      if (beta != T(0)) result = mulAdd(keep, loadPart(to, count), result);
      storePart(to, result, count);
    }
  }
}

template <class T>
void fewRowsTiles(int64_t rows, int64_t depth, const T* a, int64_t lda, const T* panel, int64_t columns, T alpha, T beta, T* c,
                  int64_t ldc) {
  switch (rows) {
    case 1: return fewRowsTile<T, 1>(depth, a, lda, panel, columns, alpha, beta, c, ldc);
    case 2: return fewRowsTile<T, 2>(depth, a, lda, panel, columns, alpha, beta, c, ldc);
    case 3: return fewRowsTile<T, 3>(depth, a, lda, panel, columns, alpha, beta, c, ldc);
    case 4: return fewRowsTile<T, 4>(depth, a, lda, panel, columns, alpha, beta, c, ldc);
#if defined(__AVX512F__)
    case 5: return fewRowsTile<T, 5>(depth, a, lda, panel, columns, alpha, beta, c, ldc);
    case 6: return fewRowsTile<T, 6>(depth, a, lda, panel, columns, alpha, beta, c, ldc);
    case 7: return fewRowsTile<T, 7>(depth, a, lda, panel, columns, alpha, beta, c, ldc);
    case 8: return fewRowsTile<T, 8>(depth, a, lda, panel, columns, alpha, beta, c, ldc);
#endif
  }
}

// C (m by n) = alpha A B + beta C, with A m by k and B k by n. With beta = 0, C is not read.
template <class T>
void fewRows(int64_t m, int64_t n, int64_t k, T alpha, const T* a, int64_t lda, const T* b, int64_t ldb, T beta, T* c,
             int64_t ldc) {
  alignas(registerBytes) T panel[gramDepth * gramPanel<T>];
  // Tiles of nearly one height, so that none is too low to keep the multipliers busy.
  const int64_t tiles = (m + gramRows - 1) / gramRows;
  for (int64_t first = 0; first < k; first += gramDepth) {
    const int64_t depth = k - first < gramDepth ? k - first : gramDepth;
    const T keep = first == 0 ? beta : T(1);
    for (int64_t column = 0; column < n; column += gramPanel<T>) {
      const int64_t columns = n - column < gramPanel<T> ? n - column : gramPanel<T>;
      packPanels<T, gramPanel<T>>(column, column + columns, depth, b + first * ldb, ldb, panel);
      for (int64_t tile = 0; tile < tiles; ++tile) {
        const int64_t top = tile * m / tiles, bottom = (tile + 1) * m / tiles;
        fewRowsTiles<T>(bottom - top, depth, a + top * lda + first, lda, panel, columns, alpha, keep, c + top * ldc + column, ldc);
      }
    }
  }
}

}  // namespace
}  // namespace NATGRAD_SIMD
}  // namespace natgrad
