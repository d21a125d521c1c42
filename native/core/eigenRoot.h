// Inverse p-th root by eigendecomposition, always in float64.
#pragma once

#include "core/backend.h"
#include "core/dampedMatrix.h"
#include "core/ladder.h"

namespace natgrad {

// out = V (max(w, 0) + damping)^(-1/p) V' for matrix = V diag(w) V' if `clip`, else the same without the max and
// accepted only if all of w + damping are positive.
template <class S>
Attempt eigenRoot(const Backend& backend, int64_t n, const S* matrix, const DampedMatrix& info, double damping,
                  int32_t p, bool clip, S* out);

}  // namespace natgrad
