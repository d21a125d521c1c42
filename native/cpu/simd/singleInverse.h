// One small matrix at a time; see smallInverse.h for the formulas.
#pragma once

#include "cpu/simd/lanes.h"
#include "cpu/simd/symmetric.h"

namespace natgrad {
namespace NATGRAD_SIMD {
namespace {

constexpr int64_t tile = 4;

inline int64_t roundUp(int64_t n, int64_t multiple) { return (n + multiple - 1) / multiple * multiple; }

// Works on L' (so that the vectors of the first sum lie along its rows) and on X, both padded with the identity to a
// multiple of the tile and with zeros to whole registers. The padding adds zeros to the sums, which does not change
// their bits.
template <class T>
class SingleInverse {
  using V = LanesOf<T>;
  static constexpr int64_t w = width<T>;

 public:
  static int64_t workspace(int64_t n) { return 2 * stride(n) * roundUp(n, tile) + roundUp(n, tile); }

  SingleInverse(int64_t n, T* memory)
      : n_(n),
        padded_(roundUp(n, tile)),
        stride_(stride(n)),
        lt_(memory),
        x_(lt_ + stride_ * padded_),
        pivot_(x_ + stride_ * padded_) {}

  // Returns the norm of the result, or NaN if a pivot was not positive.
  double run(const T* matrix, double damping, double scale, double limit, T* out) {
    pack(matrix, n_, damping, scale);
    if (!factor()) return __builtin_nan("");
    invertFactor();
    multiply();
    mirror(n_, lt_, stride_, T(1), x_);
    const double norm = scale * __builtin_sqrt(static_cast<double>(sumOfSquares()));
    if (norm <= limit) {
      const T factor = static_cast<T>(scale);
      for (int64_t i = 0; i < n_ * n_; ++i) out[i] = x_[i] * factor;
    }
    return norm;
  }

  // Stops at X and leaves it in the lower triangle of `a`.
  bool runFactor(T* a, int64_t lda) {
    pack(a, lda, 0, 1);
    if (!factor()) return false;
    invertFactor();
    for (int64_t i = 0; i < n_; ++i) {
      for (int64_t j = 0; j <= i; ++j) a[i * lda + j] = x_[i * stride_ + j];
    }
    return true;
  }

 private:
  static int64_t stride(int64_t n) { return roundUp(roundUp(n, tile), w); }

  void pack(const T* matrix, int64_t ld, double damping, double scale) {
    const T s = static_cast<T>(scale);
    for (int64_t i = 0; i < stride_ * padded_; ++i) lt_[i] = x_[i] = 0;
    for (int64_t i = 0; i < n_; ++i) {
      for (int64_t j = 0; j < i; ++j) lt_[j * stride_ + i] = matrix[i * ld + j] * s;
      lt_[i * stride_ + i] = static_cast<T>(static_cast<double>(matrix[i * ld + i] * s) + damping * scale);
    }
    for (int64_t i = n_; i < padded_; ++i) lt_[i * stride_ + i] = 1;
  }

  // A tile of rows by a few registers, so that enough sums are under way at once to hide the time one takes.
  template <int64_t count>
  struct Strip {
    V v[tile][count];
  };

  // Calls `body` with the number of registers as a constant, for strips that cover the columns [begin, end).
  template <class Body>
  static void forStrips(int64_t begin, int64_t end, Body body) {
    constexpr int64_t most = registerCount >= 32 ? 4 : 2;
    int64_t j = begin;
    for (; j + most * w <= end; j += most * w) body(j, Registers<most>());
    for (; j < end; j += w) body(j, Registers<1>());
  }
  template <int64_t n>
  struct Registers {
    static constexpr int64_t count = n;
  };

  // sum += or -= multiplier[k][r] row[k][columns], for k in [begin, end) and r in the tile.
  template <bool subtract, int64_t count>
  void accumulate(Strip<count>& sum, const T* multiplier, const T* row, int64_t begin, int64_t end) const {
    Strip<count> s = sum;
    for (int64_t k = begin; k < end; ++k) {
      V v[count];
      for (int64_t u = 0; u < count; ++u) v[u] = load(row + k * stride_ + u * w);
      for (int64_t r = 0; r < tile; ++r) {
        const V factor = broadcast(multiplier[k * stride_ + r]);
        for (int64_t u = 0; u < count; ++u)
          s.v[r][u] = subtract ? mulSub(factor, v[u], s.v[r][u]) : mulAdd(factor, v[u], s.v[r][u]);
      }
    }
    sum = s;
  }

