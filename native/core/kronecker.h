// The product of a Kronecker pair with a gradient.
#pragma once

#include "core/backend.h"
#include "core/jobs.h"

namespace natgrad {

// out = left V right, and its inner product with V; a Kronecker block's (right (x) left) vec(V) (Martens & Grosse,
// 2015). `out` and `outLast` must not overlap the input.
template <class T>
Report compute(const Backend& backend, const KroneckerJob<T>& job);

}  // namespace natgrad
