// An inverse under test, and how good it is.
#pragma once

#include <vector>

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

}  // namespace natgrad::test
