// Passes over memory: each reads every operand once, at the speed of memory.
#pragma once

#include "cpu/simd/lanes.h"

namespace natgrad {
namespace NATGRAD_SIMD {
namespace {

// x * 0 is zero for finite x and NaN for all others, and a sum keeps a NaN; so a block is finite if the sum of x * 0 is
// zero.
template <class T>
bool isZero(LanesOf<T> v) {
  bool zero = true;
  for (int64_t lane = 0; lane < width<T>; ++lane) zero &= v[lane] == T(0);
  return zero;
}

template <class T>
int64_t firstNonFinite(const T* x, int64_t size) {
  constexpr int64_t w = width<T>;
  constexpr int64_t block = 64 * w;
  int64_t begin = 0;
  for (; begin + block <= size; begin += block) {
    LanesOf<T> sums[4] = {};
    for (int64_t i = begin; i < begin + block; i += 4 * w) {
      for (int64_t u = 0; u < 4; ++u) sums[u] += load(x + i + u * w) * T(0);
    }
    if (!isZero<T>((sums[0] + sums[1]) + (sums[2] + sums[3]))) break;
  }
  for (; begin + w <= size && isZero<T>(load(x + begin) * T(0)); begin += w) {
  }
  for (; begin < size; ++begin) {
    if (!(x[begin] * T(0) == T(0))) return begin;
  }
  return -1;
}

template <class T, bool squares>
void columnSums(int64_t rows, int64_t columns, const T* x, int64_t ldx, T* sums) {
  constexpr int64_t w = width<T>;
  const auto add = [](LanesOf<T> v, LanesOf<T> sum) { return squares ? mulAdd(v, v, sum) : sum + v; };
  int64_t j = 0;
  for (; j + 4 * w <= columns; j += 4 * w) {
    LanesOf<T> s[4];
    for (int64_t u = 0; u < 4; ++u) s[u] = load(sums + j + u * w);
    for (int64_t r = 0; r < rows; ++r) {
      for (int64_t u = 0; u < 4; ++u) s[u] = add(load(x + r * ldx + j + u * w), s[u]);
    }
    for (int64_t u = 0; u < 4; ++u) store(sums + j + u * w, s[u]);
  }
  for (; j < columns; j += w) {
    const int64_t part = columns - j < w ? columns - j : w;
    LanesOf<T> s = loadPart(sums + j, part);
    for (int64_t r = 0; r < rows; ++r) s = add(loadPart(x + r * ldx + j, part), s);
    storePart(sums + j, s, part);
  }
}

// Adds the products of two registers to sums in float64, widening half a register of float32 at a time.
inline void addProducts(LanesOf<double> x, LanesOf<double> y, LanesOf<double>* sums) {
  sums[0] = mulAdd(x, y, sums[0]);
}

inline void addProducts(LanesOf<float> x, LanesOf<float> y, LanesOf<double>* sums) {
  constexpr int half = static_cast<int>(width<double>);
  typedef float Half __attribute__((vector_size(registerBytes / 2)));
  Half part[4];
  __builtin_memcpy(&part[0], &x, sizeof x);
  __builtin_memcpy(&part[2], &y, sizeof y);
  static_assert(sizeof(Half) == half * sizeof(float));
  for (int h = 0; h < 2; ++h) {
    sums[h] = mulAdd(__builtin_convertvector(part[h], LanesOf<double>),
                     __builtin_convertvector(part[2 + h], LanesOf<double>), sums[h]);
  }
}

inline double total(const LanesOf<double>* sums, int count) {
  double result = 0;
  for (int u = 0; u < count; ++u) {
    for (int64_t lane = 0; lane < width<double>; ++lane) result += sums[u][lane];
  }
  return result;
}

template <class T>
double dot(const T* x, const T* y, int64_t size) {
  constexpr int64_t w = width<T>;
  LanesOf<double> sums[4] = {};
  int64_t i = 0;
  for (; i + 2 * w <= size; i += 2 * w) {
    addProducts(load(x + i), load(y + i), sums);
    addProducts(load(x + i + w), load(y + i + w), sums + 2);
  }
  double result = total(sums, 4);
  for (; i < size; ++i) result += static_cast<double>(x[i]) * static_cast<double>(y[i]);
  return result;
}

template <class T>
double scale(const T* diagonal, const T* input, T* out, int64_t size) {
  constexpr int64_t w = width<T>;
  LanesOf<double> sums[2] = {};
  int64_t i = 0;
  for (; i + w <= size; i += w) {
    const LanesOf<T> x = load(input + i);
    const LanesOf<T> y = load(diagonal + i) * x;
    addProducts(x, y, sums);
    store(out + i, y);
  }
  double result = total(sums, 2);
  for (; i < size; ++i) {
    const T x = input[i];
    const T y = diagonal[i] * x;
    result += static_cast<double>(x) * static_cast<double>(y);
    out[i] = y;
  }
  return result;
}

// out = left * (right + offset) or left / (right + offset).
template <class T, bool divides>
double shiftedPass(const T* left, const T* right, T offset, T* out, int64_t size) {
  constexpr int64_t w = width<T>;
  const LanesOf<T> shift = broadcast(offset);
  LanesOf<double> sums[2] = {};
  int64_t i = 0;
  for (; i + w <= size; i += w) {
    const LanesOf<T> x = load(left + i);
    const LanesOf<T> y = load(right + i) + shift;
    const LanesOf<T> z = divides ? x / y : x * y;
    addProducts(x, z, sums);
    store(out + i, z);
  }
  double result = total(sums, 2);
  for (; i < size; ++i) {
    const T x = left[i];
    const T y = right[i] + offset;
    const T z = divides ? x / y : x * y;
    result += static_cast<double>(x) * static_cast<double>(z);
    out[i] = z;
  }
  return result;
}

template <class T>
void update(T* weights, const T* direction, T* velocity, int64_t size, double momentum, double step, double shrink) {
  constexpr int64_t w = width<T>;
  const LanesOf<T> m = broadcast(static_cast<T>(momentum));
  const LanesOf<T> s = broadcast(static_cast<T>(step));
  const LanesOf<T> keep = broadcast(static_cast<T>(shrink));
  for (int64_t i = 0; i < size; i += w) {
    const int64_t part = size - i < w ? size - i : w;
    LanesOf<T> move = s * loadPart(direction + i, part);
    if (velocity != nullptr) {
      move = mulAdd(m, loadPart(velocity + i, part), move);
      storePart(velocity + i, move, part);
    }
    storePart(weights + i, mulAdd(keep, loadPart(weights + i, part), move), part);
  }
}

template <class T>
void combine(int64_t terms, const T* const* data, const double* scales, T* out, int64_t size) {
  constexpr int64_t w = width<T>;
  constexpr int64_t block = 8 * w;
  int64_t i = 0;
  for (; i + block <= size; i += block) {
    LanesOf<T> sums[8] = {};
    for (int64_t t = 0; t < terms; ++t) {
      const LanesOf<T> s = broadcast(static_cast<T>(scales[t]));
      for (int64_t u = 0; u < 8; ++u) sums[u] = mulAdd(s, load(data[t] + i + u * w), sums[u]);
    }
    for (int64_t u = 0; u < 8; ++u) store(out + i + u * w, sums[u]);
  }
  for (; i < size; i += w) {
    const int64_t part = size - i < w ? size - i : w;
    LanesOf<T> sum{};
    for (int64_t t = 0; t < terms; ++t) {
      sum = mulAdd(broadcast(static_cast<T>(scales[t])), loadPart(data[t] + i, part), sum);
    }
    storePart(out + i, sum, part);
  }
}

}  // namespace
}  // namespace NATGRAD_SIMD
}  // namespace natgrad
