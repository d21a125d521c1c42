// The gradient of an embedding look-up.
#pragma once

#include <cstdint>

namespace natgrad {

// out[s] = sum of the rows x[i] with ids[i] = s, for `segments` rows of `columns`; an id outside [0, segments) is left
// out.
void segmentSum(const float* x, const int32_t* ids, int64_t rows, int64_t columns, int64_t segments, float* out);

}  // namespace natgrad
