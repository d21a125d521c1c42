#include "core/device/products.h"

#include <algorithm>
#include <optional>

namespace natgrad {

namespace {

template <class T>
int64_t bytesOf(int64_t elements) {
  return elements * static_cast<int64_t>(sizeof(T));
}

// out = left V.
template <class T>
void multiplyLeft(const Queue& queue, const KroneckerJob<T>& job, ProductMath math, const T* v, T* out) {
  const DeviceOperations<T>& ops = deviceOperations<T>(queue.backend());
  const int64_t m = job.leftSize, n = job.rightSize;
  switch (job.leftForm) {
    case MatrixForm::full:
      return queue.call(ops.gemm, math, job.leftTransposed, false, m, n, m, T(1), job.left, m, v, n, T(0), out, n);
    case MatrixForm::lower:
      return queue.call(ops.symm, math, true, m, n, job.left, m, v, n, out, n);
    case MatrixForm::diagonal:
      return queue.call(ops.scaleByDiagonals, m, n, job.left, nullptr, v, out);
  }
}

// out = product right.
template <class T>
void multiplyRight(const Queue& queue, const KroneckerJob<T>& job, ProductMath math, const T* product, T* out) {
  const DeviceOperations<T>& ops = deviceOperations<T>(queue.backend());
  const int64_t m = job.leftSize, n = job.rightSize;
  switch (job.rightForm) {
    case MatrixForm::full:
      return queue.call(ops.gemm, math, false, job.rightTransposed, m, n, n, T(1), product, n, job.right, n, T(0), out,
                        n);
    case MatrixForm::lower:
      return queue.call(ops.symm, math, false, m, n, job.right, n, product, n, out, n);
    case MatrixForm::diagonal:
      return queue.call(ops.scaleByDiagonals, m, n, nullptr, job.right, product, out);
  }
}

}  // namespace

template <class T>
void enqueue(const Queue& queue, const KroneckerJob<T>& job, ProductMath math, double* dot) {
  const DeviceBackend& backend = queue.backend();
  const int64_t m = job.leftSize, n = job.rightSize, size = m * n;
  if (size == 0) return queue.call(backend.clear, dot, bytesOf<double>(1));
  const DeviceArray<T> product(queue, size);
  // The last row has a place of its own where it lies apart.
  std::optional<DeviceArray<T>> v, result;
  if (job.inputLast != nullptr) {
    v.emplace(queue, size);
    queue.call(backend.copy, job.input, v->data(), bytesOf<T>(size - n));
    queue.call(backend.copy, job.inputLast, v->data() + size - n, bytesOf<T>(n));
  }
  if (job.outLast != nullptr) result.emplace(queue, size);
  const T* const input = v ? v->data() : job.input;
  T* const out = result ? result->data() : job.out;
  multiplyLeft(queue, job, math, input, product.data());
  multiplyRight(queue, job, math, product.data(), out);
  queue.call(deviceOperations<T>(backend).dot, input, out, size, dot);
  if (!result) return;
  queue.call(backend.copy, out, job.out, bytesOf<T>(size - n));
  queue.call(backend.copy, out + size - n, job.outLast, bytesOf<T>(n));
}

template <class T>
void enqueue(const Queue& queue, const ProductJob<T>& job, ProductMath math) {
  const DeviceOperations<T>& ops = deviceOperations<T>(queue.backend());
  const int64_t rows = job.rows, inner = job.inner, columns = job.columns, size = job.count * rows * columns;
  if (size == 0) return;
  const T keep = static_cast<T>(job.keep), scale = static_cast<T>(job.scale);
  if (inner == 0) {
    if (keep == T(0)) return queue.call(queue.backend().clear, job.out, bytesOf<T>(size));
    Parameters parameters(queue);
    const size_t data = parameters.add(std::vector<const T*>{job.out}),
                 scales = parameters.add(std::vector<double>{job.keep});
    parameters.send();
    return queue.call(ops.combine, int64_t{1}, parameters.at<const T*>(data), parameters.at<double>(scales), job.out,
                      size);
  }
  if (job.count == 1) {
    queue.call(ops.gemm, math, job.transposeLeft, job.transposeRight, rows, columns, inner, scale, job.left,
               job.transposeLeft ? rows : inner, job.right, job.transposeRight ? inner : columns, keep, job.out,
               columns);
  } else {
    queue.call(ops.gemmStack, math, job.transposeLeft, job.transposeRight, rows, columns, inner, scale, job.left,
               job.right, keep, job.out, job.count);
  }
}

#define NATGRAD_INSTANTIATE(T)                                                          \
  template void enqueue<T>(const Queue&, const KroneckerJob<T>&, ProductMath, double*); \
  template void enqueue<T>(const Queue&, const ProductJob<T>&, ProductMath);
NATGRAD_INSTANTIATE(float)
NATGRAD_INSTANTIATE(double)
#undef NATGRAD_INSTANTIATE

}  // namespace natgrad
