#include "core/kronecker.h"

#include <algorithm>

#include "core/buffer.h"
#include "core/cost.h"

namespace natgrad {

namespace {

// A symmetric left factor held by one triangle is multiplied as a whole, because half of each of its rows lies in
// others.
template <class T>
int64_t partsOf(const KroneckerJob<T>& job) {
  constexpr double operations = 2e7;
  constexpr int64_t rows = 192;
  constexpr int64_t most = 4;
  if (job.leftForm == MatrixForm::lower) return 1;
  const int64_t worthwhile = std::min<int64_t>(most, static_cast<int64_t>(std::min(cost(job) / operations, 1e3)));
  return std::clamp<int64_t>(job.leftSize / rows, 1, std::max<int64_t>(1, worthwhile));
}

}  // namespace

template <class T>
KroneckerParts<T>::KroneckerParts(const Backend& backend, const KroneckerJob<T>& job)
    : ops_(operations<T>(backend)), job_(job), count_(partsOf(job)) {}

// product = rows [begin, begin + rows) of left V.
template <class T>
void KroneckerParts<T>::multiplyLeft(int64_t begin, int64_t rows, T* product) const {
  const int64_t m = job_.leftSize;
  const int64_t n = job_.rightSize;
  const int64_t together = job_.inputLast == nullptr ? m : m - 1;
  if (job_.leftForm == MatrixForm::full) {
    // How far it is from one row of the factor to the next, and from one column.
    const int64_t down = job_.leftTransposed ? 1 : m;
    const int64_t across = job_.leftTransposed ? m : 1;
    const T* left = job_.left + begin * down;
    if (together < m) {
      for (int64_t i = 0; i < rows; ++i) {
        const T last = left[i * down + together * across];
        for (int64_t j = 0; j < n; ++j) product[i * n + j] = last * job_.inputLast[j];
      }
    }
    ops_.gemm(job_.leftTransposed, false, rows, n, together, T(1), left, m, job_.input, n, T(together < m ? 1 : 0),
              product, n);
  } else if (job_.leftForm == MatrixForm::diagonal) {
    for (int64_t i = 0; i < rows; ++i) {
      const T* v = begin + i < together ? job_.input + (begin + i) * n : job_.inputLast;
      for (int64_t j = 0; j < n; ++j) product[i * n + j] = job_.left[begin + i] * v[j];
    }
  } else if (together == m) {
    ops_.symm(true, m, n, job_.left, m, job_.input, n, product, n);
  } else {
    Buffer<T> v(m * n);
    std::copy(job_.input, job_.input + together * n, v.data());
    std::copy(job_.inputLast, job_.inputLast + n, v.data() + together * n);
    ops_.symm(true, m, n, job_.left, m, v.data(), n, product, n);
  }
}

// out = product right.
template <class T>
void KroneckerParts<T>::multiplyRight(const T* product, int64_t rows, T* out) const {
  const int64_t n = job_.rightSize;
  switch (job_.rightForm) {
    case MatrixForm::full:
      ops_.gemm(false, job_.rightTransposed, rows, n, n, T(1), product, n, job_.right, n, T(0), out, n);
      break;
    case MatrixForm::lower:
      ops_.symm(false, rows, n, job_.right, n, product, n, out, n);
      break;
    case MatrixForm::diagonal:
      for (int64_t i = 0; i < rows; ++i) {
        for (int64_t j = 0; j < n; ++j) out[i * n + j] = product[i * n + j] * job_.right[j];
      }
      break;
  }
}

// Both factors are square, so (left V) right and left (V right) cost the same; the left one goes first because then the
// rows of the result do not wait for each other.
template <class T>
Report KroneckerParts<T>::compute(int64_t part) const {
  const int64_t m = job_.leftSize;
  const int64_t n = job_.rightSize;
  const int64_t begin = part * m / count_;
  const int64_t end = (part + 1) * m / count_;
  Report report;
  if (begin == end || n == 0) return report;
  Buffer<T> product((end - begin) * n);
  multiplyLeft(begin, end - begin, product.data());
  T* out = job_.out + begin * n;
  const T* input = job_.input + begin * n;
  if (job_.outLast == nullptr || end < m) {
    multiplyRight(product.data(), end - begin, out);
    report.dot = ops_.dot(input, out, (end - begin) * n);
    return report;
  }
  Buffer<T> result((end - begin) * n);
  multiplyRight(product.data(), end - begin, result.data());
  const T* last = result.data() + (end - begin - 1) * n;
  std::copy(result.data(), result.data() + (end - begin - 1) * n, out);
  std::copy(last, last + n, job_.outLast);
  report.dot = ops_.dot(input, out, (end - begin - 1) * n) + ops_.dot(job_.inputLast, job_.outLast, n);
  return report;
}

template class KroneckerParts<float>;
template class KroneckerParts<double>;

}  // namespace natgrad
