// Traces, norms and distances of matrices.
#pragma once

#include "blocks.h"

namespace {

// The power of two that brings numbers up to `largest` near one, so that their squares neither over- nor underflow.
__device__ double guardOf(double largest) {
  if (!(largest > 0) || !isNumber(largest)) return 1;
  int exponent = 0;
  frexp(largest, &exponent);
  exponent -= 1;
  if (exponent > 1000) exponent = 1000;
  if (exponent < -1000) exponent = -1000;
  return ldexp(1.0, -exponent);
}

// Block (matrix i): sum, least, largest magnitude, and how many are not finite, of sizes[i] numbers strides[i] apart.
template <class T>
__device__ void diagonalStatistics(const T* const* data, const int64_t* sizes, const int64_t* strides, double* out) {
  const int64_t matrix = blockIdx.x;
  double sum = 0, least = 1.0 / 0.0, largest = 0, bad = 0;
  for (int64_t i = threadIdx.x; i < sizes[matrix]; i += blockDim.x) {
    const double x = static_cast<double>(data[matrix][i * strides[matrix]]);
    sum += x;
    least = smaller(x, least);
    largest = larger(magnitude(x), largest);
    bad += isNumber(x) ? 0 : 1;
  }
  sum = foldBlock(sum, Sum());
  least = foldBlock(least, Smallest());
  largest = foldBlock(largest, Largest());
  bad = foldBlock(bad, Sum());
  if (threadIdx.x == 0) {
    out[4 * matrix] = sum;
    out[4 * matrix + 1] = least;
    out[4 * matrix + 2] = largest;
    out[4 * matrix + 3] = bad;
  }
}

// Block (matrix, band of 32 rows): sum of the squares of these rows of the symmetric matrix and the largest sum of
// magnitudes of one of them. Elements left of the diagonal lie in the rows themselves, the others in the columns below.
template <class T>
__device__ void normPartials(int64_t bands, const T* const* matrices, const int64_t* sizes, const double* statistics,
                             double* partials) {
  __shared__ double tile[tileSize][tileSize + 1];
  const int64_t matrix = blockIdx.x / bands, band = blockIdx.x % bands, n = sizes[matrix], first = band * tileSize;
  if (first >= n) return;
  const T* a = matrices[matrix];
  const double guard = statistics == nullptr ? 1.0 : guardOf(statistics[4 * matrix + 2]);
  const int lane = static_cast<int>(threadIdx.x) % tileSize, group = static_cast<int>(threadIdx.x) / tileSize;
  const int groups = static_cast<int>(blockDim.x) / tileSize;
  double squares = 0, magnitudes = 0;
  for (int64_t other = 0; other < n; other += tileSize) {
    // tile[r][c] is the element (first + r, other + c) of the symmetric matrix, whichever triangle it is read from.
    for (int r = group; r < tileSize; r += groups) {
      const bool left = other <= first;
      const int64_t row = (left ? first : other) + r, column = (left ? other : first) + lane;
      const double x = row < n && column <= row ? static_cast<double>(a[row * n + column]) * guard : 0.0;
      if (left) {
        tile[r][lane] = x;
      } else {
        tile[lane][r] = x;
      }
    }
    __syncthreads();
    for (int c = group; c < tileSize; c += groups) {
      const double x = other == first && c > lane ? tile[c][lane] : tile[lane][c];
      squares += x * x;
      magnitudes += magnitude(x);
    }
    __syncthreads();
  }
  const double total = foldBlock(squares, Sum());
  // The row sums: those of the groups of one lane.
  tile[group][lane] = magnitudes;
  __syncthreads();
  double row = 0;
  if (group == 0) {
    for (int g = 0; g < groups; ++g) row += tile[g][lane];
  }
  const double most = foldBlock(row, Largest());
  if (threadIdx.x == 0) {
    partials[2 * blockIdx.x] = total;
    partials[2 * blockIdx.x + 1] = most;
  }
}

// Block (matrix, chunk): sum of the squares of some of the elements of E - I.
template <class T>
__device__ void identityDistance(int64_t n, int64_t chunks, const T* e, double* partials) {
  const int64_t matrix = blockIdx.x / chunks, chunk = blockIdx.x % chunks;
  double sum = 0;
  for (int64_t i = chunk * blockDim.x + threadIdx.x; i < n * n; i += chunks * blockDim.x) {
    const double d = static_cast<double>(e[matrix * n * n + i]) - (i % (n + 1) == 0 ? 1.0 : 0.0);
    sum += d * d;
  }
  sum = foldBlock(sum, Sum());
  if (threadIdx.x == 0) partials[blockIdx.x] = sum;
}

}  // namespace
