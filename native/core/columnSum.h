// The gradient of a bias.
#pragma once

#include <cstdint>

namespace natgrad {

struct Backend;

// out[c] = sum over r of x[r][c], for `rows` rows of `columns`.
void columnSum(const Backend& backend, const float* x, int64_t rows, int64_t columns, float* out);

}  // namespace natgrad
