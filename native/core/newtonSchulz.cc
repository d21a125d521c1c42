#include <algorithm>
#include <cmath>

#include "core/buffer.h"
#include "core/dampedMatrix.h"
#include "core/newtonSchulzSchedule.h"
#include "core/rootIteration.h"
#include "core/symmetric.h"

namespace natgrad {

namespace {

template <class T>
double residualOf(int64_t n, const T* e) {
  double sum = 0;
  for (int64_t i = 0; i < n; ++i) {
    double row = 0;
    for (int64_t j = 0; j < n; ++j) {
      const double d = static_cast<double>(e[i * n + j]) - (i == j ? 1 : 0);
      row += d * d;
    }
    sum += row;
  }
  return std::sqrt(sum / static_cast<double>(n));
}

template <class T>
bool isRoot(int64_t n, double residual, double tolerance, Interval interval) {
  return residual <= rootLimit(unitRoundoff<T>, n, tolerance, interval);
}

}  // namespace

// Coupled iteration for the square root and its inverse (Higham, "Functions of Matrices", section 6.3):
//   E = Z Y,   P = linear I + cubic E,   Y <- Y P,   Z <- P Z,   Y_0 = A / u, Z_0 = I
// Dividing by the bound u is not a matter of speed: an eigenvalue above 3 would lead to the wrong, negative branch of
// the root with a residual of zero. Y and Z are symmetric whatever E is, so half of each suffices; E is not, to
// rounding, and making it so would be unstable from a condition number of some hundreds on.
template <class T>
Attempt newtonSchulz(const Operations<T>& ops, int64_t n, T* a, Interval interval, Stop stop, bool minimax) {
  Attempt attempt;
  const double bound = interval.upper;
  Buffer<T> y(n * n);
  Buffer<T> z(n * n);
  Buffer<T> e(n * n);
  Buffer<T> p(n * n);
  Buffer<T> product(n * n);
  ops.mirror(n, a, n, static_cast<T>(1 / bound), y.data());
  std::copy(y.data(), y.data() + n * n, e.data());
  // The polynomials act on the square roots of the eigenvalues.
  Interval roots{std::sqrt(interval.lower / bound), 1};
  const int64_t limit = newtonSchulzSteps(roots, stop, minimax);
  for (;; ++attempt.iterations) {
    if (attempt.iterations > 0) ops.gemm(false, false, n, n, n, T(1), z.data(), n, y.data(), n, T(0), e.data(), n);
    attempt.residual = residualOf(n, e.data());
    // The first residual is that of Z = I; it is not there yet to be returned.
    const bool done = attempt.residual <= stop.tolerance && attempt.iterations > 0;
    if (done || attempt.iterations == limit || !std::isfinite(attempt.residual)) break;
    const Cubic step = nextCubic(roots, minimax);
    const T cubic = static_cast<T>(step.cubic);
    for (int64_t i = 0; i < n * n; ++i) p[i] = cubic * e[i];
    for (int64_t i = 0; i < n; ++i) p[i * n + i] += static_cast<T>(step.linear);
    symmetricProduct(ops, n, y.data(), p.data(), product.data());
    ops.mirror(n, product.data(), n, T(1), y.data());
    if (attempt.iterations == 0) {
      z.swap(p);
      continue;
    }
    symmetricProduct(ops, n, p.data(), z.data(), product.data());
    ops.mirror(n, product.data(), n, T(1), z.data());
  }
  attempt.accepted = attempt.converged = isRoot<T>(n, attempt.residual, stop.tolerance, interval);
  const T rootOfBound = static_cast<T>(1 / std::sqrt(bound));
  for (int64_t i = 0; i < n * n; ++i) a[i] = z[i] * rootOfBound;
  return attempt;
}

// Coupled Newton iteration for any p (Iannazzo, 2006), with z = (p + 1) / (2 u), X_0 = z^(1/p) I, M_0 = z A:
//   T = ((p + 1) I - M) / p,   X <- X T,   M <- T^p M,   X -> A^(-1/p), M -> I
template <class T>
Attempt coupledNewton(const Operations<T>& ops, int64_t n, T* a, int32_t p, Interval interval, Stop stop) {
  Attempt attempt;
  const double z = (p + 1) / (2 * interval.upper);
  Buffer<T> m(n * n);
  Buffer<T> x(n * n);
  Buffer<T> t(n * n);
  Buffer<T> product(n * n);
  const auto multiply = [&](Buffer<T>& left, Buffer<T>& right, Buffer<T>& target) {
    ops.gemm(false, false, n, n, n, T(1), left.data(), n, right.data(), n, T(0), product.data(), n);
    target.swap(product);
  };
  ops.mirror(n, a, n, static_cast<T>(z), m.data());
  std::fill(x.data(), x.data() + n * n, T(0));
  for (int64_t i = 0; i < n; ++i) x[i * n + i] = static_cast<T>(std::pow(z, 1.0 / p));
  const int64_t limit = stop.maxIterations > 0 ? stop.maxIterations : 100;
  double best = std::numeric_limits<double>::infinity();
  for (;; ++attempt.iterations) {
    attempt.residual = residualOf(n, m.data());
    // At the root rounding stops the residual from falling, and after that the iteration drifts away again. Far from it
    // the residual may fall slowly, as long as one small eigenvalue is still on its way.
    const bool atRoot = isRoot<T>(n, attempt.residual, stop.tolerance, interval);
    const bool stalled = attempt.residual > (atRoot ? 0.5 : 1.2) * best && best < 0.1;
    if (attempt.residual <= stop.tolerance || stalled || attempt.iterations == limit ||
        !std::isfinite(attempt.residual))
      break;
    best = std::min(best, attempt.residual);
    const T share = static_cast<T>(-1.0 / p);
    for (int64_t i = 0; i < n * n; ++i) t[i] = share * m[i];
    for (int64_t i = 0; i < n; ++i) t[i * n + i] += static_cast<T>(1 + 1.0 / p);
    multiply(x, t, x);
    // T^p for p a power of two.
    for (int32_t power = 1; power < p; power *= 2) multiply(t, t, t);
    multiply(t, m, m);
  }
  attempt.accepted = attempt.converged = isRoot<T>(n, attempt.residual, stop.tolerance, interval);
  std::copy(x.data(), x.data() + n * n, a);
  return attempt;
}

#define NATGRAD_INSTANTIATE(T)                                                               \
  template Attempt newtonSchulz<T>(const Operations<T>&, int64_t, T*, Interval, Stop, bool); \
  template Attempt coupledNewton<T>(const Operations<T>&, int64_t, T*, int32_t, Interval, Stop);
NATGRAD_INSTANTIATE(float)
NATGRAD_INSTANTIATE(double)
#undef NATGRAD_INSTANTIATE

}  // namespace natgrad
