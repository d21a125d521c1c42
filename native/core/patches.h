// The patches of a two-dimensional convolution as the rows of a matrix (im2col).
#pragma once

#include <cstdint>

#include "core/jobs.h"

namespace natgrad {

// Writes patches firstPatch .. firstPatch + count - 1 of the NHWC images `x`, numbered in the order (image, output row,
// output column), as rows of `out`, `outStride` >= geometry.patchSize() elements apart. A row holds its patch in the
// order (kernel row, kernel column, channel), which is the order of a tfjs kernel; what lies outside the image is zero.
template <class T>
void formPatches(const T* x, const ConvGeometry& geometry, int64_t firstPatch, int64_t count, T* out,
                 int64_t outStride);

// True when the patches are the pixels themselves, in order: a 1 by 1 kernel that visits every one.
bool patchesAreInput(const ConvGeometry& geometry);

}  // namespace natgrad
