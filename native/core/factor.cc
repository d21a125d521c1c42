#include "core/factor.h"

#include <algorithm>

#include "core/buffer.h"
#include "core/patches.h"

namespace natgrad {

namespace {

// Rows are taken in panels: patches because they are formed one panel at a time and should still be in the second-level
// cache when they are multiplied, dense rows because BLAS counts in 32 bits.
constexpr int64_t denseRows = int64_t{1} << 20;

// Long sums are split so that rounding does not grow with the number of rows.
constexpr int64_t summedRows = 512;

template <class T>
int64_t patchRows(int64_t columns) {
  constexpr int64_t cacheBytes = int64_t{1} << 20;
  return std::clamp<int64_t>(cacheBytes / std::max<int64_t>(1, columns * static_cast<int64_t>(sizeof(T))), 256, 2048);
}

// One factor while rows are added to it: C = [X 1]'[X 1] has X'X in its first rows and, below them, the column sums of
// X and the number of rows, so X is never copied to append the ones.
template <class T>
class Accumulator {
 public:
  Accumulator(const Operations<T>& operations, const FactorJob<T>& job)
      : operations_(operations),
        factor_(job.factor),
        size_(job.size),
        columns_(job.homogeneous ? job.size - 1 : job.size),
        homogeneous_(job.homogeneous),
        decay_(static_cast<T>(job.decay)),
        sums_(columns_) {
    if (homogeneous_) scale(factor_ + columns_ * size_, size_, decay_);
  }

  void add(const T* x, int64_t rows, double scaleOfRows) {
    if (rows == 0) return;
    const T alpha = static_cast<T>(scaleOfRows);
    if (columns_ > 0)
      operations_.syrk(true, columns_, rows, alpha, x, columns_, first_ ? decay_ : T(1), factor_, size_);
    first_ = false;
    if (!homogeneous_) return;
    T* last = factor_ + columns_ * size_;
    for (int64_t begin = 0; begin < rows; begin += summedRows) {
      std::fill(sums_.data(), sums_.data() + columns_, T(0));
      operations_.columnSums(std::min(summedRows, rows - begin), columns_, x + begin * columns_, columns_,
                             sums_.data());
      for (int64_t j = 0; j < columns_; ++j) last[j] += alpha * sums_[j];
    }
    last[columns_] += static_cast<T>(scaleOfRows * static_cast<double>(rows));
  }

  // If there was no row to let the decay ride along with.
  void finish() {
    if (!first_) return;
    for (int64_t i = 0; i < columns_; ++i) scale(factor_ + i * size_, i + 1, decay_);
  }

 private:
  static void scale(T* x, int64_t count, T factor) {
    // As in BLAS, zero means that what was there does not matter.
    for (int64_t i = 0; i < count; ++i) x[i] = factor == T(0) ? T(0) : x[i] * factor;
  }

  const Operations<T>& operations_;
  T* factor_;
  int64_t size_, columns_;
  bool homogeneous_;
  bool first_ = true;
  T decay_;
  Buffer<T> sums_;
};

template <class T>
int64_t elements(const FactorInput<T>& input) {
  const ConvGeometry& g = input.geometry;
  return input.patches ? g.batch * g.inHeight * g.inWidth * g.channels : input.rows * input.columns;
}

Report notFiniteReport() {
  Report report;
  report.status = Status::notFinite;
  report.converged = false;
  return report;
}

}  // namespace

template <class T>
Report compute(const Backend& backend, const FactorJob<T>& job) {
  const Operations<T>& ops = operations<T>(backend);
  int64_t panel = 0;
  for (const FactorInput<T>& input : job.inputs) {
    if (ops.firstNonFinite(input.data, elements(input)) >= 0) return notFiniteReport();
    if (input.patches && !patchesAreInput(input.geometry)) {
      const int64_t columns = input.geometry.patchSize();
      panel = std::max(panel, columns * std::min(patchRows<T>(columns), input.geometry.patches()));
    }
  }
  if (job.size == 0) return Report();
  Buffer<T> patches(panel);
  Accumulator<T> factor(ops, job);
  for (const FactorInput<T>& input : job.inputs) {
    if (!input.patches || patchesAreInput(input.geometry)) {
      const int64_t rows = input.patches ? input.geometry.patches() : input.rows;
      const int64_t columns = input.patches ? input.geometry.channels : input.columns;
      for (int64_t begin = 0; begin < rows; begin += denseRows) {
        factor.add(input.data + begin * columns, std::min(denseRows, rows - begin), input.scale);
      }
      continue;
    }
    const int64_t rows = input.geometry.patches();
    const int64_t columns = input.geometry.patchSize();
    const int64_t step = patchRows<T>(columns);
    for (int64_t begin = 0; begin < rows; begin += step) {
      const int64_t count = std::min(step, rows - begin);
      formPatches(input.data, input.geometry, begin, count, patches.data(), columns);
      factor.add(patches.data(), count, input.scale);
    }
  }
  factor.finish();
  return Report();
}

template <class T>
Report compute(const Backend& backend, const DiagonalFactorJob<T>& job) {
  const Operations<T>& ops = operations<T>(backend);
  for (const DiagonalFactorInput<T>& input : job.inputs) {
    if (input.data != nullptr && ops.firstNonFinite(input.data, input.rows * job.size) >= 0) return notFiniteReport();
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

template Report compute<float>(const Backend&, const FactorJob<float>&);
template Report compute<double>(const Backend&, const FactorJob<double>&);
template Report compute<float>(const Backend&, const DiagonalFactorJob<float>&);
template Report compute<double>(const Backend&, const DiagonalFactorJob<double>&);

}  // namespace natgrad
