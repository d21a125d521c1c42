// Matrices in device memory as packed ones of doubles, in which the answers are computed, and back.
#pragma once

#include <cmath>
#include <cstdint>
#include <cstring>
#include <vector>

#include "functions.h"

namespace natgrad::fakeCuda {

// Nearest number with the ten explicit bits of significand of a TF32 input, to even.
inline float toTensorFloat32(float x) {
  if (!std::isfinite(x)) return x;
  uint32_t bits;
  std::memcpy(&bits, &x, sizeof bits);
  bits = (bits + 0xfffU + (bits >> 13 & 1U)) & ~0x1fffU;
  std::memcpy(&x, &bits, sizeof bits);
  return x;
}

// How the elements of an input are read.
struct Reading {
  bool tensorFloat32 = false;

  double operator()(float x) const { return static_cast<double>(tensorFloat32 ? toTensorFloat32(x) : x); }
  double operator()(double x) const { return x; }
};

// A packed column-major matrix.
class Packed {
 public:
  Packed(int rows, int columns)
      : rows_(rows), columns_(columns), data_(static_cast<size_t>(rows) * static_cast<size_t>(columns)) {}

  double& at(int row, int column) {
    return data_[static_cast<size_t>(column) * static_cast<size_t>(rows_) + static_cast<size_t>(row)];
  }
  double* data() { return data_.data(); }
  int rows() const { return rows_; }
  int columns() const { return columns_; }

  template <class T>
  static Packed general(int rows, int columns, const T* a, int ld, Reading read) {
    Packed m(rows, columns);
    for (int j = 0; j < columns; ++j) {
      for (int i = 0; i < rows; ++i) m.at(i, j) = read(a[static_cast<int64_t>(j) * ld + i]);
    }
    return m;
  }

  // From one triangle; the other one is not read, and holds zeros or, of a symmetric matrix, the same numbers.
  template <class T>
  static Packed triangle(int n, int which, bool symmetric, bool unit, const T* a, int ld, Reading read) {
    Packed m(n, n);
    for (int j = 0; j < n; ++j) {
      for (int i = 0; i < n; ++i) {
        if (i == j ? unit : (which == lowerTriangle) != (i > j)) continue;
        m.at(i, j) = read(a[static_cast<int64_t>(j) * ld + i]);
        if (symmetric) m.at(j, i) = m.at(i, j);
      }
      if (unit) m.at(j, j) = 1;
    }
    return m;
  }

  template <class T>
  void store(T* a, int ld) {
    for (int j = 0; j < columns_; ++j) {
      for (int i = 0; i < rows_; ++i) a[static_cast<int64_t>(j) * ld + i] = static_cast<T>(at(i, j));
    }
  }

  template <class T>
  void storeTriangle(int which, T* a, int ld) {
    for (int j = 0; j < columns_; ++j) {
      for (int i = 0; i < rows_; ++i) {
        if (i == j || (which == lowerTriangle) == (i > j))
          a[static_cast<int64_t>(j) * ld + i] = static_cast<T>(at(i, j));
      }
    }
  }

 private:
  int rows_, columns_;
  std::vector<double> data_;
};

}  // namespace natgrad::fakeCuda
