// What to do when a matrix cannot be inverted as it was asked: never fail the batch, and say what was done.
#pragma once

#include <cmath>
#include <cstdint>
#include <limits>

#include "core/jobs.h"

namespace natgrad {

// One try. When it is not accepted, the output has not been touched.
struct Attempt {
  bool accepted = false;
  bool converged = true;
  double residual = 0;
  int64_t iterations = 0;
  double minEigenvalue = std::numeric_limits<double>::quiet_NaN();
};

// What an attempt says of itself.
inline void tell(const Attempt& attempt, Report& report) {
  report.residual = attempt.residual;
  report.iterations = attempt.iterations;
  report.minEigenvalue = attempt.minEigenvalue;
  report.converged = attempt.accepted && attempt.converged;
  if (!attempt.accepted) {
    report.status = Status::notPositiveDefinite;
  } else if (!attempt.converged) {
    report.status = Status::notConverged;
  }
}

// The rungs, each tried when the one before it was not accepted:
//   1. as asked;
//   2. in float64, if that is more than what was asked;
//   3. in float64 with ten, a hundred and a thousand times the damping;
//   4. with the damping as asked, and the eigenvalues below zero taken as zero.
// Without damping only 1 and 2: how much to add to a matrix is not ours to invent. `asked`, `precise` and `clipped` are
// functions of the damping that return an Attempt. Pass the attempt itself where the first rung has been tried already.
template <class Precise, class Clipped>
Report climb(const Attempt& first, double damping, bool single, Precise precise, Clipped clipped) {
  Attempt attempt = first;
  Report report;
  report.damping = damping;
  if (!attempt.accepted && single) {
    ++report.retries;
    attempt = precise(damping);
  }
  double raised = damping;
  for (int i = 0; i < 3 && !attempt.accepted && damping > 0; ++i) {
    ++report.retries;
    raised *= 10;
    attempt = precise(raised);
    if (attempt.accepted) report.damping = raised;
  }
  if (!attempt.accepted && damping > 0) {
    ++report.retries;
    attempt = clipped(damping);
  }
  tell(attempt, report);
  return report;
}

}  // namespace natgrad
