// Two-dimensional convolution over NHWC images and its gradients, as products with the matrix of patches.
//
// With P the patches of x as rows [batch * outHeight * outWidth, patchSize] and W the filter as [patchSize,
// outChannels] (a TensorFlow.js filter as it lies in memory):
//   y = P W,   dW = P' dY,   dP = dY W', and dx sums dP over the patches that each pixel is in.
// P is never formed whole: panels of it that stay in cache are. Images are shared out among `threads` threads; the
// bits of the results do not depend on how many those are.
#pragma once

#include "core/activation.h"
#include "core/jobs.h"

namespace natgrad {

void convolution(const Backend& backend, int threads, const ConvGeometry& geometry, int64_t outChannels, const float* x,
                 const float* filter, const Epilogue& epilogue, float* y);

void convolutionFilterGradient(const Backend& backend, int threads, const ConvGeometry& geometry, int64_t outChannels,
                               const float* x, const float* dy, float* dFilter);

void convolutionInputGradient(const Backend& backend, int threads, const ConvGeometry& geometry, int64_t outChannels,
                              const float* dy, const float* filter, float* dx);

}  // namespace natgrad
