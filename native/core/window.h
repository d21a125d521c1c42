// Which offsets of a sliding window lie inside the image: the one piece of arithmetic that convolution and pooling
// share.
#pragma once

#include <algorithm>
#include <cstdint>

namespace natgrad {

struct WindowRange {
  int64_t begin, end;  // offsets k in [begin, end) fall inside
  int64_t origin;      // input coordinate of offset 0; may be negative

  int64_t input(int64_t offset, int64_t dilation) const { return origin + offset * dilation; }
};

// The offsets k in [0, kernel) with 0 <= position * stride - pad + k * dilation < size.
inline WindowRange windowRange(int64_t position, int64_t stride, int64_t pad, int64_t dilation, int64_t kernel,
                               int64_t size) {
  const int64_t origin = position * stride - pad;
  const int64_t begin = origin >= 0 ? 0 : (-origin + dilation - 1) / dilation;
  const int64_t end = origin >= size ? 0 : (size - origin + dilation - 1) / dilation;
  return {std::min(begin, kernel), std::min(std::max(end, begin), kernel), origin};
}

}  // namespace natgrad
