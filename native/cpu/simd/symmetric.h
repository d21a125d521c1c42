// Passes over a symmetric matrix that is held by its lower triangle.
#pragma once

#include "cpu/simd/lanes.h"
#include "cpu/simd/transpose.h"

namespace natgrad {
namespace NATGRAD_SIMD {
namespace {

inline LanesOf<double> absolute(LanesOf<double> x) { return x < 0.0 ? -x : x; }

// As many elements as there are lanes of float64, widened.
inline LanesOf<double> loadWide(const double* p) { return load(p); }
inline LanesOf<double> loadWide(const float* p) {
  typedef float Half __attribute__((vector_size(registerBytes / 2)));
  Half v;
  __builtin_memcpy(&v, p, sizeof v);
  return __builtin_convertvector(v, LanesOf<double>);
}

// The numbers of the lanes.
inline LanesOf<double> laneNumbers() {
  LanesOf<double> numbers{};
  for (int64_t lane = 0; lane < width<double>; ++lane) numbers[lane] = static_cast<double>(lane);
  return numbers;
}

template <class T>
double sumOfSquares(int64_t n, const T* a, int64_t lda, double scale) {
  constexpr int64_t w = width<double>;
  const LanesOf<double> numbers = laneNumbers();
  LanesOf<double> below{};
  double rest = 0;
  double diagonal = 0;
  for (int64_t i = 0; i < n; ++i) {
    const T* row = a + i * lda;
    int64_t j = 0;
    const auto add = [&](LanesOf<double> x) {
      x *= scale;
      below = mulAdd(x, x, below);
    };
    for (; j + w <= i; j += w) add(loadWide(row + j));
    if (j + w <= n && j < i) {
      // The lanes from the diagonal on are read but count as zero.
      add(numbers < static_cast<double>(i - j) ? loadWide(row + j) : LanesOf<double>{});
      j = i;
    }
    for (; j < i; ++j) {
      const double x = static_cast<double>(row[j]) * scale;
      rest += x * x;
    }
    const double x = static_cast<double>(row[i]) * scale;
    diagonal += x * x;
  }
  // By halves, so that the additions need not wait for each other.
  double lanes[w];
  store(lanes, below);
  for (int64_t half = w / 2; half > 0; half /= 2) {
    for (int64_t lane = 0; lane < half; ++lane) lanes[lane] += lanes[lane + half];
  }
  return 2 * (rest + lanes[0]) + diagonal;
}

template <class T>
double norms(int64_t n, const T* a, int64_t lda, double scale, double* rowSums) {
  constexpr int64_t w = width<double>;
  for (int64_t j = 0; j < n; ++j) rowSums[j] = 0;
  for (int64_t i = 0; i < n; ++i) {
    const T* row = a + i * lda;
    LanesOf<double> sums{};
    int64_t j = 0;
    for (; j + w <= i; j += w) {
      const LanesOf<double> x = absolute(loadWide(row + j) * scale);
      sums += x;
      store(rowSums + j, load(rowSums + j) + x);
    }
    double sum = 0;
    for (; j < i; ++j) {
      const double x = __builtin_fabs(static_cast<double>(row[j]) * scale);
      sum += x;
      rowSums[j] += x;
    }
    for (int64_t lane = 0; lane < w; ++lane) sum += sums[lane];
    rowSums[i] = sum + __builtin_fabs(static_cast<double>(row[i]) * scale);
  }
  return sumOfSquares(n, a, lda, scale);
}

template <class T>
void mirror(int64_t n, const T* a, int64_t lda, T alpha, T* out) {
  constexpr int64_t w = width<T>;
  for (int64_t i0 = 0; i0 < n; i0 += w) {
    const int64_t rows = n - i0 < w ? n - i0 : w;
    if (rows == w) {
      for (int64_t j0 = 0; j0 < i0; j0 += w) {
        LanesOf<T> block[w];
        for (int64_t r = 0; r < w; ++r) {
          block[r] = load(a + (i0 + r) * lda + j0) * alpha;
          store(out + (i0 + r) * n + j0, block[r]);
        }
        transpose<T>(block);
        for (int64_t r = 0; r < w; ++r) store(out + (j0 + r) * n + i0, block[r]);
      }
    }
    for (int64_t i = i0; i < i0 + rows; ++i) {
      for (int64_t j = rows == w ? i0 : 0; j <= i; ++j) out[i * n + j] = out[j * n + i] = a[i * lda + j] * alpha;
    }
  }
}

}  // namespace
}  // namespace NATGRAD_SIMD
}  // namespace natgrad
