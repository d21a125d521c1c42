// What is done to the elements of matrices: polynomials, diagonals, triangles, precisions.
#pragma once

#include "blocks.h"

namespace {

// P = cubic E + linear I, for each matrix of a stack with its own numbers.
template <class T>
__device__ void polynomial(int64_t n, int64_t count, const T* e, const double* linear, const double* cubic, T* p) {
  for (int64_t i = threadOfGrid(); i < count * n * n; i += threadsOfGrid()) {
    const int64_t matrix = i / (n * n);
    const T x = static_cast<T>(cubic[matrix]) * e[i];
    p[i] = i % (n * n) % (n + 1) == 0 ? x + static_cast<T>(linear[matrix]) : x;
  }
}

// A stack of value I.
template <class T>
__device__ void identity(int64_t n, int64_t count, double value, T* out) {
  for (int64_t i = threadOfGrid(); i < count * n * n; i += threadsOfGrid()) {
    out[i] = i % (n * n) % (n + 1) == 0 ? static_cast<T>(value) : T(0);
  }
}

// The lower triangle times `keep`; with zero, what was there is not read.
template <class T>
__device__ void scaleLower(int64_t n, double keep, T* a) {
  for (int64_t i = threadOfGrid(); i < n * n; i += threadsOfGrid()) {
    if (i % n <= i / n) a[i] = keep == 0 ? T(0) : a[i] * static_cast<T>(keep);
  }
}

// out = diag(left) in diag(right); either may be null. `out` may be `in`.
template <class T>
__device__ void scaleByDiagonals(int64_t rows, int64_t columns, const T* left, const T* right, const T* in, T* out) {
  for (int64_t i = threadOfGrid(); i < rows * columns; i += threadsOfGrid()) {
    T x = in[i];
    if (left != nullptr) x *= left[i / columns];
    if (right != nullptr) x *= right[i % columns];
    out[i] = x;
  }
}

// Block (matrix, pair of tiles): out = alpha (A + shift I), both triangles, for A given by its lower one; where
// `accepted` is not null, only for the matrices it says so of. `out` may be `in`: no block reads what another writes.
template <class S, class T>
__device__ void mirror(int64_t n, const S* const* in, T* const* out, const double* alphas, const double* shifts,
                       const int32_t* accepted) {
  __shared__ T tile[tileSize][tileSize + 1];
  const int64_t tiles = (n + tileSize - 1) / tileSize, pairs = tiles * (tiles + 1) / 2;
  const int64_t matrix = blockIdx.x / pairs, pair = blockIdx.x % pairs;
  if (accepted != nullptr && accepted[matrix] == 0) return;
  // The row of tiles in which the pair lies: the largest t with t (t + 1) / 2 <= pair.
  int64_t tileRow = static_cast<int64_t>((sqrt(8.0 * static_cast<double>(pair) + 1.0) - 1.0) / 2.0);
  while (tileRow * (tileRow + 1) / 2 > pair) --tileRow;
  while ((tileRow + 1) * (tileRow + 2) / 2 <= pair) ++tileRow;
  const int64_t top = tileRow * tileSize, left = (pair - tileRow * (tileRow + 1) / 2) * tileSize;
  const int lane = static_cast<int>(threadIdx.x) % tileSize, group = static_cast<int>(threadIdx.x) / tileSize;
  const int groups = static_cast<int>(blockDim.x) / tileSize;
  const double alpha = alphas[matrix], shift = shifts[matrix];
  for (int r = group; r < tileSize; r += groups) {
    const int64_t row = top + r, column = left + lane;
    if (row >= n || column > row) continue;
    const double x = static_cast<double>(in[matrix][row * n + column]);
    tile[r][lane] = static_cast<T>((row == column ? x + shift : x) * alpha);
  }
  __syncthreads();
  for (int r = group; r < tileSize; r += groups) {
    if (top + r < n && left + lane <= top + r) out[matrix][(top + r) * n + left + lane] = tile[r][lane];
    if (left + r < n && top + lane < n && top + lane > left + r)
      out[matrix][(left + r) * n + top + lane] = tile[lane][r];
  }
}

// Block (tile): out = in', n by n, if accepted.
template <class S, class T>
__device__ void transpose(int64_t n, const S* in, T* out, const int32_t* accepted) {
  __shared__ T tile[tileSize][tileSize + 1];
  if (accepted[0] == 0) return;
  const int64_t tiles = (n + tileSize - 1) / tileSize;
  const int64_t top = blockIdx.x / tiles * tileSize, left = blockIdx.x % tiles * tileSize;
  const int lane = static_cast<int>(threadIdx.x) % tileSize, group = static_cast<int>(threadIdx.x) / tileSize;
  const int groups = static_cast<int>(blockDim.x) / tileSize;
  for (int r = group; r < tileSize; r += groups) {
    if (top + r < n && left + lane < n) tile[r][lane] = static_cast<T>(in[(top + r) * n + left + lane]);
  }
  __syncthreads();
  for (int r = group; r < tileSize; r += groups) {
    if (left + r < n && top + lane < n) out[(left + r) * n + top + lane] = tile[lane][r];
  }
}

template <class S, class T>
__device__ void convert(int64_t size, const S* in, T* out, const int32_t* accepted) {
  if (accepted[0] == 0) return;
  for (int64_t i = threadOfGrid(); i < size; i += threadsOfGrid()) out[i] = static_cast<T>(in[i]);
}

}  // namespace
