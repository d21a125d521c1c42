#include "core/matrixProduct.h"

#include <algorithm>

#include "core/backend.h"

namespace natgrad {

void multiply(const Backend& backend, const MatrixProduct& p, const float* a, const float* b, const Epilogue& epilogue,
              float* out) {
  const int64_t size = p.rows * p.columns;
  const int64_t lda = p.transposeA ? p.rows : p.inner, ldb = p.transposeB ? p.inner : p.columns;
  if (p.inner == 0) {
    std::fill(out, out + p.batch * size, 0.0f);
  } else if (p.bStep == 0 && !p.transposeA && p.aStep == p.rows * p.inner) {
    // One right factor for the whole batch: the left ones under each other are one tall matrix.
    backend.f32.gemm(false, p.transposeB, p.batch * p.rows, p.columns, p.inner, 1.0f, a, lda, b, ldb, 0.0f, out,
                     p.columns);
  } else {
    for (int64_t i = 0; i < p.batch; ++i) {
      backend.f32.gemm(p.transposeA, p.transposeB, p.rows, p.columns, p.inner, 1.0f, a + i * p.aStep, lda,
                       b + i * p.bStep, ldb, 0.0f, out + i * size, p.columns);
    }
  }
  applyEpilogue(epilogue, out, 0, p.batch * size);
}

}  // namespace natgrad
