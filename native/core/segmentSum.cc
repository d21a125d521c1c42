#include "core/segmentSum.h"

#include <algorithm>

namespace natgrad {

void segmentSum(const float* x, const int32_t* ids, int64_t rows, int64_t columns, int64_t segments, float* out) {
  std::fill(out, out + segments * columns, 0.0f);
  for (int64_t r = 0; r < rows; ++r) {
    const int64_t id = ids[r];
    if (id < 0 || id >= segments) continue;
    const float* row = x + r * columns;
    float* sum = out + id * columns;
    for (int64_t c = 0; c < columns; ++c) sum[c] += row[c];
  }
}

}  // namespace natgrad
