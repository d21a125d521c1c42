// The symmetric product X'X of a moving average of second moments, of a row-major X.
//
// BLAS's ssyrk multiplies square blocks with the kernel of sgemm and throws away half of each block on the diagonal; at the sizes of
// layers that costs it a third of its speed. Here the tiles on the diagonal are as narrow as registers allow. Rows of X are contiguous,
// so packing is copying.
#pragma once

#include "cpu/simd/lanes.h"

namespace natgrad {
namespace NATGRAD_SIMD {
namespace {

// A tile of C: gramRows rows of up to gramVectors registers, which leaves registers for one row of X.
constexpr int64_t gramRows = registerCount == 32 ? 8 : 4;
constexpr int64_t gramVectors = 3;

// Rows of X that are multiplied at a time, so that a panel of gramVectors registers stays in the first-level cache.
constexpr int64_t gramDepth = 192;

// Rows of C that are computed at a time, so that their part of X stays in the second-level cache.
constexpr int64_t gramBlock = 480;

template <class T>
constexpr int64_t gramPanel = gramVectors* width<T>;


template <class T>
constexpr int64_t gramPanels(int64_t columns) {
  return (columns + gramPanel<T> - 1) / gramPanel<T>;
}

template <class T>
int64_t gramWorkspace(int64_t begin, int64_t end) {
  return gramDepth * (gramPanels<T>(end) * gramPanel<T> + (end - begin + gramRows));
}

// Columns [begin, end) of X in panels of `panel` columns, each with its rows one after the other, filled up with zeros.
template <class T, int64_t panel>
void packPanels(int64_t begin, int64_t end, int64_t depth, const T* x, int64_t ldx, T* out) {
  for (int64_t j = begin; j < end; j += panel) {
    const int64_t count = end - j < panel ? end - j : panel;
    if (count == panel) {
      for (int64_t k = 0; k < depth; ++k) __builtin_memcpy(out + k * panel, x + k * ldx + j, panel * sizeof(T));
    } else {
      for (int64_t k = 0; k < depth; ++k) {
        for (int64_t i = 0; i < panel; ++i) out[k * panel + i] = i < count ? x[k * ldx + j + i] : T(0);
      }
    }
    out += depth * panel;
  }
}

// sum[r] += a[r] panel[k] over all k, with a[r] of row r, whose elements lie `along` apart and those of the next row `down` apart.
template <class T, int64_t rows, int64_t vectors>
[[gnu::always_inline]] inline void addProducts(int64_t depth, const T* a, int64_t down, int64_t along, const T* panel,
                                               LanesOf<T> (&sum)[rows][vectors]) {
  using V = LanesOf<T>;
  for (int64_t k = 0; k < depth; ++k) {
    V b[vectors];
    for (int64_t v = 0; v < vectors; ++v) b[v] = load(panel + k * gramPanel<T> + v * width<T>);
#pragma GCC unroll 8
    for (int64_t r = 0; r < rows; ++r) {
      V factor = broadcast(a[r * down + k * along]);
      holdInRegister(factor);
#pragma GCC unroll 3
      for (int64_t v = 0; v < vectors; ++v) sum[r][v] = mulAdd(factor, b[v], sum[r][v]);
    }
  }
}

// A tile whose lower left corner is at row `row`, column `column` of C; what lies above the diagonal is not stored.
template <class T, int64_t vectors>
void gramTile(int64_t depth, const T* narrow, const T* wide, int64_t row, int64_t rows, int64_t column, T alpha, T beta,
              T* c, int64_t ldc) {
  using V = LanesOf<T>;
  // C comes from farther away than X; it is on its way while the sums are made.
  for (int64_t r = 0; r < rows; ++r) {
    const T* const from = c + (row + r) * ldc + column;
    for (int64_t v = 0; v <= vectors; ++v) __builtin_prefetch(from + (v < vectors ? v * width<T> : vectors * width<T> - 1), 1);
  }
  V sum[gramRows][vectors] = {};
  addProducts(depth, narrow, 1, gramRows, wide, sum);
  const V a = broadcast(alpha), b = broadcast(beta);
  if (rows == gramRows && column + vectors * width<T> <= row + 1 && beta != T(0)) {
    // A whole tile below the diagonal, the usual case: the sums go to C from the registers that they are in.
#pragma GCC unroll 8
    for (int64_t r = 0; r < gramRows; ++r) {
      T* const to = c + (row + r) * ldc + column;
#pragma GCC unroll 3
      for (int64_t v = 0; v < vectors; ++v) {
        store(to + v * width<T>, mulAdd(b, load(to + v * width<T>), a * sum[r][v]));
      }
    }
    return;
  }
  for (int64_t r = 0; r < rows; ++r) {
    T* to = c + (row + r) * ldc + column;
    for (int64_t v = 0; v < vectors; ++v) {
      const int64_t left = row + r + 1 - column - v * width<T>;
      const int64_t count = left < width<T> ? left : width<T>;
      if (count <= 0) break;
      V result = a * sum[r][v];
      if (beta != T(0)) result = mulAdd(b, loadPart(to + v * width<T>, count), result);
      storePart(to + v * width<T>, result, count);
    }
  }
}

template <class T>
void gramTiles(int64_t depth, const T* narrow, const T* wide, int64_t row, int64_t rows, int64_t column, T alpha, T beta,
               T* c, int64_t ldc) {
  const int64_t needed = row + rows - column;
  if (needed > 2 * width<T>) {
    gramTile<T, 3>(depth, narrow, wide, row, rows, column, alpha, beta, c, ldc);
  } else if (needed > width<T>) {
    gramTile<T, 2>(depth, narrow, wide, row, rows, column, alpha, beta, c, ldc);
  } else if (needed > 0) {
    gramTile<T, 1>(depth, narrow, wide, row, rows, column, alpha, beta, c, ldc);
  }
}

// Rows [begin, end) of the lower triangle of C = alpha X'X + beta C, with X k by at least `end`.
template <class T>
void gram(int64_t begin, int64_t end, int64_t k, T alpha, const T* x, int64_t ldx, T beta, T* c, int64_t ldc, T* workspace) {
  const int64_t rows = end - begin;
  for (int64_t first = 0; first < k; first += gramDepth) {
    const int64_t depth = k - first < gramDepth ? k - first : gramDepth;
    const T keep = first == 0 ? beta : T(1);
    T* const wide = workspace;
    T* const narrow = workspace + depth * gramPanels<T>(end) * gramPanel<T>;
    packPanels<T, gramPanel<T>>(0, end, depth, x + first * ldx, ldx, wide);
    packPanels<T, gramRows>(begin, end, depth, x + first * ldx, ldx, narrow);
    for (int64_t block = 0; block < rows; block += gramBlock) {
      const int64_t last = rows - block < gramBlock ? rows : block + gramBlock;
      for (int64_t column = 0; column < begin + last; column += gramPanel<T>) {
        const int64_t above = column > begin ? (column - begin) / gramRows * gramRows : 0;
        for (int64_t row = above > block ? above : block; row < last; row += gramRows) {
          const int64_t count = rows - row < gramRows ? rows - row : gramRows;
          gramTiles<T>(depth, narrow + depth * row, wide + depth * column, begin + row, count, column, alpha, keep, c, ldc);
        }
      }
    }
  }
}

}  // namespace
}  // namespace NATGRAD_SIMD
}  // namespace natgrad
