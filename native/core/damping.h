// How much is added to the diagonal of a matrix before it is inverted.
#pragma once

#include "core/jobs.h"

namespace natgrad {

// The damping of a matrix with this trace. With a partner it is the share of a Kronecker factor in the factored
// Tikhonov damping (Martens & Grosse, 2015, section 6.3):
//   (A + pi sqrt(lambda) I) (x) (G + sqrt(lambda) / pi I),   pi^2 = (tr A / dim A) / (tr G / dim G)
// of which this is the first for either of the two, sqrt(lambda) sqrt((tr M / size) / (tr P / partner size)).
// pi is 1 where a trace is not positive or not finite. Relative damping is lambda tr M / size, and lambda itself for such
// a trace.
template <class T>
double resolveDamping(const Damped<T>& damped, double trace, int64_t size);

// The same of the means of the diagonals of the matrix and its partner, which is null where there is none.
double resolveDamping(double damping, bool relative, double mean, const double* partnerMean);

// Smallest damping, for a matrix with eigenvalues up to `upper`, that makes a matrix which is positive semidefinite but
// for rounding in T safely definite: 10 units of roundoff. Measured on Gram matrices: Cholesky always fails below a
// quarter of a unit, and never from two.
template <class T>
double dampingFloor(double upper);

}  // namespace natgrad
