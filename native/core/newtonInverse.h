// Inverses of symmetric positive definite matrices from an inverse of a matrix nearby.
#pragma once

#include "core/backend.h"
#include "core/dampedMatrix.h"
#include "core/jobs.h"
#include "core/ladder.h"

namespace natgrad {

// out = (matrix + damping I)^-1 by Newton's iteration from job.start, for a job of one matrix; all of it products.
template <class T>
Attempt tryNewtonInverse(const Backend& backend, const InverseJob<T>& job, const DampedMatrix& matrix);

}  // namespace natgrad
