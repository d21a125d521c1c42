#include "core/scatter.h"

#include "core/window.h"

namespace natgrad {

void scatterPatches(const ConvGeometry& g, int64_t firstPatch, int64_t count, const float* patches, float* x) {
  const int64_t channels = g.channels, patchSize = g.patchSize();
  // Pixels of one kernel row are neighbours in the image unless the kernel is dilated.
  const bool adjacent = g.dilationWidth == 1;
  for (int64_t i = 0; i < count; ++i) {
    const int64_t patch = firstPatch + i;
    const int64_t image = patch / (g.outHeight * g.outWidth);
    const int64_t inImage = patch - image * g.outHeight * g.outWidth;
    const int64_t outY = inImage / g.outWidth, outX = inImage - outY * g.outWidth;
    const WindowRange rows = windowRange(outY, g.strideHeight, g.padTop, g.dilationHeight, g.kernelHeight, g.inHeight);
    const WindowRange columns = windowRange(outX, g.strideWidth, g.padLeft, g.dilationWidth, g.kernelWidth, g.inWidth);
    if (columns.begin >= columns.end) continue;
    const int64_t run = adjacent ? (columns.end - columns.begin) * channels : channels;
    const float* source = patches + i * patchSize;
    for (int64_t r = rows.begin; r < rows.end; ++r) {
      float* target = x + (image * g.inHeight + rows.input(r, g.dilationHeight)) * g.inWidth * channels;
      for (int64_t c = columns.begin; c < columns.end; c = adjacent ? columns.end : c + 1) {
        const float* from = source + (r * g.kernelWidth + c) * channels;
        float* to = target + columns.input(c, g.dilationWidth) * channels;
        for (int64_t k = 0; k < run; ++k) to[k] += from[k];
      }
    }
  }
}

}  // namespace natgrad
