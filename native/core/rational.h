// Rational activations y = P(x) / Q(x) with trainable coefficients, applied elementwise.
#pragma once

#include <cstdint>
#include <vector>

#include "core/jobs.h"

namespace natgrad {

struct Backend;

// Degrees up to 16.
constexpr int64_t maxRationalCoefficients = 17;

// y = rational(x), on up to `threads` threads with the same bits whatever their number; so the gradient.
void rational(int threads, const RationalLayout& layout, const float* x, const float* numerator,
              const float* denominator, float* y);

// dx = dy * dy/dx, and the sums of dy * dy/da_i and dy * dy/db_j over all elements of a group.
void rationalGradient(int threads, const RationalLayout& layout, const float* x, const float* dy,
                      const float* numerator, const float* denominator, float* dx, float* dNumerator,
                      float* dDenominator);

// One factor per group from the scores of every example. An input that is not finite leaves the factors untouched.
template <class T>
Report compute(const Backend& backend, const RationalFactorJob<T>& job);

}  // namespace natgrad
