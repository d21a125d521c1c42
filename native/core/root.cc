#include "core/root.h"

#include <algorithm>
#include <cmath>

#include "core/buffer.h"
#include "core/dampedMatrix.h"
#include "core/eigenRoot.h"
#include "core/inverse.h"
#include "core/ladder.h"
#include "core/rootInterval.h"
#include "core/rootIteration.h"
#include "core/symmetric.h"

namespace natgrad {

namespace {

template <class T>
Attempt squareRoot(const Backend& backend, RootMethod method, int64_t n, T* a, Interval interval, Stop stop) {
  const Operations<T>& ops = operations<T>(backend);
  if (method == RootMethod::contour) return contour(backend, n, a, interval, stop);
  if (method == RootMethod::denmanBeavers) return denmanBeavers(ops, n, a, interval, stop);
  return newtonSchulz(ops, n, a, interval, stop, method == RootMethod::newtonSchulzMinimax);
}

// A^(-1/4) = (A A^(-1/2))^(-1/2), whose second root has the square root of the condition number.
template <class T>
Attempt iterate(const Backend& backend, RootMethod method, int64_t n, int32_t p, T* a, Interval interval, Stop stop) {
  const Operations<T>& ops = operations<T>(backend);
  if (method == RootMethod::coupledNewton) return coupledNewton(ops, n, a, p, interval, stop);
  if (p == 2) return squareRoot(backend, method, n, a, interval, stop);
  Buffer<T> matrix(n * n);
  Buffer<T> half(n * n);
  ops.mirror(n, a, n, T(1), matrix.data());
  const Attempt first = squareRoot(backend, method, n, a, interval, stop);
  if (!first.accepted) return first;
  ops.mirror(n, a, n, T(1), half.data());
  symmetricProduct(ops, n, matrix.data(), half.data(), a);
  const Interval roots = rootsOf(interval);
  Attempt second = squareRoot(backend, method, n, a, roots, stop);
  second.iterations += first.iterations;
  second.residual = std::max(first.residual, second.residual);
  second.converged = second.converged && first.converged;
  return second;
}

// One try of an iteration in precision T, for a matrix in precision S. With a limit set by the caller, what the
// iteration has reached by then is the result.
template <class T, class S>
Attempt tryIteration(const Backend& backend, const InverseRootJob<S>& job, RootMethod method,
                     const DampedMatrix& matrix, double damping) {
  const Operations<T>& ops = operations<T>(backend);
  const int64_t n = job.size;
  const Stop stop = stopOf<T>(job);
  Buffer<T> a(n * n);
  loadLower(n, job.matrix, matrix.scale, damping, a.data());
  Attempt attempt = iterate(backend, method, n, job.p, a.data(), intervalOf<T>(matrix, damping), stop);
  const double rootOfScale = std::pow(matrix.scale, 1.0 / job.p);
  const double norm = normBound(ops, n, a.data(), 1.0);
  if (!std::isfinite(norm) || !representable<S>(norm * rootOfScale)) return Attempt();
  if (job.maxIterations > 0 && !attempt.converged && std::isfinite(attempt.residual)) attempt.accepted = true;
  if (!attempt.accepted) return attempt;
  attempt.minEigenvalue = std::pow(norm, -job.p) / matrix.scale;
  storeSymmetric(operations<S>(backend), n, a.data(), rootOfScale, job.out);
  return attempt;
}

template <class S>
Attempt tryEigen(const Backend& backend, const InverseRootJob<S>& job, const DampedMatrix& matrix, double damping,
                 bool clip) {
  return eigenRoot(backend, job.size, job.matrix, matrix, damping, job.p, clip, job.out);
}

// In float64, by the iteration where it is faster than an eigendecomposition or was asked for.
template <class S>
Attempt tryPrecise(const Backend& backend, const InverseRootJob<S>& job, const DampedMatrix& matrix, double damping) {
  constexpr int64_t largestIteration = 256;
  RootMethod method = job.method;
  if (method == RootMethod::automatic) {
    method = damping > 0 && job.size <= largestIteration ? RootMethod::denmanBeavers : RootMethod::eigen;
  }
  if (method == RootMethod::eigen) return tryEigen(backend, job, matrix, damping, false);
  return tryIteration<double>(backend, job, method, matrix, damping);
}

template <class S>
Attempt tryAsAsked(const Backend& backend, const InverseRootJob<S>& job, const DampedMatrix& matrix) {
  if constexpr (std::is_same_v<S, float>) {
    // Beyond this one too many terms need float64.
    constexpr double contourIsFaster = 1e8;
    const Interval interval = intervalOf<float>(matrix, matrix.damping);
    RootMethod method = job.method;
    if (method == RootMethod::automatic && matrix.damping > 0) {
      const double condition = interval.upper / interval.lower;
      if (condition <= singleIsEnough) method = RootMethod::denmanBeavers;
      else if (condition <= contourIsFaster) method = RootMethod::contour;
    }
    if (method != RootMethod::automatic && method != RootMethod::eigen) {
      return tryIteration<float>(backend, job, method, matrix, matrix.damping);
    }
  }
  return tryPrecise(backend, job, matrix, matrix.damping);
}

}  // namespace

template <class T>
Report compute(const Backend& backend, const InverseRootJob<T>& job) {
  if (job.p == 1) return compute(backend, InverseJob<T>{job.matrix, job.size, job.damped, job.out});
  const DampedMatrix matrix = examine(operations<T>(backend), job.size, job.matrix, job.damped, job.p);
  Report report;
  if (settle(matrix, job.size, job.p, job.out, report)) return report;
  return climb(
      tryAsAsked(backend, job, matrix), matrix.damping, sizeof(T) == 4,
      [&](double damping) { return tryPrecise(backend, job, matrix, damping); },
      [&](double damping) { return tryEigen(backend, job, matrix, damping, true); });
}

template Report compute<float>(const Backend&, const InverseRootJob<float>&);
template Report compute<double>(const Backend&, const InverseRootJob<double>&);

}  // namespace natgrad