  bool factor() {
    for (int64_t j0 = 0; j0 < padded_; j0 += tile) {
      T* rows = lt_ + j0 * stride_;
      const int64_t first = j0 / w * w;
      forStrips(first, stride_, [&](int64_t i, auto registers) {
        constexpr int64_t count = decltype(registers)::count;
        Strip<count> sum;
        for (int64_t c = 0; c < tile; ++c) {
          for (int64_t u = 0; u < count; ++u) sum.v[c][u] = load(rows + c * stride_ + i + u * w);
        }
        accumulate<true>(sum, lt_ + j0, lt_ + i, 0, j0);
        for (int64_t c = 0; c < tile; ++c) {
          for (int64_t u = 0; u < count; ++u) store(rows + c * stride_ + i + u * w, sum.v[c][u]);
        }
      });
      if (!factorTile(rows, j0)) return false;
      for (int64_t i = first; i < stride_; i += w) {
        V row[tile];
        for (int64_t c = 0; c < tile; ++c) {
          row[c] = load(rows + c * stride_ + i);
          for (int64_t b = 0; b < c; ++b) row[c] = mulSub(row[b], broadcast(triangle_[c][b]), row[c]);
          row[c] *= broadcast(pivot_[j0 + c]);
          store(rows + c * stride_ + i, row[c]);
        }
      }
    }
    return true;
  }

  // The Cholesky factor of the tile on the diagonal, from what the earlier columns have left of it.
  bool factorTile(const T* rows, int64_t j0) {
    for (int64_t c = 0; c < tile; ++c) {
      for (int64_t r = c; r < tile; ++r) {
        T sum = rows[c * stride_ + j0 + r];
        for (int64_t b = 0; b < c; ++b) sum = mulSub(triangle_[r][b], triangle_[c][b], sum);
        if (r == c) {
          if (!(sum > 0)) return false;
          pivot_[j0 + c] = T(1) / squareRoot(sum);
        } else {
          triangle_[r][c] = sum * pivot_[j0 + c];
        }
      }
    }
    return true;
  }

  void invertFactor() {
    for (int64_t i0 = 0; i0 < padded_; i0 += tile) {
      T* rows = x_ + i0 * stride_;
      forStrips(0, roundUp(i0 + tile, w), [&](int64_t j, auto registers) {
        constexpr int64_t count = decltype(registers)::count;
        Strip<count> sum = {};
        accumulate<false>(sum, lt_ + i0, x_ + j, j, i0);
        for (int64_t r = 0; r < tile; ++r) {
          for (int64_t u = 0; u < count; ++u) {
            T* target = rows + r * stride_ + j + u * w;
            for (int64_t b = 0; b < r; ++b) {
              const V factor = broadcast(lt_[(i0 + b) * stride_ + i0 + r]);
              sum.v[r][u] = mulAdd(factor, load(target - (r - b) * stride_), sum.v[r][u]);
            }
            store(target, -(sum.v[r][u] * broadcast(pivot_[i0 + r])));
          }
          if (i0 + r >= j && i0 + r < j + count * w) rows[r * stride_ + i0 + r] = pivot_[i0 + r];
        }
      });
    }
  }

  void multiply() {
    for (int64_t i0 = 0; i0 < n_; i0 += tile) {
      forStrips(0, roundUp(i0 + tile, w), [&](int64_t j, auto registers) {
        constexpr int64_t count = decltype(registers)::count;
        Strip<count> sum = {};
        accumulate<false>(sum, x_ + i0, x_ + j, i0, padded_);
        // L' is no longer needed and takes the result.
        for (int64_t r = 0; r < tile; ++r) {
          for (int64_t u = 0; u < count; ++u) store(lt_ + (i0 + r) * stride_ + j + u * w, sum.v[r][u]);
        }
      });
    }
  }

  // Of the result, which lies in X.
  T sumOfSquares() const {
    T total = 0;
    for (int64_t j = 0; j < n_; j += w) {
      const int64_t part = n_ - j < w ? n_ - j : w;
      V sums{};
      for (int64_t i = 0; i < n_; ++i) {
        const V b = loadPart(x_ + i * n_ + j, part);
        sums = mulAdd(b, b, sums);
      }
      for (int64_t lane = 0; lane < part; ++lane) total += sums[lane];
    }
    return total;
  }

  int64_t n_, padded_, stride_;
  T* lt_;
  T* x_;
  T* pivot_;  // reciprocals of the diagonal of L
  T triangle_[tile][tile];
};

}  // namespace
}  // namespace NATGRAD_SIMD
}  // namespace natgrad
