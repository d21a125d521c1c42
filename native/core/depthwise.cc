#include "core/depthwise.h"

#include <algorithm>
#include <vector>

#include "core/window.h"

namespace natgrad {
namespace {

// Calls visit(outputPixel, inputPixel, offset) for every output position of one image and every offset of the kernel
// inside it.
template <class Visit>
void forEachTap(const ConvGeometry& g, Visit visit) {
  for (int64_t y = 0; y < g.outHeight; ++y) {
    const WindowRange rows = windowRange(y, g.strideHeight, g.padTop, g.dilationHeight, g.kernelHeight, g.inHeight);
    for (int64_t x = 0; x < g.outWidth; ++x) {
      const WindowRange columns = windowRange(x, g.strideWidth, g.padLeft, g.dilationWidth, g.kernelWidth, g.inWidth);
      for (int64_t r = rows.begin; r < rows.end; ++r) {
        const int64_t rowStart = rows.input(r, g.dilationHeight) * g.inWidth;
        for (int64_t c = columns.begin; c < columns.end; ++c) {
          visit(y * g.outWidth + x, rowStart + columns.input(c, g.dilationWidth), r * g.kernelWidth + c);
        }
      }
    }
  }
}

int64_t inPixels(const ConvGeometry& g) { return g.inHeight * g.inWidth; }
int64_t outPixels(const ConvGeometry& g) { return g.outHeight * g.outWidth; }

}  // namespace

void depthwise(const ConvGeometry& g, int64_t multiplier, const float* x, const float* filter, float* y) {
  const int64_t channels = g.channels, width = channels * multiplier;
  std::fill(y, y + g.patches() * width, 0.0f);
  for (int64_t image = 0; image < g.batch; ++image) {
    const float* input = x + image * inPixels(g) * channels;
    float* output = y + image * outPixels(g) * width;
    forEachTap(g, [&](int64_t outPixel, int64_t inPixel, int64_t offset) {
      const float* in = input + inPixel * channels;
      const float* weight = filter + offset * width;
      float* out = output + outPixel * width;
      if (multiplier == 1) {
        for (int64_t c = 0; c < channels; ++c) out[c] += in[c] * weight[c];
      } else {
        for (int64_t c = 0; c < channels; ++c) {
          for (int64_t q = c * multiplier; q < (c + 1) * multiplier; ++q) out[q] += in[c] * weight[q];
        }
      }
    });
  }
}

void depthwiseFilterGradient(const ConvGeometry& g, int64_t multiplier, const float* x, const float* dy,
                             float* dFilter) {
  const int64_t channels = g.channels, width = channels * multiplier;
  const int64_t filterSize = g.kernelHeight * g.kernelWidth * width;
  std::fill(dFilter, dFilter + filterSize, 0.0f);
  // One sum per image and then over images keeps the rounding error of long single-precision sums down.
  std::vector<float> ofImage(static_cast<size_t>(filterSize));
  for (int64_t image = 0; image < g.batch; ++image) {
    const float* input = x + image * inPixels(g) * channels;
    const float* gradient = dy + image * outPixels(g) * width;
    std::fill(ofImage.begin(), ofImage.end(), 0.0f);
    forEachTap(g, [&](int64_t outPixel, int64_t inPixel, int64_t offset) {
      const float* in = input + inPixel * channels;
      const float* out = gradient + outPixel * width;
      float* weight = ofImage.data() + offset * width;
      if (multiplier == 1) {
        for (int64_t c = 0; c < channels; ++c) weight[c] += in[c] * out[c];
      } else {
        for (int64_t c = 0; c < channels; ++c) {
          for (int64_t q = c * multiplier; q < (c + 1) * multiplier; ++q) weight[q] += in[c] * out[q];
        }
      }
    });
    for (int64_t i = 0; i < filterSize; ++i) dFilter[i] += ofImage[static_cast<size_t>(i)];
  }
}

void depthwiseInputGradient(const ConvGeometry& g, int64_t multiplier, const float* dy, const float* filter,
                            float* dx) {
  const int64_t channels = g.channels, width = channels * multiplier;
  std::fill(dx, dx + g.batch * inPixels(g) * channels, 0.0f);
  for (int64_t image = 0; image < g.batch; ++image) {
    const float* gradient = dy + image * outPixels(g) * width;
    float* input = dx + image * inPixels(g) * channels;
    forEachTap(g, [&](int64_t outPixel, int64_t inPixel, int64_t offset) {
      const float* out = gradient + outPixel * width;
      const float* weight = filter + offset * width;
      float* in = input + inPixel * channels;
      if (multiplier == 1) {
        for (int64_t c = 0; c < channels; ++c) in[c] += out[c] * weight[c];
      } else {
        for (int64_t c = 0; c < channels; ++c) {
          float sum = 0;
          for (int64_t q = c * multiplier; q < (c + 1) * multiplier; ++q) sum += out[q] * weight[q];
          in[c] += sum;
        }
      }
    });
  }
}

}  // namespace natgrad
