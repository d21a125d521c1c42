#include "core/inverse.h"

#include <algorithm>
#include <cmath>

#include "core/buffer.h"
#include "core/dampedMatrix.h"
#include "core/eigenRoot.h"
#include "core/ladder.h"
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

// A result in float32 is given up for one in float64 when its first-order error bound, the unit roundoff times the
// condition number, passes one percent; one in float64 only when no digit is left.
template <class T>
constexpr double acceptable = sizeof(T) == 4 ? 1e-2 : 1.0;

// Fills in what the norm of the inverse tells: its product with that of the matrix is the condition number.
template <class S, class T>
Attempt judge(const DampedMatrix& matrix, double damping, double inverseNorm) {
  Attempt attempt;
  attempt.residual = unitRoundoff<T> * (matrix.upper + damping) * inverseNorm;
  attempt.minEigenvalue = 1 / inverseNorm;
  attempt.accepted = attempt.residual <= acceptable<T> && representable<S>(inverseNorm);
  return attempt;
}

// One try in precision T, for a matrix in precision S.
template <class T, class S>
Attempt tryInverse(const Backend& backend, const InverseJob<S>& job, const DampedMatrix& matrix, double damping) {
  const Operations<T>& ops = operations<T>(backend);
  const int64_t n = job.size;
  Buffer<T> a(n * n);
  loadLower(n, job.matrix, matrix.scale, damping, a.data());
  if (!invertLower(ops, n, a.data())) return Attempt();
  const double norm = normBound(ops, n, a.data(), 1.0) * matrix.scale;
  const Attempt attempt = judge<S, T>(matrix, damping, norm);
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
    const T* matrix = a;
    T* out = a;
    uint8_t failed = 0;
    ops.invertSmall(n, 1, &matrix, &damping, &scale, &out, &failed, workspace.data());
    return failed == 0;
  }
  Buffer<T> workspace(ops.invertFactorWorkspace(invertFactorSize));
  if (!invertFactor(ops, n, a, n, workspace.data())) return false;
  ops.lauum(n, a, n);
  return true;
}

template <class T>
Report compute(const Backend& backend, const InverseJob<T>& job) {
  Report report;
  if (job.size <= smallSize) {
    computeSmallInverses<T>(backend, {&job}, {&report});
    return report;
  }
  const DampedMatrix matrix = examine(operations<T>(backend), job.size, job.matrix, job.damped, 1);
  if (settle(matrix, job.size, 1, job.out, report)) return report;
  return climbFrom(backend, job, matrix, tryInverse<T>(backend, job, matrix, matrix.damping));
}

template <class T>
void computeSmallInverses(const Backend& backend, const std::vector<const InverseJob<T>*>& jobs,
                          const std::vector<Report*>& reports) {
  const Operations<T>& ops = operations<T>(backend);
  const int64_t n = jobs.front()->size;
  std::vector<size_t> active;
  std::vector<DampedMatrix> matrices(jobs.size());
  for (size_t i = 0; i < jobs.size(); ++i) {
    matrices[i] = examine(ops, n, jobs[i]->matrix, jobs[i]->damped, 1);
    if (!settle(matrices[i], n, 1, jobs[i]->out, *reports[i])) active.push_back(i);
  }
  if (active.empty()) return;
  const int64_t count = static_cast<int64_t>(active.size());
  std::vector<const T*> inputs(active.size());
  std::vector<T*> outputs(active.size());
  std::vector<double> damping(active.size());
  std::vector<double> scale(active.size());
  std::vector<uint8_t> failed(active.size());
  Buffer<T> results(count * n * n);
  Buffer<T> workspace(ops.invertSmallWorkspace(n));
  for (size_t k = 0; k < active.size(); ++k) {
    inputs[k] = jobs[active[k]]->matrix;
    outputs[k] = results.data() + static_cast<int64_t>(k) * n * n;
    damping[k] = matrices[active[k]].damping;
    scale[k] = matrices[active[k]].scale;
  }
  ops.invertSmall(n, count, inputs.data(), damping.data(), scale.data(), outputs.data(), failed.data(),
                  workspace.data());
  for (size_t k = 0; k < active.size(); ++k) {
    const InverseJob<T>& job = *jobs[active[k]];
    const DampedMatrix& matrix = matrices[active[k]];
    Attempt attempt;
    if (failed[k] == 0) attempt = judge<T, T>(matrix, damping[k], normBound(ops, n, outputs[k], 1 / scale[k]));
    if (attempt.accepted) std::copy(outputs[k], outputs[k] + n * n, job.out);
    *reports[active[k]] = climbFrom(backend, job, matrix, attempt);
  }
}

#define NATGRAD_INSTANTIATE(T)                                                                    \
  template bool invertLower<T>(const Operations<T>&, int64_t, T*);                                \
  template Report compute<T>(const Backend&, const InverseJob<T>&);                               \
  template void computeSmallInverses<T>(const Backend&, const std::vector<const InverseJob<T>*>&, \
                                        const std::vector<Report*>&);
NATGRAD_INSTANTIATE(float)
NATGRAD_INSTANTIATE(double)
#undef NATGRAD_INSTANTIATE

}  // namespace natgrad
