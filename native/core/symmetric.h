// Symmetric matrices held by their lower triangle: bounds, products, copies.
#pragma once

#include <cstdint>

#include "core/backend.h"

namespace natgrad {

// True if the lower triangle (diagonal included) of a packed n by n matrix holds no NaN and no infinity.
template <class T>
bool lowerIsFinite(const Operations<T>& ops, int64_t n, const T* a);

// Upper bound of the spectral norm: the Frobenius norm or, for n > smallSize, the infinity norm if it is smaller.
// `scale`, a power of two, is applied to the elements before they are squared, and taken back. Not finite if an element
// is not.
template <class T>
double normBound(const Operations<T>& ops, int64_t n, const T* a, double scale);

// Lower triangle of A B, for full symmetric A and B whose product is symmetric, by halves: the square below the
// diagonal is one product, and the two triangles are done the same way.
template <class T>
void symmetricProduct(const Operations<T>& ops, int64_t n, const T* a, const T* b, T* lower);

// out = a', n by n, in blocks that fit the first-level cache.
template <class T>
void transpose(int64_t n, const T* a, T* out);

}  // namespace natgrad
