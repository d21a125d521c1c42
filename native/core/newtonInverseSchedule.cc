#include "core/newtonInverseSchedule.h"

#include <algorithm>
#include <cmath>

namespace natgrad {

namespace {

// More steps than this cost more than any other way.
constexpr size_t mostSteps = 7;

// No eigenvalue of E is assumed to lie below this share of their mean. With A a moving average that keeps `decay` of
// itself until it is inverted again, none lies below `decay`; where one does all the same, the residual tells.
constexpr double leastShare = 0.25;

// Bounds of real eigenvalues by the sums of them and of their squares (Wolkowicz and Styan, "Bounds for eigenvalues
// using traces", 1980, theorem 2.1): mean - s sqrt(n - 1) <= e <= mean + s sqrt(n - 1), s^2 = tr(E E) / n - mean^2.
struct Spectrum {
  double lower, upper;

  Spectrum(double n, double trace, double squareTrace) {
    const double mean = trace / n;
    const double spread = std::sqrt(std::max(0.0, squareTrace / n - mean * mean) * (n - 1));
    lower = std::max(mean - spread, leastShare * mean);
    upper = mean + spread;
  }
};

}  // namespace

// E goes to mu E (2 I - mu E). The mu that leaves the most is 2 / (l + u): l and u go to the same 4 l u / (l + u)^2, and
// what lies between them to between that and 1 (Pan and Schreiber, "An improved Newton iteration for the generalized
// inverse of a matrix, with applications", 1991, section 3).
std::optional<std::vector<double>> newtonScalings(int64_t n, double trace, double squareTrace, double unit) {
  if (!(trace > 0) || !std::isfinite(trace) || !std::isfinite(squareTrace)) return std::nullopt;
  const double size = static_cast<double>(n);
  Spectrum e(size, trace, squareTrace);
  // The last step squares |E - I|_F, which is at most sqrt(n) times what the furthest eigenvalue is away from 1.
  const double goal = std::sqrt(unit / size);
  std::vector<double> scalings;
  while (std::max(1 - e.lower, e.upper - 1) > goal) {
    if (scalings.size() == mostSteps) return std::nullopt;
    const double mu = 2 / (e.lower + e.upper);
    scalings.push_back(mu);
    e.lower = mu * e.lower * (2 - mu * e.lower);
    e.upper = 1;
  }
  return scalings;
}

bool newtonConverged(int64_t n, double distance, double unit, double condition) {
  constexpr double most = 0.1;
  return distance <= most && distance * distance <= std::sqrt(static_cast<double>(n)) * unit * condition;
}

}  // namespace natgrad
