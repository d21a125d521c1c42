// A start for the inverse of a matrix.
#pragma once

#include <random>
#include <vector>

#include "gallery.h"

namespace natgrad::test {

// A + 1/2 sum_k (A x_k)(A x_k)' / (x_k' A x_k) over ten random x_k, and its inverse: the eigenvalues of that inverse times
// A lie between 1/6 and 1, and all but ten of them are 1.
template <class T>
std::vector<T> startNear(const std::vector<T>& matrix, int64_t n, unsigned seed) {
  const std::vector<double> a = widen<double>(matrix, n);
  Matrix earlier(a.begin(), a.end());
  std::mt19937 random(seed);
  std::normal_distribution<double> normal;
  std::vector<double> x(static_cast<size_t>(n)), ax(x);
  for (int k = 0; k < 10; ++k) {
    for (double& value : x) value = normal(random);
    double xax = 0;
    for (size_t i = 0; i < x.size(); ++i) {
      ax[i] = 0;
      for (size_t j = 0; j < x.size(); ++j) ax[i] += a[i * x.size() + j] * x[j];
      xax += x[i] * ax[i];
    }
    for (size_t i = 0; i < x.size(); ++i) {
      for (size_t j = 0; j < x.size(); ++j) earlier[i * x.size() + j] += 0.5 * ax[i] * ax[j] / xax;
    }
  }
  const std::vector<T> lower = lowerOf<T>(earlier, n);
  std::vector<T> inverse(lower.size());
  runOne<T>(InverseJob<T>{lower.data(), n, damp<T>(0), inverse.data()});
  return inverse;
}

}  // namespace natgrad::test
