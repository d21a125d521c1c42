#include "core/newtonSchulzSchedule.h"

#include <algorithm>
#include <cmath>

namespace natgrad {

namespace {

// The odd cubic x -> linear x + cubic x^3 that maps [l, u] to the smallest interval around 1, and that interval (Chen
// and Chow, 2014). It takes its least value at both ends, which makes it c (x - x^3 / s) with s = l^2 + l u + u^2, and
// its largest at sqrt(s / 3); c puts the middle of the two at 1.
Cubic minimaxCubic(Interval& interval) {
  const double l = interval.lower;
  const double u = interval.upper;
  const double s = l * l + l * u + u * u;
  const double peak = std::sqrt(s / 3);
  const double least = l - l * l * l / s;
  const double most = peak - peak * peak * peak / s;
  const double c = 2 / (least + most);
  interval = {c * least, c * most};
  return {c, -c / s};
}

// Newton's own choice; [l, 1] goes to [(3 l - l^3) / 2, 1].
Cubic classicCubic(Interval& interval) {
  const double l = interval.lower;
  interval = {1.5 * l - 0.5 * l * l * l, 1};
  return {1.5, -0.5};
}

}  // namespace

Cubic nextCubic(Interval& roots, bool minimax) { return minimax ? minimaxCubic(roots) : classicCubic(roots); }

int64_t newtonSchulzSteps(Interval roots, Stop stop, bool minimax) {
  constexpr int64_t most = 100;
  if (stop.maxIterations > 0) return stop.maxIterations;
  int64_t steps = 1;
  while (1 - roots.lower > stop.tolerance / 2 && steps < most) {
    nextCubic(roots, minimax);
    ++steps;
  }
  return steps;
}

double rootLimit(double unit, int64_t n, double tolerance, Interval interval) {
  const double rounding = std::min(0.1, 4 * unit * interval.upper / interval.lower);
  return std::max(tolerance, rounding / std::sqrt(static_cast<double>(n)));
}

}  // namespace natgrad
