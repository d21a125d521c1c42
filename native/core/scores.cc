#include "core/scores.h"

#include <algorithm>

#include "core/buffer.h"
#include "core/cost.h"
#include "core/keep.h"
#include "core/rows.h"

namespace natgrad {

namespace {

template <class T>
int64_t partsOf(const ScoresJob<T>& job) {
  constexpr double operations = 2e6;
  constexpr int64_t most = 8;
  const int64_t worthwhile = static_cast<int64_t>(std::min<double>(most, cost(job) / operations));
  return std::clamp<int64_t>(worthwhile, 1, std::max<int64_t>(1, job.examples));
}

// score = share score + alpha x g', for one row: a product with an inner dimension of one is all overhead.
template <class T>
void addOuterProduct(const T* x, int64_t columns, const T* g, int64_t outputs, T alpha, T share, T* score) {
  for (int64_t i = 0; i < columns; ++i, score += outputs) {
    const T factor = alpha * x[i];
    if (share == T(0)) {
      for (int64_t j = 0; j < outputs; ++j) score[j] = factor * g[j];
    } else {
      for (int64_t j = 0; j < outputs; ++j) score[j] = share * score[j] + factor * g[j];
    }
  }
}

}  // namespace

template <class T>
ScoresParts<T>::ScoresParts(const Backend& backend, const ScoresJob<T>& job)
    : ops_(operations<T>(backend)), job_(job), count_(partsOf(job)) {}

template <class T>
void ScoresParts<T>::addRows(const T* x, const T* g, int64_t rows, T share, T* score) const {
  const int64_t columns = columnCount(job_.activation);
  const T alpha = static_cast<T>(job_.scale);
  if (columns == 0) return;
  if (rows == 1) {
    addOuterProduct(x, columns, g, job_.outputs, alpha, share, score);
  } else {
    ops_.gemm(true, false, columns, job_.outputs, rows, alpha, x, columns, g, job_.outputs, share, score, job_.outputs);
  }
}

// The row of the homogeneous coordinate.
template <class T>
void ScoresParts<T>::addOnes(const T* g, int64_t rows, T share, T* score) const {
  constexpr int64_t strip = 256;
  const int64_t outputs = job_.outputs;
  const T alpha = static_cast<T>(job_.scale);
  keep(score, outputs, share);
  for (int64_t begin = 0; begin < rows; begin += summedRows) {
    const int64_t count = std::min(summedRows, rows - begin);
    for (int64_t j0 = 0; j0 < outputs; j0 += strip) {
      const int64_t width = std::min(strip, outputs - j0);
      T sums[strip] = {};
      ops_.columnSums(count, width, g + begin * outputs + j0, outputs, sums);
      for (int64_t j = 0; j < width; ++j) score[j0 + j] += alpha * sums[j];
    }
  }
}

template <class T>
Report ScoresParts<T>::compute(int64_t part) const {
  const int64_t columns = columnCount(job_.activation);
  const int64_t size = (columns + (job_.homogeneous ? 1 : 0)) * job_.outputs;
  if (size == 0 || job_.examples == 0) return Report();
  const int64_t rows = rowCount(job_.activation) / job_.examples;
  const T share = static_cast<T>(job_.keep);
  Buffer<T> patches(panelElements(job_.activation, rows));
  const int64_t end = (part + 1) * job_.examples / count_;
  for (int64_t n = part * job_.examples / count_; n < end; ++n) {
    T* score = job_.out + n * size;
    if (rows == 0) keep(score, columns * job_.outputs, share);
    eachPanel(job_.activation, n * rows, (n + 1) * rows, patches.data(), [&](const T* x, int64_t first, int64_t count) {
      addRows(x, job_.outputGradient + first * job_.outputs, count, first == n * rows ? share : T(1), score);
    });
    if (job_.homogeneous) {
      addOnes(job_.outputGradient + n * rows * job_.outputs, rows, share, score + columns * job_.outputs);
    }
  }
  return Report();
}

template class ScoresParts<float>;
template class ScoresParts<double>;

}  // namespace natgrad
