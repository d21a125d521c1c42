#include "core/patches.h"

#include <algorithm>

namespace natgrad {

namespace {

// One kernel row of one patch: kernelWidth pixels, dilationWidth apart, from column `left` of the image row `row`.
template <class T>
void formPatchRow(const T* row, const ConvGeometry& g, int64_t left, T* out) {
  const int64_t channels = g.channels;
  if (g.dilationWidth == 1) {
    // Neighbouring pixels lie together, so the part inside the image is one run.
    const int64_t begin = std::clamp<int64_t>(-left, 0, g.kernelWidth);
    const int64_t end = std::clamp<int64_t>(g.inWidth - left, begin, g.kernelWidth);
    std::fill(out, out + begin * channels, T(0));
    if (end > begin) {
      std::copy(row + (left + begin) * channels, row + (left + end) * channels, out + begin * channels);
    }
    std::fill(out + end * channels, out + g.kernelWidth * channels, T(0));
    return;
  }
  for (int64_t kw = 0; kw < g.kernelWidth; ++kw, out += channels) {
    const int64_t column = left + kw * g.dilationWidth;
    if (column < 0 || column >= g.inWidth) {
      std::fill(out, out + channels, T(0));
    } else {
      std::copy(row + column * channels, row + (column + 1) * channels, out);
    }
  }
}

}  // namespace

template <class T>
void formPatches(const T* x, const ConvGeometry& g, int64_t firstPatch, int64_t count, T* out, int64_t outStride) {
  const int64_t kernelRow = g.kernelWidth * g.channels;
  const int64_t inRow = g.inWidth * g.channels;
  for (int64_t patch = firstPatch; patch < firstPatch + count; ++patch, out += outStride) {
    const int64_t outColumn = patch % g.outWidth;
    const int64_t outRow = patch / g.outWidth % g.outHeight;
    const int64_t image = patch / (g.outWidth * g.outHeight);
    const int64_t top = outRow * g.strideHeight - g.padTop;
    const int64_t left = outColumn * g.strideWidth - g.padLeft;
    for (int64_t kh = 0; kh < g.kernelHeight; ++kh) {
      const int64_t row = top + kh * g.dilationHeight;
      T* target = out + kh * kernelRow;
      if (row < 0 || row >= g.inHeight) {
        std::fill(target, target + kernelRow, T(0));
      } else {
        formPatchRow(x + (image * g.inHeight + row) * inRow, g, left, target);
      }
    }
  }
}

template void formPatches<float>(const float*, const ConvGeometry&, int64_t, int64_t, float*, int64_t);
template void formPatches<double>(const double*, const ConvGeometry&, int64_t, int64_t, double*, int64_t);

bool patchesAreInput(const ConvGeometry& g) {
  return g.kernelHeight == 1 && g.kernelWidth == 1 && g.strideHeight == 1 && g.strideWidth == 1 && g.padTop == 0 &&
         g.padLeft == 0 && g.outHeight == g.inHeight && g.outWidth == g.inWidth;
}

}  // namespace natgrad
