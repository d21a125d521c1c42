#include "core/product.h"

#include <algorithm>

#include "core/cost.h"
#include "core/keep.h"

namespace natgrad {

namespace {

template <class T>
int64_t partsOf(const ProductJob<T>& job) {
  constexpr double operations = 1e7;
  constexpr int64_t side = 64;
  constexpr int64_t most = 8;
  const int64_t worthwhile = static_cast<int64_t>(std::min<double>(most, cost(job) / operations));
  const int64_t possible = job.count > 1 ? job.count : std::max(job.rows, job.columns) / side;
  return std::clamp<int64_t>(worthwhile, 1, std::max<int64_t>(1, possible));
}

// Where part `part` of `parts` of a side begins: where the tiles of the multiplication do, whatever the instruction set and the type.
int64_t beginOf(int64_t part, int64_t parts, int64_t side) {
  constexpr int64_t alignment = 48;
  return part == parts ? side : part * side / parts / alignment * alignment;
}

}  // namespace

template <class T>
ProductParts<T>::ProductParts(const Backend& backend, const ProductJob<T>& job)
    : ops_(operations<T>(backend)), job_(job), count_(partsOf(job)) {}

template <class T>
void ProductParts<T>::multiply(int64_t i, int64_t top, int64_t bottom, int64_t first, int64_t last) const {
  const int64_t columns = job_.columns, together = std::min(bottom, job_.together());
  if (top < together) multiplyTo(job_.out + (i * job_.rows + top) * columns + first, i, top, together, first, last);
  if (together < bottom) multiplyTo(job_.outLast + first, i, together, bottom, first, last);
}

template <class T>
void ProductParts<T>::multiplyTo(T* out, int64_t i, int64_t top, int64_t bottom, int64_t first, int64_t last) const {
  const int64_t rows = job_.rows, inner = job_.inner, columns = job_.columns;
  const T scale = static_cast<T>(job_.scale), keep = static_cast<T>(job_.keep);
  const T* left = job_.left + i * rows * inner + top * (job_.transposeLeft ? 1 : inner);
  const T* right = job_.right + i * inner * columns + first * (job_.transposeRight ? inner : 1);
  if (!job_.transposeLeft && !job_.transposeRight && bottom - top <= fewRowsLimit && ops_.fewRows != nullptr) {
    ops_.fewRows(bottom - top, last - first, inner, scale, left, inner, right, columns, keep, out, columns);
  } else {
    ops_.gemm(job_.transposeLeft, job_.transposeRight, bottom - top, last - first, inner, scale, left,
              job_.transposeLeft ? rows : inner, right, job_.transposeRight ? inner : columns, keep, out, columns);
  }
}

template <class T>
Report ProductParts<T>::compute(int64_t part) const {
  const int64_t rows = job_.rows, columns = job_.columns;
  if (rows == 0 || columns == 0 || job_.count == 0) return Report();
  if (job_.inner == 0) {
    keep(job_.out, job_.count * job_.together() * columns, static_cast<T>(job_.keep));
    if (job_.outLast != nullptr) keep(job_.outLast, columns, static_cast<T>(job_.keep));
  } else if (job_.count > 1) {
    const int64_t end = (part + 1) * job_.count / count_;
    for (int64_t i = part * job_.count / count_; i < end; ++i) multiply(i, 0, rows, 0, columns);
  } else if (rows >= columns) {
    multiply(0, beginOf(part, count_, rows), beginOf(part + 1, count_, rows), 0, columns);
  } else {
    multiply(0, 0, rows, beginOf(part, count_, columns), beginOf(part + 1, count_, columns));
  }
  return Report();
}

template class ProductParts<float>;
template class ProductParts<double>;

}  // namespace natgrad
