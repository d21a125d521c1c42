// Rows of numbers, and the patches of images from their definition.
#pragma once

#include <algorithm>
#include <cstdint>
#include <random>
#include <vector>

#include "core/jobs.h"

namespace natgrad::test {

template <class T>
std::vector<T> normal(int64_t count, unsigned seed) {
  std::mt19937 random(seed);
  std::normal_distribution<double> distribution;
  std::vector<T> x;
  for (int64_t i = 0; i < count; ++i) x.push_back(static_cast<T>(distribution(random)));
  return x;
}

// One patch value straight from the definition of the convolution.
template <class T>
T patchValue(const std::vector<T>& x, const ConvGeometry& g, int64_t patch, int64_t element) {
  const int64_t channel = element % g.channels;
  const int64_t kw = element / g.channels % g.kernelWidth;
  const int64_t kh = element / g.channels / g.kernelWidth;
  const int64_t ow = patch % g.outWidth;
  const int64_t oh = patch / g.outWidth % g.outHeight;
  const int64_t image = patch / g.outWidth / g.outHeight;
  const int64_t row = oh * g.strideHeight + kh * g.dilationHeight - g.padTop;
  const int64_t column = ow * g.strideWidth + kw * g.dilationWidth - g.padLeft;
  if (row < 0 || row >= g.inHeight || column < 0 || column >= g.inWidth) return 0;
  return x[static_cast<size_t>(((image * g.inHeight + row) * g.inWidth + column) * g.channels + channel)];
}

// All of them, one after the other.
template <class T>
std::vector<T> patchRows(const std::vector<T>& x, const ConvGeometry& g) {
  std::vector<T> rows;
  for (int64_t p = 0; p < g.patches(); ++p) {
    for (int64_t e = 0; e < g.patchSize(); ++e) rows.push_back(patchValue(x, g, p, e));
  }
  return rows;
}

}  // namespace natgrad::test
