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

// out = keep out.
template <class T>
void enqueueKeep(const Queue& queue, T* out, int64_t size, double keep) {
  if (keep == 0) return queue.call(queue.backend().clear, out, bytesOf<T>(size));
  Parameters parameters(queue);
  const size_t data = parameters.add(std::vector<const T*>{out}), scales = parameters.add(std::vector<double>{keep});
  parameters.send();
  queue.call(deviceOperations<T>(queue.backend()).combine, int64_t{1}, parameters.at<const T*>(data),
             parameters.at<double>(scales), out, size);
}

template <class T>
void enqueue(const Queue& queue, const ProductJob<T>& job, ProductMath math) {
  const DeviceOperations<T>& ops = deviceOperations<T>(queue.backend());
  const int64_t rows = job.rows, inner = job.inner, columns = job.columns, together = job.together();
  if (job.count * rows * columns == 0) return;
  if (inner == 0) {
    if (together > 0) enqueueKeep(queue, job.out, job.count * together * columns, job.keep);
    if (together < rows) enqueueKeep(queue, job.outLast, columns, job.keep);
    return;
  }
  const T keep = static_cast<T>(job.keep), scale = static_cast<T>(job.scale);
  if (job.count > 1) {
    return queue.call(ops.gemmStack, math, job.transposeLeft, job.transposeRight, rows, columns, inner, scale, job.left,
                      job.right, keep, job.out, job.count);
  }
  const auto multiply = [&](int64_t top, int64_t bottom, T* out) {
    if (top == bottom) return;
    queue.call(ops.gemm, math, job.transposeLeft, job.transposeRight, bottom - top, columns, inner, scale,
               job.left + top * (job.transposeLeft ? 1 : inner), job.transposeLeft ? rows : inner, job.right,
               job.transposeRight ? inner : columns, keep, out, columns);
  };
  multiply(0, together, job.out);
  multiply(together, rows, job.outLast);
}

#define NATGRAD_INSTANTIATE(T)                                                          \
  template void enqueue<T>(const Queue&, const KroneckerJob<T>&, ProductMath, double*); \
  template void enqueue<T>(const Queue&, const ProductJob<T>&, ProductMath);
NATGRAD_INSTANTIATE(float)
NATGRAD_INSTANTIATE(double)
#undef NATGRAD_INSTANTIATE

}  // namespace natgrad
