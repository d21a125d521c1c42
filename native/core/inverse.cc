#include "core/inverse.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "core/buffer.h"
#include "core/dampedMatrix.h"
#include "core/eigenRoot.h"
#include "core/inverseLimits.h"
#include "core/ladder.h"
#include "core/newtonInverse.h"
#include "core/symmetric.h"

namespace natgrad {

namespace {

// X = L^-1 in place of A = LL', by halves (A11 of size `top`, A21 and A22 below it):
//   X11 from A11;   L21 = A21 X11';   X22 from A22 - L21 L21';   X21 = -X22 L21 X11
// which is all products, at the speed of BLAS, where its own Cholesky factorisation and triangular inverse wait for
// each other's small steps. Returns false if A is not positive definite.
template <class T>
bool invertFactor(const Operations<T>& ops, int64_t n, T* a, int64_t ld, T* workspace) {
  if (n <= invertFactorSize) return ops.invertFactor(n, a, ld, workspace);
  const int64_t top = (n / 2 + 15) / 16 * 16;
  const int64_t rest = n - top;
  T* corner = a + top * ld;
  if (!invertFactor(ops, top, a, ld, workspace)) return false;
  ops.trmm(false, true, rest, top, T(1), a, ld, corner, ld);
  ops.syrk(false, rest, top, T(-1), corner, ld, T(1), corner + top, ld);
  if (!invertFactor(ops, rest, corner + top, ld, workspace)) return false;
  ops.trmm(false, false, rest, top, T(-1), a, ld, corner, ld);
  ops.trmm(true, false, rest, top, T(1), corner + top, ld, corner, ld);
  return true;
}

// One try in precision T, for a matrix in precision S.
template <class T, class S>
Attempt tryInverse(const Backend& backend, const InverseJob<S>& job, const DampedMatrix& matrix, double damping) {
  const Operations<T>& ops = operations<T>(backend);
  const int64_t n = job.size;
  Buffer<T> a(n * n);
  loadLower(n, job.matrix, matrix.scale, damping, a.data());
  if (!invertLower(ops, n, a.data())) return Attempt();
  const double norm = matrix.upper + damping;
  const double inverseNorm = normBound(ops, n, a.data(), 1.0) * matrix.scale;
  const Attempt attempt = judge<T>(norm, inverseNorm, largestNorm<S, T>(norm));
  if (attempt.accepted) storeSymmetric(operations<S>(backend), n, a.data(), matrix.scale, job.out);
  return attempt;
}

// The later rungs of the ladder.
template <class T>
Report climbFrom(const Backend& backend, const InverseJob<T>& job, const DampedMatrix& matrix, const Attempt& first) {
  return climb(
      first, matrix.damping, sizeof(T) == 4,
      [&](double damping) { return tryInverse<double>(backend, job, matrix, damping); },
      [&](double damping) { return eigenRoot(backend, job.size, job.matrix, matrix, damping, 1, true, job.out); });
}

}  // namespace

template <class T>
bool invertLower(const Operations<T>& ops, int64_t n, T* a) {
  if (n <= smallSize) {
    Buffer<T> workspace(ops.invertSmallWorkspace(n));
    const double damping = 0;
    const double scale = 1;
    const double limit = std::numeric_limits<double>::infinity();
    const T* matrix = a;
    T* out = a;
    double norm = 0;
    ops.invertSmall(n, 1, &matrix, &damping, &scale, &limit, &out, &norm, workspace.data());
    return !std::isnan(norm);
  }
  if (!invertCholeskyFactor(ops, n, a)) return false;
  ops.lauum(n, a, n);
  return true;
}

template <class T>
bool invertCholeskyFactor(const Operations<T>& ops, int64_t n, T* a) {
  Buffer<T> workspace(ops.invertFactorWorkspace(invertFactorSize));
  return invertFactor(ops, n, a, n, workspace.data());
}

template <class T>
Report compute(const Backend& backend, const InverseJob<T>& job) {
  Report report;
  if (job.size <= smallSize) {
    const SmallInverse<T> one{&job, 0, &report};
    computeSmallInverses(backend, 1, &one);
    return report;
  }
  const DampedMatrix matrix = examine(operations<T>(backend), job.size, job.matrix, job.damped, 1);
  if (settle(matrix, job.size, 1, job.out, report)) return report;
  if (job.start != nullptr) {
    const Attempt attempt = tryNewtonInverse(backend, job, matrix);
    if (attempt.accepted) return climbFrom(backend, job, matrix, attempt);
  }
  return climbFrom(backend, job, matrix, tryInverse<T>(backend, job, matrix, matrix.damping));
}

template <class T>
void computeSmallInverses(const Backend& backend, size_t count, const SmallInverse<T>* inverses) {
  const Operations<T>& ops = operations<T>(backend);
  const int64_t n = inverses[0].job->size;
  Buffer<T> workspace(ops.invertSmallWorkspace(n));
  std::array<size_t, smallGroup> which;
  std::array<const T*, smallGroup> inputs;
  std::array<T*, smallGroup> outputs;
  std::array<double, smallGroup> damping, scale, norm, limit, inverseNorm;
  size_t active = 0;
  for (size_t i = 0; i < count; ++i) {
    const InverseJob<T> job = inverses[i].job->at(inverses[i].index);
    const DampedMatrix matrix = examine(ops, n, job.matrix, job.damped, 1);
    if (settle(matrix, n, 1, job.out, *inverses[i].report)) continue;
    which[active] = i;
    inputs[active] = job.matrix;
    outputs[active] = job.out;
    damping[active] = matrix.damping;
    scale[active] = matrix.scale;
    norm[active] = matrix.upper + matrix.damping;
    limit[active] = largestNorm<T, T>(norm[active]);
    ++active;
  }
  ops.invertSmall(n, static_cast<int64_t>(active), inputs.data(), damping.data(), scale.data(), limit.data(),
                  outputs.data(), inverseNorm.data(), workspace.data());
  for (size_t k = 0; k < active; ++k) {
    const SmallInverse<T>& one = inverses[which[k]];
    const Attempt attempt = judge<T>(norm[k], inverseNorm[k], limit[k]);
    if (attempt.accepted) {
      one.report->damping = damping[k];
      tell(attempt, *one.report);
    } else {
      // Seldom enough to examine the matrix again rather than keep what was found for all of them.
      const InverseJob<T> job = one.job->at(one.index);
      *one.report = climbFrom(backend, job, examine(ops, n, job.matrix, job.damped, 1), attempt);
    }
  }
}

#define NATGRAD_INSTANTIATE(T)                                      \
  template bool invertLower<T>(const Operations<T>&, int64_t, T*);  \
  template bool invertCholeskyFactor<T>(const Operations<T>&, int64_t, T*); \
  template Report compute<T>(const Backend&, const InverseJob<T>&); \
  template void computeSmallInverses<T>(const Backend&, size_t, const SmallInverse<T>*);
NATGRAD_INSTANTIATE(float)
NATGRAD_INSTANTIATE(double)
#undef NATGRAD_INSTANTIATE

}  // namespace natgrad
