#include "core/factor.h"

#include <algorithm>
#include <cmath>

#include "core/buffer.h"
#include "core/cost.h"
#include "core/keep.h"
#include "core/rows.h"

namespace natgrad {

namespace {

template <class T>
int64_t columnsOf(const FactorJob<T>& job) {
  return job.homogeneous ? job.size - 1 : job.size;
}

// Rows [begin, end) of X'X, and those columns of the row below it, while rows are added to X: C = [X 1]'[X 1] has X'X
// in its first rows and, below them, the column sums of X and the number of rows, so X is never copied to append the
// ones.
template <class T>
class Accumulator {
 public:
  Accumulator(const Operations<T>& operations, const FactorJob<T>& job, int64_t begin, int64_t end)
      : operations_(operations),
        factor_(job.factor),
        size_(job.size),
        columns_(columnsOf(job)),
        begin_(begin),
        end_(end),
        last_(job.homogeneous ? job.factor + columns_ * size_ : nullptr),
        decay_(static_cast<T>(job.decay)),
        packed_(usesGram(operations, end) ? operations.gramWorkspace(begin, end) : 0) {
    if (last_ != nullptr) keep(last_ + begin, end - begin, decay_);
    if (ownsCorner()) keep(last_ + columns_, 1, decay_);
  }

  void add(const T* x, int64_t rows, double scaleOfRows) {
    if (rows == 0) return;
    const T alpha = static_cast<T>(scaleOfRows);
    addProduct(x, rows, alpha, first_ ? decay_ : T(1));
    first_ = false;
    if (last_ == nullptr) return;
    for (int64_t begin = 0; begin < rows; begin += summedRows) {
      addColumnSums(x + begin * columns_, std::min(summedRows, rows - begin), alpha);
    }
    if (ownsCorner()) last_[columns_] += static_cast<T>(scaleOfRows * static_cast<double>(rows));
  }

  // If there was no row to let the decay ride along with.
  void finish() {
    if (!first_) return;
    for (int64_t i = begin_; i < end_; ++i) keep(factor_ + i * size_, i + 1, decay_);
  }

 private:
  static bool usesGram(const Operations<T>& operations, int64_t end) {
    return operations.gram != nullptr && end <= gramSize;
  }

  void addProduct(const T* x, int64_t rows, T alpha, T beta) {
    const int64_t count = end_ - begin_;
    if (count == 0) return;
    if (usesGram(operations_, end_)) {
      operations_.gram(begin_, end_, rows, alpha, x, columns_, beta, factor_, size_, packed_.data());
      return;
    }
    T* band = factor_ + begin_ * size_;
    if (begin_ > 0)
      operations_.gemm(true, false, count, begin_, rows, alpha, x + begin_, columns_, x, columns_, beta, band, size_);
    operations_.syrk(true, count, rows, alpha, x + begin_, columns_, beta, band + begin_, size_);
  }

  bool ownsCorner() const { return last_ != nullptr && end_ == columns_; }

  void addColumnSums(const T* x, int64_t rows, T alpha) {
    constexpr int64_t strip = 256;
    T sums[strip];
    for (int64_t j0 = begin_; j0 < end_; j0 += strip) {
      const int64_t count = std::min(strip, end_ - j0);
      std::fill(sums, sums + count, T(0));
      operations_.columnSums(rows, count, x + j0, columns_, sums);
      for (int64_t j = 0; j < count; ++j) last_[j0 + j] += alpha * sums[j];
    }
  }

