#include "core/dampedMatrix.h"

#include <algorithm>
#include <cstring>

#include "core/damping.h"
#include "core/symmetric.h"

namespace natgrad {

namespace {

// floor(log2 x) of a positive number, and 2^e, by their bits: every one of hundreds of small matrices asks for both,
// and the library's functions are calls. A subnormal x counts as 2^-1023.
int exponentOf(double x) {
  uint64_t bits = 0;
  std::memcpy(&bits, &x, sizeof bits);
  return static_cast<int>(bits >> 52) - 1023;
}

double powerOfTwo(int e) {
  const uint64_t bits = static_cast<uint64_t>(e + 1023) << 52;
  double x = 0;
  std::memcpy(&x, &bits, sizeof x);
  return x;
}

}  // namespace

template <class T>
DampedMatrix weigh(double bound, double trace, bool negative, double damping, int32_t p) {
  DampedMatrix result;
  result.upper = bound;
  if (!std::isfinite(bound)) {
    result.status = Status::notFinite;
    return result;
  }
  // The trace bounds the eigenvalues of a matrix that has no negative ones.
  if (!negative && std::isfinite(trace)) result.upper = std::min(result.upper, trace);
  result.damping = damping;
  if (result.damping > 0) result.damping = std::max(result.damping, dampingFloor<T>(result.upper));
  const double size = result.upper + result.damping;
  if (size > 0 && std::isfinite(size)) {
    constexpr int limit = std::is_same_v<T, float> ? 124 : 1020;
    int exponent = std::clamp(exponentOf(size), -limit, limit);
    if (p > 1) exponent -= ((exponent % p) + p) % p;
    result.scale = powerOfTwo(-exponent);
  }
  return result;
}

template <class T>
DampedMatrix examine(const Operations<T>& ops, int64_t n, const T* matrix, const Damped<T>& damped, int32_t p) {
  DampedMatrix result;
  if (n == 0) {
    result.damping = damped.damping;
    return result;
  }
  // Squares of float32 fit in float64 as they are; those of float64 may need a scale.
  constexpr bool wide = std::is_same_v<T, double>;
  double trace = 0;
  double largest = 0;
  bool negative = false;
  for (int64_t i = 0; i < n; ++i) {
    const double x = static_cast<double>(matrix[i * n + i]);
    trace += x;
    if constexpr (wide) largest = std::max(largest, std::fabs(x));
    negative |= x < 0;
  }
  const double guard = wide && largest > 0 && std::isfinite(largest)
                           ? powerOfTwo(-std::clamp(exponentOf(largest), -1000, 1000))
                           : 1.0;
  return weigh<T>(normBound(ops, n, matrix, guard), trace, negative, resolveDamping(damped, trace, n), p);
}

template <class T>
bool settle(const DampedMatrix& matrix, int64_t n, int32_t p, Report& report, double& diagonal) {
  diagonal = std::numeric_limits<double>::quiet_NaN();
  if (matrix.status == Status::ok && n > 0 && matrix.upper > 0) return false;
  report = Report();
  report.damping = matrix.damping;
  if (matrix.status != Status::ok) {
    report.status = matrix.status;
    report.converged = false;
    return true;
  }
  if (n == 0) return true;
  const double value = std::pow(matrix.damping, -1.0 / p);
  report.minEigenvalue = matrix.damping;
  if (!(matrix.damping > 0) || !representable<T>(value)) {
    report.status = Status::notPositiveDefinite;
    report.converged = false;
    return true;
  }
  diagonal = value;
  return true;
}

template <class T>
bool settle(const DampedMatrix& matrix, int64_t n, int32_t p, T* out, Report& report) {
  double diagonal = 0;
  if (!settle<T>(matrix, n, p, report, diagonal)) return false;
  if (std::isnan(diagonal)) return true;
  std::fill(out, out + n * n, T(0));
  for (int64_t i = 0; i < n; ++i) out[i * n + i] = static_cast<T>(diagonal);
  return true;
}

template DampedMatrix weigh<float>(double, double, bool, double, int32_t);
template DampedMatrix weigh<double>(double, double, bool, double, int32_t);
template bool settle<float>(const DampedMatrix&, int64_t, int32_t, Report&, double&);
template bool settle<double>(const DampedMatrix&, int64_t, int32_t, Report&, double&);
template bool settle<float>(const DampedMatrix&, int64_t, int32_t, float*, Report&);
template bool settle<double>(const DampedMatrix&, int64_t, int32_t, double*, Report&);
template DampedMatrix examine<float>(const Operations<float>&, int64_t, const float*, const Damped<float>&, int32_t);
template DampedMatrix examine<double>(const Operations<double>&, int64_t, const double*, const Damped<double>&,
                                      int32_t);

}  // namespace natgrad
