// An inverse under test, and how good it is.
#pragma once

#include <string>
#include <vector>

#include "check.h"
#include "core/jobs.h"
#include "gallery.h"

namespace natgrad::test {

template <class T>
struct Inverted {
  std::vector<T> matrix;
  std::vector<T> out;
  Report report;
};

// LAPACK's own measure, |I - A X| / (n |A| |X| eps) in the 1-norm, by arithmetic wider than the one under test.
template <class T>
double inverseRatio(const Inverted<T>& r, int64_t n) {
  using W = Wider<T>;
  const std::vector<W> a = widen<W>(r.matrix, n, r.report.damping);
  const std::vector<W> x(r.out.begin(), r.out.end());
  std::vector<W> e = product(a, x, n);
  subtractIdentity(e, n);
  return static_cast<double>(oneNorm(e, n) / (static_cast<W>(n) * oneNorm(a, n) * oneNorm(x, n)) /
                             static_cast<W>(roundoff<T>));
}

// Inverts the matrix whose lower triangle is given.
template <class T>
Inverted<T> invertLower(const std::vector<T>& matrix, int64_t n, double damping, const T* start = nullptr) {
  Inverted<T> result{matrix, std::vector<T>(static_cast<size_t>(n * n), T(7)), Report()};
  InverseJob<T> job{result.matrix.data(), n, damp<T>(damping), result.out.data()};
  job.start = start;
  result.report = runOne<T>(job);
  return result;
}

// That the inverse is there, symmetric, and as good as LAPACK asks; returns its ratio.
template <class T>
double checkInverse(const Inverted<T>& r, int64_t n, const std::string& where) {
  CHECK_THAT(r.report.status == Status::ok, where);
  CHECK_THAT(isSymmetric(r.out, n), where);
  const double ratio = inverseRatio(r, n);
  CHECK_THAT(ratio < 10, where + ": ratio " + std::to_string(ratio));
  return ratio;
}

}  // namespace natgrad::test