  const Operations<T>& operations_;
  T* factor_;
  int64_t size_, columns_, begin_, end_;
  T* last_;  // the row of the homogeneous coordinate, or null
  bool first_ = true;
  T decay_;
  Buffer<T> packed_;  // what gram packs
};

// Patches would have to be formed again for every part.
template <class T>
int64_t partsOf(const FactorJob<T>& job) {
  constexpr double operations = 6e6;
  constexpr int64_t rows = 256;
  constexpr int64_t most = 4;
  const auto forms = [](const FactorInput<T>& input) { return formsPatches(input); };
  if (std::any_of(job.inputs.begin(), job.inputs.end(), forms)) return 1;
  const int64_t worthwhile = static_cast<int64_t>(std::min<double>(most, cost(job) / operations));
  return std::clamp<int64_t>(job.size / rows, 1, std::max<int64_t>(1, worthwhile));
}

}  // namespace

template <class T>
FactorParts<T>::FactorParts(const Backend& backend, const FactorJob<T>& job)
    : ops_(operations<T>(backend)), job_(job), count_(partsOf(job)) {}

template <class T>
bool FactorParts<T>::inputsAreFinite() {
  std::call_once(examined_, [this] {
    finite_ = std::all_of(job_.inputs.begin(), job_.inputs.end(),
                          [this](const FactorInput<T>& input) { return isFinite(ops_, input); });
  });
  return finite_;
}

// The triangle above row r has an area that goes with the square of r.
template <class T>
int64_t FactorParts<T>::firstRow(int64_t part) const {
  constexpr int64_t alignment = 16;
  const int64_t columns = columnsOf(job_);
  const double share = static_cast<double>(part) / static_cast<double>(count_);
  const int64_t row = static_cast<int64_t>(static_cast<double>(columns) * std::sqrt(share));
  return part == count_ ? columns : row / alignment * alignment;
}

template <class T>
Report FactorParts<T>::compute(int64_t part) {
  if (!inputsAreFinite()) return failure(Status::notFinite);
  if (job_.size == 0) return Report();
  int64_t panel = 0;
  for (const FactorInput<T>& input : job_.inputs) panel = std::max(panel, panelElements(input, rowCount(input)));
  Buffer<T> patches(panel);
  Accumulator<T> factor(ops_, job_, firstRow(part), firstRow(part + 1));
  for (const FactorInput<T>& input : job_.inputs) {
    eachPanel(input, 0, rowCount(input), patches.data(),
              [&](const T* x, int64_t, int64_t rows) { factor.add(x, rows, input.scale); });
  }
  factor.finish();
  return Report();
}

template <class T>
Report compute(const Backend& backend, const DiagonalFactorJob<T>& job) {
  const Operations<T>& ops = operations<T>(backend);
  for (const DiagonalFactorInput<T>& input : job.inputs) {
    if (input.data != nullptr && ops.firstNonFinite(input.data, input.rows * job.size) >= 0)
      return failure(Status::notFinite);
  }
  Buffer<double> totals(job.size);
  Buffer<T> sums(job.size);
  std::fill(totals.data(), totals.data() + job.size, 0.0);
  for (const DiagonalFactorInput<T>& input : job.inputs) {
    if (input.data == nullptr) {
      for (int64_t r = 0; r < input.rows; ++r) totals[input.indices[r]] += input.scale;
      continue;
    }
    for (int64_t begin = 0; begin < input.rows; begin += summedRows) {
      std::fill(sums.data(), sums.data() + job.size, T(0));
      ops.columnSquareSums(std::min(summedRows, input.rows - begin), job.size, input.data + begin * job.size, job.size,
                           sums.data());
      for (int64_t j = 0; j < job.size; ++j) totals[j] += input.scale * static_cast<double>(sums[j]);
    }
  }
  for (int64_t j = 0; j < job.size; ++j) {
    const double old = job.decay == 0 ? 0 : job.decay * static_cast<double>(job.factor[j]);
    job.factor[j] = static_cast<T>(old + totals[j]);
  }
  return Report();
}

template class FactorParts<float>;
template class FactorParts<double>;
template Report compute<float>(const Backend&, const DiagonalFactorJob<float>&);
template Report compute<double>(const Backend&, const DiagonalFactorJob<double>&);

}  // namespace natgrad
