#include <algorithm>
#include <cmath>
#include <vector>

#include "core/buffer.h"
#include "core/dampedMatrix.h"
#include "core/inverse.h"
#include "core/rootIteration.h"

namespace natgrad {

namespace {

// A term weight (A + shift I)^-1.
struct Term {
  double shift, weight;
};

// Jacobi's elliptic functions of modulus k' for arguments in (0, K'), given the complementary modulus k, by the
// arithmetic-geometric mean (Abramowitz and Stegun, 16.4).
class Elliptic {
 public:
  explicit Elliptic(double complementary) : k_(complementary) {
    double a = 1, b = k_, c = std::sqrt(1 - k_ * k_);
    for (;;) {
      means_.push_back({a, c});
      if (c <= 1e-15 * a) break;
      const double mean = (a + b) / 2;
      c = (a - b) / 2;
      b = std::sqrt(a * b);
      a = mean;
    }
  }

  // K', the quarter period.
  double quarterPeriod() const { return std::acos(-1.0) / (2 * means_.back().a); }

  struct Functions {
    double sn, cn, dn;
  };

  Functions at(double u) const {
    double phi = std::ldexp(means_.back().a * u, static_cast<int>(means_.size()) - 1);
    for (size_t i = means_.size() - 1; i > 0; --i) {
      phi = (phi + std::asin(means_[i].c * std::sin(phi) / means_[i].a)) / 2;
    }
    const double sn = std::sin(phi), cn = std::cos(phi);
    return {sn, cn, std::sqrt(k_ * k_ + (1 - k_ * k_) * cn * cn)};
  }

 private:
  struct Mean {
    double a, c;
  };
  double k_;
  std::vector<Mean> means_;
};

// The terms for eigenvalues in the interval [m, M], with k = sqrt(m / M) and t_j = (j - 1/2) K' / N:
//   shift = m (sn / cn)^2,   weight = 2 K' sqrt(m) / (pi N) dn / cn^2
std::vector<Term> termsFor(Interval interval, int64_t count) {
  const Elliptic elliptic(std::sqrt(interval.lower / interval.upper));
  const double step = elliptic.quarterPeriod() / static_cast<double>(count);
  const double scale = 2 * step * std::sqrt(interval.lower) / std::acos(-1.0);
  std::vector<Term> terms;
  for (int64_t j = 0; j < count; ++j) {
    const auto [sn, cn, dn] = elliptic.at((static_cast<double>(j) + 0.5) * step);
    terms.push_back({interval.lower * (sn / cn) * (sn / cn), scale * dn / (cn * cn)});
  }
  return terms;
}

// Whether A + shift I is positive definite, by the arithmetic of T.
template <class S, class T>
bool isPositiveDefinite(const Operations<T>& ops, int64_t n, const S* a, double shift) {
  Buffer<T> shifted(n * n);
  loadLower(n, a, 1.0, shift, shifted.data());
  return invertCholeskyFactor(ops, n, shifted.data());
}

template <class S, class T>
bool addInverse(const Operations<T>& ops, int64_t n, const S* a, const Term& term, double* sum) {
  Buffer<T> inverse(n * n);
  loadLower(n, a, 1.0, term.shift, inverse.data());
  if (!invertLower(ops, n, inverse.data())) return false;
  for (int64_t i = 0; i < n; ++i) {
    for (int64_t j = 0; j <= i; ++j) sum[i * n + j] += term.weight * static_cast<double>(inverse[i * n + j]);
  }
  return true;
}

}  // namespace

double contourTerms(Interval interval, double tolerance) {
  const double pi = std::acos(-1.0);
  return std::ceil((std::log(interval.upper / interval.lower) + 3) * std::log(4 / tolerance) / (2 * pi * pi));
}

// The trapezoidal rule on a contour around the eigenvalues, mapped so that N terms leave an error of
// exp(-2 pi^2 N / (log(M / m) + 3)) (Hale, Higham and Trefethen, "Computing A^alpha, log(A), and related matrix
// functions by contour integrals", 2008, method 3):
//   A^(-1/2) ~ sum over j of weight_j (A + shift_j I)^-1
// Every term is an inverse of a matrix that is better conditioned than A, and all are positive, so that no digit is lost
// in their sum. Terms whose inverse float32 would not hold are computed in float64; the others, most of them, are not.
template <class T>
Attempt contour(const Backend& backend, int64_t n, T* a, Interval interval, Stop stop) {
  // First-order bound of the error of an inverse, the unit roundoff times the condition number.
  constexpr double acceptable = 5e-3;
  Attempt attempt;
  attempt.iterations = static_cast<int64_t>(contourTerms(interval, stop.tolerance));
  attempt.residual = stop.tolerance;
  if (stop.maxIterations > 0 && attempt.iterations > stop.maxIterations) {
    attempt.iterations = stop.maxIterations;
    const double pi = std::acos(-1.0);
    const double rate = 2 * pi * pi / (std::log(interval.upper / interval.lower) + 3);
    attempt.residual = 4 * std::exp(-rate * static_cast<double>(attempt.iterations));
    attempt.converged = false;
  }
  const auto isSingle = [&](double shift) {
    const double condition = (interval.upper + shift) / (interval.lower + shift);
    return sizeof(T) == 4 && condition * unitRoundoff<T> <= acceptable;
  };
  // The terms do not notice an eigenvalue below the interval, because their shifts make up for it.
  const double shift = -0.5 * interval.lower;
  const bool inside = isSingle(shift) ? isPositiveDefinite(operations<T>(backend), n, a, shift)
                                      : isPositiveDefinite(backend.f64, n, a, shift);
  if (!inside) return attempt;
  Buffer<double> sum(n * n);
  std::fill(sum.data(), sum.data() + n * n, 0.0);
  for (const Term& term : termsFor(interval, attempt.iterations)) {
    const bool done = isSingle(term.shift) ? addInverse(operations<T>(backend), n, a, term, sum.data())
                                           : addInverse(backend.f64, n, a, term, sum.data());
    if (!done) return Attempt();
  }
  for (int64_t i = 0; i < n; ++i) {
    for (int64_t j = 0; j <= i; ++j) a[i * n + j] = static_cast<T>(sum[i * n + j]);
  }
  attempt.accepted = attempt.converged;
  return attempt;
}

template Attempt contour<float>(const Backend&, int64_t, float*, Interval, Stop);
template Attempt contour<double>(const Backend&, int64_t, double*, Interval, Stop);

}  // namespace natgrad
