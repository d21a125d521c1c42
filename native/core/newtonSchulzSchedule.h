// The polynomials of the coupled Newton-Schulz iteration: all known before it starts.
#pragma once

#include <cstdint>

#include "core/rootIteration.h"

namespace natgrad {

// x -> linear x + cubic x^3.
struct Cubic {
  double linear, cubic;
};

// The next polynomial for square roots of eigenvalues in `roots`, which becomes where it sends them: the one that is
// best for the interval, or 3/2 and -1/2.
Cubic nextCubic(Interval& roots, bool minimax);

// How many it takes from `roots`: what is asked for, or else what brings the residual to the tolerance, and one more
// for rounding.
int64_t newtonSchulzSteps(Interval roots, Stop stop, bool minimax);

// The largest residual |I - X^p A|_F / sqrt(n) that a root may have, computed with this unit roundoff. Rounding keeps
// it above some roundoffs times the condition number, so more than that cannot be asked; but an error of a tenth in one
// direction is too much, however many directions are right.
double rootLimit(double unit, int64_t n, double tolerance, Interval interval);

}  // namespace natgrad
