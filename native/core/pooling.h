// Two-dimensional pooling over NHWC images and its gradients.
//
// The geometry's kernel is the window and its channels are those of both sides; windows may hang over the border. What
// happens there, and which of several equal elements is the maximum, follows TensorFlow.js.
#pragma once

#include "core/jobs.h"

namespace natgrad {

// y = largest element of the window; NaNs do not take part, and an empty window gives minus infinity.
void maxPool(const ConvGeometry& geometry, const float* x, float* y);

// dx = dy at the first largest element of each window (in row-major order), summed over windows.
void maxPoolGradient(const ConvGeometry& geometry, const float* x, const float* dy, float* dx);

// y = mean of the elements of the window that lie inside the image; NaN for an empty window.
void averagePool(const ConvGeometry& geometry, const float* x, float* y);

// dx = dy / (kernelHeight * kernelWidth) at every element of each window, summed over windows. The divisor counts the
// border too, although the forward pass does not: this is the gradient TensorFlow.js defines.
void averagePoolGradient(const ConvGeometry& geometry, const float* dy, float* dx);

}  // namespace natgrad
