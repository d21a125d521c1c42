// Jobs that are one pass over memory.
#pragma once

#include "core/backend.h"
#include "core/jobs.h"

namespace natgrad {

template <class T>
Report compute(const Backend& backend, const ScaleJob<T>& job);

template <class T>
Report compute(const Backend& backend, const UpdateJob<T>& job);

template <class T>
Report compute(const Backend& backend, const CombineJob<T>& job);

template <class T>
Report compute(const Backend& backend, const ElementwiseJob<T>& job);

template <class T>
Report compute(const Backend& backend, const DotJob<T>& job);

// out[i] = 1 / (diagonal[i] + damping); `notPositiveDefinite` if a denominator is not positive.
template <class T>
Report compute(const Backend& backend, const DiagonalInverseJob<T>& job);

}  // namespace natgrad
