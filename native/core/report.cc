#include <algorithm>
#include <cmath>

#include "core/jobs.h"

namespace natgrad {

Report worstOf(const std::vector<Report>& reports) {
  Report worst;
  for (const Report& report : reports) {
    worst.status = std::max(worst.status, report.status);
    worst.residual = std::max(worst.residual, report.residual);
    worst.iterations = std::max(worst.iterations, report.iterations);
    worst.converged = worst.converged && report.converged;
    worst.minEigenvalue = std::fmin(worst.minEigenvalue, report.minEigenvalue);  // the one that is not NaN
    worst.damping = std::max(worst.damping, report.damping);
    worst.retries = std::max(worst.retries, report.retries);
  }
  return worst;
}

}  // namespace natgrad
