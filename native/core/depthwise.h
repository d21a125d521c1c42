// Depthwise convolution over NHWC images and its gradients.
//
// Channel c of x makes the outputs c * multiplier + q, with a filter of shape [kernelHeight, kernelWidth, channels,
// multiplier]:
//   y[p, c * multiplier + q] = sum over offsets k of x[p + k, c] * filter[k, c, q].
#pragma once

#include "core/jobs.h"

namespace natgrad {

void depthwise(const ConvGeometry& geometry, int64_t multiplier, const float* x, const float* filter, float* y);

// dFilter[k, c, q] = sum over positions p of x[p + k, c] * dy[p, c * multiplier + q].
void depthwiseFilterGradient(const ConvGeometry& geometry, int64_t multiplier, const float* x, const float* dy,
                             float* dFilter);

// dx[p + k, c] = sum over positions p and q of dy[p, c * multiplier + q] * filter[k, c, q].
void depthwiseInputGradient(const ConvGeometry& geometry, int64_t multiplier, const float* dy, const float* filter,
                            float* dx);

}  // namespace natgrad
