// Inverses of small symmetric positive definite matrices.
//
// A = LL', X = L^-1, A^-1 = X'X, each element by the plain formula with its sum taken in the order of k:
//   l_jj = sqrt(a_jj - sum_{k<j} l_jk^2),   l_ij = (a_ij - sum_{k<j} l_ik l_jk) / l_jj          (i > j)
//   x_jj = 1 / l_jj,                        x_ij = -x_ii sum_{j<=k<i} l_ik x_kj                 (i > j)
//   b_ij = sum_{k>=i} x_ki x_kj                                                                 (i >= j)
// and the square of its norm is the sum over j of sum_i b_ij^2.
// Two kernels do this: one for as many matrices as a register has lanes, each element a register; one for a single
// matrix, with the registers along its rows. Every element goes through the same operations in the same order in both,
// so the bits are the same, and which one is used for a matrix is only a question of speed.
#pragma once

#include "cpu/simd/interleavedInverse.h"
#include "cpu/simd/singleInverse.h"

namespace natgrad {
namespace NATGRAD_SIMD {
namespace {

template <class T>
int64_t invertSmallWorkspace(int64_t n) {
  const int64_t interleaved = InterleavedInverse<T>::workspace(n);
  const int64_t single = SingleInverse<T>::workspace(n);
  return interleaved > single ? interleaved : single;
}

template <class T>
int64_t invertFactorWorkspace(int64_t n) {
  return SingleInverse<T>::workspace(n);
}

template <class T>
bool invertFactor(int64_t n, T* a, int64_t lda, T* workspace) {
  return SingleInverse<T>(n, workspace).runFactor(a, lda);
}

template <class T>
void invertSmall(int64_t n, int64_t count, const T* const* matrix, const double* damping, const double* scale,
                 const double* limit, T* const* out, double* norm, T* workspace) {
  constexpr int64_t w = width<T>;
  int64_t i = 0;
  while (i < count) {
    const int64_t lanes = count - i < w ? count - i : w;
    if (lanes >= InterleavedInverse<T>::worthwhile(n)) {
      InterleavedInverse<T>(n, workspace).run(lanes, matrix + i, damping + i, scale + i, limit + i, out + i, norm + i);
      i += lanes;
    } else {
      norm[i] = SingleInverse<T>(n, workspace).run(matrix[i], damping[i], scale[i], limit[i], out[i]);
      ++i;
    }
  }
}

}  // namespace
}  // namespace NATGRAD_SIMD
}  // namespace natgrad
