// Second moments of rows: the statistics of a Kronecker factor.
#pragma once

#include "core/backend.h"
#include "core/jobs.h"

namespace natgrad {

// factor = decay factor + sum over inputs of scale X'X on the lower triangle, with a 1 appended to every row if
// `homogeneous`. An input that is not finite leaves the factor as it was.
template <class T>
Report compute(const Backend& backend, const FactorJob<T>& job);

// The diagonal of the same, for dense rows, or for rows that are one-hot and given by their indices.
template <class T>
Report compute(const Backend& backend, const DiagonalFactorJob<T>& job);

}  // namespace natgrad
