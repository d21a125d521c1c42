// A symmetric matrix with damping on its diagonal, scaled by a power of two so that nothing over- or underflows: how
// every inverse and root takes its input and gives its result back.
#pragma once

#include <cmath>
#include <cstdint>
#include <limits>
#include <type_traits>

#include "core/backend.h"
#include "core/buffer.h"
#include "core/jobs.h"

namespace natgrad {

struct DampedMatrix {
  Status status = Status::ok;  // or notFinite
  double upper = 0;            // bound of the largest eigenvalue, without the damping; 0 only for the zero matrix
  double damping = 0;          // resolved, and raised to the floor where it is positive but below it
  double scale = 1;            // power of two with scale (upper + damping) in [1, 2^p)
};

// Examines a matrix whose inverse p-th root is wanted. The scale is the p-th power of a power of two.
template <class T>
DampedMatrix examine(const Operations<T>& ops, int64_t n, const T* matrix, const Damped<T>& damped, int32_t p);

// The same of what was found: a bound of the spectral norm (not finite for a matrix that is not), the trace, whether there is
// a negative number on the diagonal, and the damping as resolved.
template <class T>
DampedMatrix weigh(double bound, double trace, bool negative, double damping, int32_t p);

// Deals with what needs no arithmetic: a matrix that is not finite, one without elements, and the zero matrix, whose
// inverse root is damping^(-1/p) I. True if the report is final; else it is left alone.
template <class T>
bool settle(const DampedMatrix& matrix, int64_t n, int32_t p, T* out, Report& report);

// The same for a result that is not within reach: `diagonal` is what it has on its diagonal, with zeros beside it, or NaN if
// nothing is to be written.
template <class T>
bool settle(const DampedMatrix& matrix, int64_t n, int32_t p, Report& report, double& diagonal);

// Lower triangle of scale (matrix + damping I) in precision T; above the diagonal nothing is written.
template <class S, class T>
void loadLower(int64_t n, const S* matrix, double scale, double damping, T* lower) {
  const T factor = static_cast<T>(scale);
  for (int64_t i = 0; i < n; ++i) {
    const S* row = matrix + i * n;
    for (int64_t j = 0; j < i; ++j) lower[i * n + j] = static_cast<T>(row[j]) * factor;
    lower[i * n + i] = static_cast<T>((static_cast<double>(row[i]) + damping) * scale);
  }
}

// out = factor times the symmetric matrix with this lower triangle, rounded to S.
template <class S, class T>
void storeSymmetric(const Operations<S>& ops, int64_t n, const T* lower, double factor, S* out) {
  if constexpr (std::is_same_v<S, T>) {
    ops.mirror(n, lower, n, static_cast<T>(factor), out);
  } else {
    const T alpha = static_cast<T>(factor);
    for (int64_t i = 0; i < n; ++i) {
      for (int64_t j = 0; j <= i; ++j) out[i * n + j] = static_cast<S>(lower[i * n + j] * alpha);
    }
    ops.mirror(n, out, n, S(1), out);
  }
}

// True if a matrix with elements up to `bound` can be stored in S.
template <class S>
bool representable(double bound) {
  return bound <= static_cast<double>(std::numeric_limits<S>::max());
}

template <class T>
constexpr double unitRoundoff = static_cast<double>(std::numeric_limits<T>::epsilon()) / 2;

}  // namespace natgrad
