#include "core/kronecker.h"

#include <algorithm>

#include "core/buffer.h"

namespace natgrad {

namespace {

// out (rows by n) = V right, for some of the rows of V.
template <class T>
void multiplyRight(const Operations<T>& ops, const KroneckerJob<T>& job, const T* v, int64_t rows, T* out) {
  const int64_t n = job.rightSize;
  switch (job.rightForm) {
    case MatrixForm::full:
      ops.gemm(false, false, rows, n, n, T(1), v, n, job.right, n, T(0), out, n);
      break;
    case MatrixForm::lower:
      ops.symm(false, rows, n, job.right, n, v, n, out, n);
      break;
    case MatrixForm::diagonal:
      for (int64_t i = 0; i < rows; ++i) {
        for (int64_t j = 0; j < n; ++j) out[i * n + j] = v[i * n + j] * job.right[j];
      }
      break;
  }
}

// Rows [begin, begin + rows) of left V, from all rows of V; `left` is full or diagonal.
template <class T>
void multiplyLeft(const Operations<T>& ops, const KroneckerJob<T>& job, const T* v, int64_t begin, int64_t rows,
                  T* out) {
  const int64_t m = job.leftSize;
  const int64_t n = job.rightSize;
  if (job.leftForm == MatrixForm::full) {
    ops.gemm(false, false, rows, n, m, T(1), job.left + begin * m, m, v, n, T(0), out, n);
    return;
  }
  for (int64_t i = 0; i < rows; ++i) {
    const T factor = job.left[begin + i];
    for (int64_t j = 0; j < n; ++j) out[i * n + j] = v[(begin + i) * n + j] * factor;
  }
}

}  // namespace

// Both factors are square, so left (V right) and (left V) right cost the same; the right one goes first because it
// takes the rows of V one by one, wherever they lie.
template <class T>
Report compute(const Backend& backend, const KroneckerJob<T>& job) {
  const Operations<T>& ops = operations<T>(backend);
  const int64_t m = job.leftSize;
  const int64_t n = job.rightSize;
  if (m == 0 || n == 0) return Report();
  const int64_t last = job.inputLast == nullptr ? 0 : 1;
  const int64_t rows = m - last;
  Buffer<T> product(m * n);
  multiplyRight(ops, job, job.input, rows, product.data());
  if (last == 1) multiplyRight(ops, job, job.inputLast, 1, product.data() + rows * n);
  if (job.leftForm == MatrixForm::lower) {
    // symm gives all rows together.
    Buffer<T> result(last * m * n);
    T* target = last == 1 ? result.data() : job.out;
    ops.symm(true, m, n, job.left, m, product.data(), n, target, n);
    if (last == 1) {
      std::copy(target, target + rows * n, job.out);
      std::copy(target + rows * n, target + m * n, job.outLast);
    }
  } else {
    multiplyLeft(ops, job, product.data(), 0, rows, job.out);
    if (last == 1) multiplyLeft(ops, job, product.data(), rows, 1, job.outLast);
  }
  Report report;
  report.dot = ops.dot(job.input, job.out, rows * n);
  if (last == 1) report.dot += ops.dot(job.inputLast, job.outLast, n);
  return report;
}

template Report compute<float>(const Backend&, const KroneckerJob<float>&);
template Report compute<double>(const Backend&, const KroneckerJob<double>&);

}  // namespace natgrad
