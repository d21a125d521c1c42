#include "core/symmetric.h"

#include <algorithm>
#include <cmath>

#include "core/buffer.h"

namespace natgrad {

template <class T>
bool lowerIsFinite(const Operations<T>& ops, int64_t n, const T* a) {
  for (int64_t i = 0; i < n; ++i) {
    if (ops.firstNonFinite(a + i * n, i + 1) >= 0) return false;
  }
  return true;
}

template <class T>
double normBound(const Operations<T>& ops, int64_t n, const T* a, double scale) {
  // Small matrices come by the hundred; the second norm would cost more than it tells about them.
  if (n <= smallSize) return std::sqrt(ops.sumOfSquares(n, a, n, scale)) / scale;
  Buffer<double> sums(n);
  const double bound = std::sqrt(ops.norms(n, a, n, scale, sums.data()));
  if (!std::isfinite(bound)) return bound;
  return std::min(bound, *std::max_element(sums.data(), sums.data() + n)) / scale;
}

namespace {

template <class T>
void productBelow(const Operations<T>& ops, int64_t n, const T* a, const T* b, T* lower, int64_t begin, int64_t size) {
  const int64_t leaf = std::max<int64_t>(48, n / 16);
  T* corner = lower + begin * n + begin;
  if (size <= leaf) {
    ops.gemm(false, false, size, size, n, T(1), a + begin * n, n, b + begin, n, T(0), corner, n);
    return;
  }
  const int64_t half = (size / 2 + 15) / 16 * 16;
  ops.gemm(false, false, size - half, half, n, T(1), a + (begin + half) * n, n, b + begin, n, T(0), corner + half * n,
           n);
  productBelow(ops, n, a, b, lower, begin, half);
  productBelow(ops, n, a, b, lower, begin + half, size - half);
}

}  // namespace

template <class T>
void symmetricProduct(const Operations<T>& ops, int64_t n, const T* a, const T* b, T* lower) {
  productBelow(ops, n, a, b, lower, 0, n);
}

template <class T>
void transpose(int64_t n, const T* a, T* out) {
  constexpr int64_t block = 32;
  for (int64_t i0 = 0; i0 < n; i0 += block) {
    for (int64_t j0 = 0; j0 < n; j0 += block) {
      for (int64_t i = i0; i < std::min(n, i0 + block); ++i) {
        for (int64_t j = j0; j < std::min(n, j0 + block); ++j) out[j * n + i] = a[i * n + j];
      }
    }
  }
}

#define NATGRAD_INSTANTIATE(T)                                                              \
  template bool lowerIsFinite<T>(const Operations<T>&, int64_t, const T*);                  \
  template double normBound<T>(const Operations<T>&, int64_t, const T*, double);            \
  template void symmetricProduct<T>(const Operations<T>&, int64_t, const T*, const T*, T*); \
  template void transpose<T>(int64_t, const T*, T*);
NATGRAD_INSTANTIATE(float)
NATGRAD_INSTANTIATE(double)
#undef NATGRAD_INSTANTIATE

}  // namespace natgrad
