// The adjoint of forming patches.
#pragma once

#include "core/jobs.h"

namespace natgrad {

// Adds `count` patches (rows of `patches`, in the order (kernelHeight, kernelWidth, channels)), beginning with number
// `firstPatch` of the batch, onto the pixels they were taken from; what lies outside the image is dropped.
void scatterPatches(const ConvGeometry& geometry, int64_t firstPatch, int64_t count, const float* patches, float* x);

}  // namespace natgrad
