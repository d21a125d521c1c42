// As many small matrices at a time as a register has lanes; see smallInverse.h for the formulas.
#pragma once

#include "cpu/simd/singleInverse.h"
#include "cpu/simd/transpose.h"

namespace natgrad {
namespace NATGRAD_SIMD {
namespace {

// x + y with y and the sum in float64, rounded to the precision of x.
inline LanesOf<double> addWide(LanesOf<double> x, const double* y) { return x + load(y); }
inline LanesOf<float> addWide(LanesOf<float> x, const double* y) {
  typedef float Half __attribute__((vector_size(registerBytes / 2)));
  Half halves[2];
  __builtin_memcpy(halves, &x, sizeof x);
  for (int h = 0; h < 2; ++h) {
    const LanesOf<double> sum = __builtin_convertvector(halves[h], LanesOf<double>) + load(y + h * width<double>);
    halves[h] = __builtin_convertvector(sum, Half);
  }
  __builtin_memcpy(&x, halves, sizeof x);
  return x;
}

// Element (i, j) of all the matrices is one register. The lower triangle holds A, then L, then the inverse; the upper
// triangle holds X', so that all three sums run along two rows. Tiles of 4 by 4 elements keep the arithmetic in
// registers.
template <class T>
class InterleavedInverse {
  using V = LanesOf<T>;
  using Tile = V[tile][tile];
  static constexpr int64_t w = width<T>;

 public:
  // From this many matrices on, this kernel is faster than one matrix at a time. The larger they are, the more of them
  // it takes, because the other kernel then fills its registers too.
  static int64_t worthwhile(int64_t n) {
    const int64_t lanes = n <= 24 ? 3 * w / 8 : 3 * w / 4;
    return lanes > 2 ? lanes : 2;
  }

  static int64_t workspace(int64_t n) { return (roundUp(n, tile) * roundUp(n, tile) + roundUp(n, tile) + w) * w; }

  InterleavedInverse(int64_t n, T* memory)
      : n_(n), padded_(roundUp(n, tile)), a_(reinterpret_cast<V*>(memory)), pivot_(a_ + padded_ * padded_ + w) {}

  void run(int64_t lanes, const T* const* matrix, const double* damping, const double* scale, const double* limit,
           T* const* out, double* norm) {
    const T* source[w];
    double shift[w];
    for (int64_t lane = 0; lane < w; ++lane) {
      // Lanes that are left over work on the first matrix again, and nobody looks at their results.
      const int64_t from = lane < lanes ? lane : 0;
      source[lane] = matrix[from];
      shift[lane] = damping[from] * scale[from];
      scale_[lane] = static_cast<T>(scale[from]);
    }
    pack(source, shift);
    good_ = broadcast(T(1));
    factor();
    invertFactor();
    multiply();
    mirrorUp();
    const V squares = sumOfSquares();
    T* target[w];
    for (int64_t lane = 0; lane < lanes; ++lane) {
      norm[lane] =
          good_[lane] == T(0) ? __builtin_nan("") : scale[lane] * __builtin_sqrt(static_cast<double>(squares[lane]));
      target[lane] = norm[lane] <= limit[lane] ? out[lane] : nullptr;
    }
    unpack(lanes, target);
  }

 private:
  // Without padding the matrices are flat arrays of n^2 elements; with it, every row is copied by itself.
  int64_t runs() const { return padded_ == n_ ? 1 : n_; }
  int64_t runLength() const { return padded_ == n_ ? n_ * n_ : n_; }

  void pack(const T* const* source, const double* shift) {
    for (int64_t run = 0; run < runs(); ++run) {
      for (int64_t j = 0; j < runLength(); j += w) {
        V block[w];
        const int64_t part = runLength() - j < w ? runLength() - j : w;
        for (int64_t lane = 0; lane < w; ++lane) block[lane] = loadPart(source[lane] + run * n_ + j, part);
        transpose<T>(block);
        for (int64_t k = 0; k < w; ++k) a_[run * padded_ + j + k] = block[k] * scale_;
      }
    }
    for (int64_t i = 0; i < n_; ++i) a_[i * padded_ + i] = addWide(a_[i * padded_ + i], shift);
    for (int64_t i = n_; i < padded_; ++i) {
      for (int64_t j = 0; j < i; ++j) a_[i * padded_ + j] = V{};
      a_[i * padded_ + i] = broadcast(T(1));
    }
  }

  // sum += or -= the products of rows `a` and rows `b` over k in [begin, end), in the order of k.
  template <bool subtract>
  void accumulate(Tile& sum, const V* a, const V* b, int64_t begin, int64_t end) const {
    constexpr int64_t columns = registerCount >= 32 ? tile : tile / 2;
    for (int64_t c0 = 0; c0 < tile; c0 += columns) {
      V part[tile][columns];
      for (int64_t r = 0; r < tile; ++r) {
        for (int64_t c = 0; c < columns; ++c) part[r][c] = sum[r][c0 + c];
      }
      for (int64_t k = begin; k < end; ++k) {
        V right[columns];
        for (int64_t c = 0; c < columns; ++c) right[c] = b[(c0 + c) * padded_ + k];
        for (int64_t r = 0; r < tile; ++r) {
          const V left = a[r * padded_ + k];
          for (int64_t c = 0; c < columns; ++c) {
            part[r][c] = subtract ? mulSub(left, right[c], part[r][c]) : mulAdd(left, right[c], part[r][c]);
          }
        }
      }
      for (int64_t r = 0; r < tile; ++r) {
        for (int64_t c = 0; c < columns; ++c) sum[r][c0 + c] = part[r][c];
      }
    }
  }

