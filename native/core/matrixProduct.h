// Batched matrix products of row-major single-precision matrices.
#pragma once

#include <cstdint>

#include "core/activation.h"

namespace natgrad {

struct Backend;

struct MatrixProduct {
  int64_t batch, rows, columns, inner;
  bool transposeA, transposeB;  // a is [inner, rows] instead of [rows, inner]; b likewise
  int64_t aStep, bStep;         // elements from one matrix to the next; 0 uses one matrix for the whole batch
};

// out[i] = activation(op(a[i]) op(b[i]) + bias) for i < batch, out[i] being [rows, columns]. A sum over nothing is
// zero.
void multiply(const Backend& backend, const MatrixProduct& product, const float* a, const float* b,
              const Epilogue& epilogue, float* out);

}  // namespace natgrad
