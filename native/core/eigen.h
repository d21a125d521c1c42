// Symmetric eigendecomposition.
#pragma once

#include "core/backend.h"
#include "core/jobs.h"

namespace natgrad {

// matrix = V diag(values) V', values ascending, the vectors the columns of V.
template <class T>
Report compute(const Backend& backend, const EighJob<T>& job);

}  // namespace natgrad