  void factor() {
    for (int64_t j0 = 0; j0 < padded_; j0 += tile) {
      V* top = a_ + j0 * padded_;
      for (int64_t i0 = j0; i0 < padded_; i0 += tile) {
        V* rows = a_ + i0 * padded_;
        Tile sum;
        for (int64_t r = 0; r < tile; ++r) {
          for (int64_t c = 0; c < tile; ++c) sum[r][c] = rows[r * padded_ + j0 + c];
        }
        accumulate<true>(sum, rows, top, 0, j0);
        for (int64_t c = 0; c < tile; ++c) {
          const bool diagonal = i0 == j0;
          for (int64_t r = diagonal ? c : 0; r < tile; ++r) {
            for (int64_t b = 0; b < c; ++b)
              sum[r][c] = mulSub(sum[r][b], diagonal ? sum[c][b] : top[c * padded_ + j0 + b], sum[r][c]);
            if (diagonal && r == c) {
              good_ = sum[c][c] > T(0) ? good_ : V{};
              pivot_[j0 + c] = T(1) / squareRoot(sum[c][c]);
            } else {
              sum[r][c] *= pivot_[j0 + c];
              rows[r * padded_ + j0 + c] = sum[r][c];
            }
          }
        }
      }
    }
  }

  void invertFactor() {
    for (int64_t j0 = 0; j0 < padded_; j0 += tile) {
      V* columns = a_ + j0 * padded_;  // row j of X' is column j of X
      for (int64_t c = 0; c < tile; ++c) columns[c * padded_ + j0 + c] = pivot_[j0 + c];
      for (int64_t i0 = j0; i0 < padded_; i0 += tile) {
        const V* rows = a_ + i0 * padded_;
        Tile sum = {};
        if (i0 > j0) {
          for (int64_t r = 0; r < tile; ++r) {
            for (int64_t c = 0; c < tile; ++c) {
              for (int64_t k = j0 + c; k < j0 + tile; ++k) {
                sum[r][c] = mulAdd(rows[r * padded_ + k], columns[c * padded_ + k], sum[r][c]);
              }
            }
          }
          accumulate<false>(sum, rows, columns, j0 + tile, i0);
        }
        for (int64_t r = 0; r < tile; ++r) {
          const int64_t i = i0 + r;
          for (int64_t c = 0; c < tile && j0 + c < i; ++c) {
            for (int64_t k = i0 > j0 + c ? i0 : j0 + c; k < i; ++k) {
              sum[r][c] = mulAdd(rows[r * padded_ + k], columns[c * padded_ + k], sum[r][c]);
            }
            columns[c * padded_ + i] = -(sum[r][c] * pivot_[i]);
          }
        }
      }
    }
  }

  void multiply() {
    for (int64_t i0 = 0; i0 < padded_; i0 += tile) {
      V* rows = a_ + i0 * padded_;
      for (int64_t j0 = 0; j0 <= i0; j0 += tile) {
        const V* columns = a_ + j0 * padded_;
        Tile sum = {};
        for (int64_t r = 0; r < tile; ++r) {
          for (int64_t c = 0; c < tile && j0 + c <= i0 + r; ++c) {
            for (int64_t k = i0 + r; k < i0 + tile; ++k) {
              sum[r][c] = mulAdd(rows[r * padded_ + k], columns[c * padded_ + k], sum[r][c]);
            }
          }
        }
        accumulate<false>(sum, rows, columns, i0 + tile, padded_);
        for (int64_t r = 0; r < tile; ++r) {
          for (int64_t c = 0; c < tile && j0 + c <= i0 + r; ++c) rows[r * padded_ + j0 + c] = sum[r][c];
        }
      }
    }
  }

  void mirrorUp() {
    for (int64_t i = 0; i < n_; ++i) {
      for (int64_t j = 0; j < i; ++j) a_[j * padded_ + i] = a_[i * padded_ + j];
    }
  }

  V sumOfSquares() const {
    V total{};
    for (int64_t j = 0; j < n_; ++j) {
      V sum{};
      for (int64_t i = 0; i < n_; ++i) sum = mulAdd(a_[j * padded_ + i], a_[j * padded_ + i], sum);
      total += sum;
    }
    return total;
  }

  // Where there is a place to put it.
  void unpack(int64_t lanes, T* const* out) {
    for (int64_t run = 0; run < runs(); ++run) {
      for (int64_t j = 0; j < runLength(); j += w) {
        V block[w];
        for (int64_t k = 0; k < w; ++k) block[k] = a_[run * padded_ + j + k] * scale_;
        transpose<T>(block);
        const int64_t part = runLength() - j < w ? runLength() - j : w;
        for (int64_t lane = 0; lane < lanes; ++lane) {
          if (out[lane] != nullptr) storePart(out[lane] + run * n_ + j, block[lane], part);
        }
      }
    }
  }

  int64_t n_, padded_;
  V* a_;
  V* pivot_;  // reciprocals of the diagonal of L
  V scale_;
  V good_;
};

}  // namespace
}  // namespace NATGRAD_SIMD
}  // namespace natgrad
