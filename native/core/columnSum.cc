#include "core/columnSum.h"

#include <algorithm>
#include <vector>

#include "core/backend.h"

namespace natgrad {

void columnSum(const Backend& backend, const float* x, int64_t rows, int64_t columns, float* out) {
  // Few columns are laid side by side, several rows to one, to fill the vector registers; and only blocks are summed
  // in single precision, whose rounding error grows with the length of a sum.
  const int64_t group = std::max<int64_t>(1, 64 / columns), width = group * columns;
  constexpr int64_t block = 256;
  const int64_t grouped = rows / group;
  std::vector<float> sums(static_cast<size_t>(width));
  std::vector<double> totals(static_cast<size_t>(columns));
  const auto fold = [&](int64_t parts, const float* from) {
    for (int64_t i = 0; i < parts; ++i) {
      for (int64_t c = 0; c < columns; ++c) {
        totals[static_cast<size_t>(c)] += static_cast<double>(from[i * columns + c]);
      }
    }
  };
  for (int64_t first = 0; first < grouped; first += block) {
    std::fill(sums.begin(), sums.end(), 0.0f);
    backend.f32.columnSums(std::min(block, grouped - first), width, x + first * width, width, sums.data());
    fold(group, sums.data());
  }
  fold(rows - grouped * group, x + grouped * width);
  std::transform(totals.begin(), totals.end(), out, [](double total) { return static_cast<float>(total); });
}

}  // namespace natgrad
