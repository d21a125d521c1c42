// Iterations for A^(-1/p). All take the lower triangle of a symmetric positive definite A (n by n, packed) whose
// eigenvalues lie in an interval that is known beforehand, and leave the lower triangle of the root in its place.
#pragma once

#include "core/backend.h"
#include "core/ladder.h"

namespace natgrad {

struct Interval {
  double lower, upper;
};

struct Stop {
  double tolerance;       // of the residual |I - X^p A|_F / sqrt(n) as the iteration knows it
  int64_t maxIterations;  // 0: as many as the interval says are needed
};

template <class T>
Attempt denmanBeavers(const Operations<T>& ops, int64_t n, T* a, Interval interval, Stop stop);

// Coupled Newton-Schulz with the coefficients that are best for the interval (`minimax`), or with 3/2 and -1/2.
template <class T>
Attempt newtonSchulz(const Operations<T>& ops, int64_t n, T* a, Interval interval, Stop stop, bool minimax);

// A rational approximation, p = 2: not an iteration but a sum of terms, whose number stands for that of iterations.
template <class T>
Attempt contour(const Backend& backend, int64_t n, T* a, Interval interval, Stop stop);

// How many terms `contour` takes for a relative error.
double contourTerms(Interval interval, double tolerance);

template <class T>
Attempt coupledNewton(const Operations<T>& ops, int64_t n, T* a, int32_t p, Interval interval, Stop stop);

}  // namespace natgrad
