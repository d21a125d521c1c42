// Inverses of symmetric positive definite matrices.
#pragma once

#include <cstddef>

#include "core/backend.h"
#include "core/jobs.h"

namespace natgrad {

// Lower triangle of the inverse in place of that of `a` (n by n, packed). Returns false if `a` is not positive
// definite. What is above the diagonal of `a` is destroyed for n <= smallSize, and otherwise left alone.
template <class T>
bool invertLower(const Operations<T>& ops, int64_t n, T* a);

// out = (matrix + damping I)^-1.
template <class T>
Report compute(const Backend& backend, const InverseJob<T>& job);

// Enough matrices to fill the widest registers several times, few enough to leave work for other threads.
constexpr size_t smallGroup = 32;

// The same for up to `smallGroup` jobs of one size <= smallSize, side by side in SIMD registers. The bits are those of
// one job at a time.
template <class T>
void computeSmallInverses(const Backend& backend, size_t count, const InverseJob<T>* const* jobs,
                          Report* const* reports);

}  // namespace natgrad
