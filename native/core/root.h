// Inverse p-th roots of symmetric positive definite matrices.
#pragma once

#include "core/backend.h"
#include "core/jobs.h"

namespace natgrad {

// out = (matrix + damping I)^(-1/p). `automatic` takes, as measured on one core:
//   p = 1: the Cholesky inverse;
//   float32, condition number at most 1e5: Denman-Beavers in float32, twice for p = 4;
//   otherwise up to n = 256: Denman-Beavers in float64;
//   else, and without damping (then no lower bound of the eigenvalues is known): eigendecomposition in float64.
template <class T>
Report compute(const Backend& backend, const InverseRootJob<T>& job);

}  // namespace natgrad
