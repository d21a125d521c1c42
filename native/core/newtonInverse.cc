#include "core/newtonInverse.h"

#include <cmath>

#include "core/buffer.h"
#include "core/inverseLimits.h"
#include "core/newtonInverseSchedule.h"
#include "core/symmetric.h"

namespace natgrad {

namespace {

// X <- mu X (2 I - mu E), E = A X (Schulz, 1933), with X made symmetric after every step: the iteration corrects itself,
// so that this does no harm.
template <class T>
class Newton {
 public:
  Newton(const Operations<T>& ops, int64_t n) : ops_(ops), n_(n), a_(n * n), x_(n * n), e_(n * n), product_(n * n) {}

  // The matrix and the start are scaled, the latter by the inverse of that.
  void load(const InverseJob<T>& job, const DampedMatrix& matrix) {
    loadLower(n_, job.matrix, matrix.scale, matrix.damping, a_.data());
    ops_.mirror(n_, job.start, n_, static_cast<T>(1 / matrix.scale), x_.data());
    multiply();
  }

  void step(double mu) {
    T* e = e_.data();
    const T linear = static_cast<T>(2 * mu), square = static_cast<T>(-mu * mu);
    for (int64_t i = 0; i < n_ * n_; ++i) e[i] *= square;
    for (int64_t i = 0; i < n_; ++i) e[i * n_ + i] += linear;
    ops_.symm(true, n_, n_, x_.data(), n_, e, n_, product_.data(), n_);
    ops_.mirror(n_, product_.data(), n_, T(1), x_.data());
  }

  void multiply() { ops_.symm(true, n_, n_, a_.data(), n_, x_.data(), n_, e_.data(), n_); }

  double trace() const {
    double sum = 0;
    for (int64_t i = 0; i < n_; ++i) sum += static_cast<double>(e_.data()[i * n_ + i]);
    return sum;
  }

  double squareTrace() {
    transpose(n_, e_.data(), product_.data());
    return ops_.dot(e_.data(), product_.data(), n_ * n_);
  }

  double distance() const {
    double sum = 0;
    for (int64_t i = 0; i < n_ * n_; ++i) {
      const double error = static_cast<double>(e_.data()[i]) - (i % (n_ + 1) == 0 ? 1.0 : 0.0);
      sum += error * error;
    }
    return std::sqrt(sum);
  }

  const T* inverse() const { return x_.data(); }

 private:
  const Operations<T>& ops_;
  int64_t n_;
  Buffer<T> a_, x_, e_, product_;
};

}  // namespace

template <class T>
Attempt tryNewtonInverse(const Backend& backend, const InverseJob<T>& job, const DampedMatrix& matrix) {
  const Operations<T>& ops = operations<T>(backend);
  const int64_t n = job.size;
  Newton<T> newton(ops, n);
  newton.load(job, matrix);
  const auto scalings = newtonScalings(n, newton.trace(), newton.squareTrace(), unitRoundoff<T>);
  if (!scalings) return Attempt();
  for (const double mu : *scalings) {
    newton.step(mu);
    newton.multiply();
  }
  const double distance = newton.distance();
  newton.step(1);
  const double norm = matrix.upper + matrix.damping;
  const double inverseNorm = normBound(ops, n, newton.inverse(), 1.0) * matrix.scale;
  Attempt attempt = judge<T>(norm, inverseNorm, largestNorm<T, T>(norm));
  attempt.accepted = attempt.accepted && newtonConverged(n, distance, unitRoundoff<T>, norm * inverseNorm);
  if (!attempt.accepted) return Attempt();
  attempt.iterations = static_cast<int64_t>(scalings->size()) + 1;
  storeSymmetric(ops, n, newton.inverse(), matrix.scale, job.out);
  return attempt;
}

template Attempt tryNewtonInverse<float>(const Backend&, const InverseJob<float>&, const DampedMatrix&);
template Attempt tryNewtonInverse<double>(const Backend&, const InverseJob<double>&, const DampedMatrix&);

}  // namespace natgrad
