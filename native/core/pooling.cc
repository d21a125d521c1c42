#include "core/pooling.h"

#include <algorithm>
#include <limits>
#include <type_traits>

#include "core/window.h"

namespace natgrad {
namespace {

// Calls visit(image, outputPixel, rows, columns) for every output position; pixel counts positions of the whole batch.
template <class Visit>
void forEachWindow(const ConvGeometry& g, Visit visit) {
  int64_t pixel = 0;
  for (int64_t image = 0; image < g.batch; ++image) {
    for (int64_t y = 0; y < g.outHeight; ++y) {
      const WindowRange rows = windowRange(y, g.strideHeight, g.padTop, g.dilationHeight, g.kernelHeight, g.inHeight);
      for (int64_t x = 0; x < g.outWidth; ++x, ++pixel) {
        const WindowRange columns =
            windowRange(x, g.strideWidth, g.padLeft, g.dilationWidth, g.kernelWidth, g.inWidth);
        visit(image, pixel, rows, columns);
      }
    }
  }
}

// Calls visit(position) for every element of a window, row by row; position counts the pixels of the one image.
template <class Visit>
void forEachElement(const ConvGeometry& g, const WindowRange& rows, const WindowRange& columns, Visit visit) {
  for (int64_t r = rows.begin; r < rows.end; ++r) {
    const int64_t rowStart = rows.input(r, g.dilationHeight) * g.inWidth;
    for (int64_t c = columns.begin; c < columns.end; ++c) visit(rowStart + columns.input(c, g.dilationWidth));
  }
}

int64_t imageSize(const ConvGeometry& g) { return g.inHeight * g.inWidth * g.channels; }

// The loops over channels go in blocks of a fixed number, which the compiler keeps in registers; `block` is called as
// block(integral constant, first channel).
template <class Block>
void forEachBlock(int64_t channels, Block block) {
  int64_t c = 0;
  for (; c + 8 <= channels; c += 8) block(std::integral_constant<int64_t, 8>(), c);
  for (; c < channels; ++c) block(std::integral_constant<int64_t, 1>(), c);
}

}  // namespace

void maxPool(const ConvGeometry& g, const float* x, float* y) {
  const int64_t channels = g.channels;
  forEachWindow(g, [&](int64_t image, int64_t pixel, const WindowRange& rows, const WindowRange& columns) {
    forEachBlock(channels, [&](auto width, int64_t first) {
      const float* input = x + image * imageSize(g) + first;
      float largest[width];
      std::fill(largest, largest + width, -std::numeric_limits<float>::infinity());
      forEachElement(g, rows, columns, [&](int64_t position) {
        const float* element = input + position * channels;
        for (int64_t c = 0; c < width; ++c) largest[c] = element[c] > largest[c] ? element[c] : largest[c];
      });
      std::copy(largest, largest + width, y + pixel * channels + first);
    });
  });
}

void maxPoolGradient(const ConvGeometry& g, const float* x, const float* dy, float* dx) {
  const int64_t channels = g.channels;
  std::fill(dx, dx + g.batch * imageSize(g), 0.0f);
  forEachWindow(g, [&](int64_t image, int64_t pixel, const WindowRange& rows, const WindowRange& columns) {
    forEachBlock(channels, [&](auto width, int64_t first) {
      const float* input = x + image * imageSize(g) + first;
      float largest[width];
      int32_t where[width];
      std::fill(largest, largest + width, -std::numeric_limits<float>::infinity());
      std::fill(where, where + width, -1);
      forEachElement(g, rows, columns, [&](int64_t position) {
        const float* element = input + position * channels;
        const int32_t here = static_cast<int32_t>(position);
        for (int64_t c = 0; c < width; ++c) {
          const bool larger = element[c] > largest[c];
          largest[c] = larger ? element[c] : largest[c];
          where[c] = larger ? here : where[c];
        }
      });
      const float* gradient = dy + pixel * channels + first;
      float* result = dx + image * imageSize(g) + first;
      for (int64_t c = 0; c < width; ++c) {
        if (where[c] >= 0) result[where[c] * channels + c] += gradient[c];
      }
    });
  });
}

void averagePool(const ConvGeometry& g, const float* x, float* y) {
  const int64_t channels = g.channels;
  forEachWindow(g, [&](int64_t image, int64_t pixel, const WindowRange& rows, const WindowRange& columns) {
    const float count = static_cast<float>((rows.end - rows.begin) * (columns.end - columns.begin));
    forEachBlock(channels, [&](auto width, int64_t first) {
      const float* input = x + image * imageSize(g) + first;
      float sum[width];
      std::fill(sum, sum + width, 0.0f);
      forEachElement(g, rows, columns, [&](int64_t position) {
        const float* element = input + position * channels;
        for (int64_t c = 0; c < width; ++c) sum[c] += element[c];
      });
      float* mean = y + pixel * channels + first;
      for (int64_t c = 0; c < width; ++c) mean[c] = sum[c] / count;
    });
  });
}

void averagePoolGradient(const ConvGeometry& g, const float* dy, float* dx) {
  const int64_t channels = g.channels;
  const float share = 1.0f / static_cast<float>(g.kernelHeight * g.kernelWidth);
  std::fill(dx, dx + g.batch * imageSize(g), 0.0f);
  forEachWindow(g, [&](int64_t image, int64_t pixel, const WindowRange& rows, const WindowRange& columns) {
    forEachBlock(channels, [&](auto width, int64_t first) {
      const float* gradient = dy + pixel * channels + first;
      float* result = dx + image * imageSize(g) + first;
      forEachElement(g, rows, columns, [&](int64_t position) {
        float* element = result + position * channels;
        for (int64_t c = 0; c < width; ++c) element[c] += gradient[c] * share;
      });
    });
  });
}

}  // namespace natgrad
