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

// Lower triangle of L^-1 in place of that of A = LL' (n by n, packed). Returns false if A is not positive definite.
template <class T>
bool invertCholeskyFactor(const Operations<T>& ops, int64_t n, T* a);

// out = (matrix + damping I)^-1, for a job of one matrix.
template <class T>
Report compute(const Backend& backend, const InverseJob<T>& job);

// Enough matrices to fill the widest registers several times, few enough to leave work for other threads.
constexpr size_t smallGroup = 32;

// Matrix `index` of a job, and where its report goes, into one that is still as it was made.
template <class T>
struct SmallInverse {
  const InverseJob<T>* job;
  int64_t index;
  Report* report;
};

// The same for up to `smallGroup` matrices of one size <= smallSize, side by side in SIMD registers. The bits are those
// of one matrix at a time.
template <class T>
void computeSmallInverses(const Backend& backend, size_t count, const SmallInverse<T>* inverses);

}  // namespace natgrad
