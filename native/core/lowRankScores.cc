#include "core/lowRankScores.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <new>

#include "core/buffer.h"
#include "core/cost.h"
#include "core/rows.h"
#include "core/symmetric.h"

namespace natgrad {

namespace {

template <class T>
int64_t partsOf(const LowRankScoresJob<T>& job) {
  constexpr double operations = 2e6;
  constexpr int64_t most = 32;
  const int64_t worthwhile = static_cast<int64_t>(std::min<double>(most, cost(job) / operations));
  return std::clamp<int64_t>(worthwhile, 1, std::max<int64_t>(1, job.examples));
}

// A row-major matrix in float64.
struct Matrix {
  Matrix(int64_t rowCount, int64_t columnCount)
      : rows(rowCount), columns(columnCount), elements(rowCount * columnCount) {}
  double* row(int64_t i) { return elements.data() + i * columns; }
  const double* row(int64_t i) const { return elements.data() + i * columns; }

  int64_t rows, columns;
  Buffer<double> elements;
};

// C = op(A) op(B), from the rows of A from `firstRow` on.
void multiply(const Operations<double>& ops, bool transposeA, const Matrix& a, int64_t firstRow, bool transposeB,
              const Matrix& b, Matrix& c) {
  const int64_t inner = transposeA ? a.rows - firstRow : a.columns;
  ops.gemm(transposeA, transposeB, c.rows, c.columns, inner, 1, a.row(firstRow), a.columns, b.row(0), b.columns, 0,
           c.row(0), c.columns);
}

// The eigenvectors of C'C if `transpose`, else CC', as rows, with their eigenvalues ascending.
Status eigenvectors(const Operations<double>& ops, bool transpose, const Matrix& c, Matrix& vectors, double* values) {
  const int64_t n = vectors.rows;
  ops.syrk(transpose, n, transpose ? c.rows : c.columns, 1, c.row(0), c.columns, 0, vectors.row(0), n);
  if (!lowerIsFinite(ops, n, vectors.row(0))) return Status::notFinite;
  const int64_t info = ops.syevd(n, vectors.row(0), n, values);
  if (info < 0) throw std::bad_alloc();
  return info > 0 ? Status::notConverged : Status::ok;
}

// left'right = the closest matrix to `c` that has as many ranks as they have rows.
Status cutDown(const Operations<double>& ops, const Matrix& c, Matrix& left, Matrix& right) {
  const bool byColumns = c.columns < c.rows;
  const int64_t n = std::min(c.rows, c.columns);
  Matrix vectors(n, n);
  Buffer<double> values(n);
  const Status status = eigenvectors(ops, byColumns, c, vectors, values.data());
  if (status != Status::ok) return status;
  Matrix& orthonormal = byColumns ? right : left;
  const int64_t first = n - orthonormal.rows;
  std::copy(vectors.row(first), vectors.row(n), orthonormal.row(0));
  multiply(ops, false, vectors, first, byColumns, c, byColumns ? left : right);
  return Status::ok;
}

// The same for X'D with fewer rows than columns. Left and right keep rows of zeros where there are not as many ranks.
Status cutDownRows(const Operations<double>& ops, const Matrix& x, const Matrix& d, Matrix& left, Matrix& right) {
  const int64_t n = x.rows;
  Matrix vectors(n, n);
  Buffer<double> values(n);
  const Status status = eigenvectors(ops, false, x, vectors, values.data());
  if (status != Status::ok) return status;
  // What is smaller than the rounding of the squares has no direction of its own.
  const double least = static_cast<double>(n) * std::numeric_limits<double>::epsilon() * values[n - 1];
  const int64_t first = std::upper_bound(values.data(), values.data() + n, least) - values.data();
  if (first == n) return Status::ok;
  Matrix basis(n - first, x.columns), core(n - first, d.columns);
  multiply(ops, false, vectors, first, false, x, basis);
  multiply(ops, false, vectors, first, false, d, core);
  for (int64_t i = 0; i < basis.rows; ++i) {
    const double root = std::sqrt(values[first + i]);
    for (int64_t j = 0; j < basis.columns; ++j) basis.row(i)[j] /= root;
    for (int64_t j = 0; j < core.columns; ++j) core.row(i)[j] *= root;
  }
  const int64_t rank = std::min(left.rows, core.rows);
  Matrix coreLeft(rank, core.rows), coreRight(rank, core.columns), inBasis(rank, basis.columns);
  const Status cut = cutDown(ops, core, coreLeft, coreRight);
  if (cut != Status::ok) return cut;
  multiply(ops, false, coreLeft, 0, false, basis, inBasis);
  std::copy(inBasis.row(0), inBasis.row(rank), left.row(0));
  std::copy(coreRight.row(0), coreRight.row(rank), right.row(0));
  return Status::ok;
}

template <class T>
void copyTo(const Matrix& matrix, T* out) {
  std::transform(matrix.row(0), matrix.row(matrix.rows), out, [](double value) { return static_cast<T>(value); });
}

}  // namespace

template <class T>
LowRankScoresParts<T>::LowRankScoresParts(const Backend& backend, const LowRankScoresJob<T>& job)
    : backend_(backend), job_(job), count_(partsOf(job)) {}

template <class T>
bool LowRankScoresParts<T>::inputsAreFinite() {
  std::call_once(examined_, [this] {
    const Operations<T>& ops = operations<T>(backend_);
    const int64_t gradients = rowCount(job_.activation) * job_.outputs;
    finite_ = isFinite(ops, job_.activation) && ops.firstNonFinite(job_.outputGradient, gradients) < 0;
  });
  return finite_;
}

template <class T>
Report LowRankScoresParts<T>::compute(int64_t part) {
  if (!inputsAreFinite()) return failure(Status::notFinite);
  const auto& [activation, outputGradient, outputs, examples, homogeneous, scale, rank, leftOut, rightOut] = job_;
  if (examples == 0 || rank == 0) return Report();
  const Operations<double>& ops = operations<double>(backend_);
  const int64_t rows = rowCount(activation) / examples;
  const int64_t columns = columnCount(activation);
  const int64_t size = columns + (homogeneous ? 1 : 0);
  const bool fewRows = rows < std::min(size, outputs);
  Buffer<T> patches(panelElements(activation, rows));
  Matrix x(rows, size), d(rows, outputs), left(rank, size), right(rank, outputs);
  Matrix score(fewRows ? 0 : size, outputs);
  const int64_t end = (part + 1) * examples / count_;
  for (int64_t n = part * examples / count_; n < end; ++n) {
    std::fill(left.row(0), left.row(rank), 0.0);
    std::fill(right.row(0), right.row(rank), 0.0);
    eachPanel(activation, n * rows, (n + 1) * rows, patches.data(), [&](const T* panel, int64_t first, int64_t count) {
      for (int64_t r = 0; r < count; ++r) {
        double* row = x.row(first - n * rows + r);
        std::copy(panel + r * columns, panel + (r + 1) * columns, row);
        if (homogeneous) row[columns] = 1;
      }
    });
    const T* gradient = outputGradient + n * rows * outputs;
    std::transform(gradient, gradient + rows * outputs, d.row(0),
                   [scale = scale](T value) { return scale * static_cast<double>(value); });
    Status status = Status::ok;
    if (fewRows) {
      if (rows > 0) status = cutDownRows(ops, x, d, left, right);
    } else {
      multiply(ops, true, x, 0, false, d, score);
      status = cutDown(ops, score, left, right);
    }
    if (status != Status::ok) return failure(status);
    copyTo(left, leftOut + n * rank * size);
    copyTo(right, rightOut + n * rank * outputs);
  }
  return Report();
}

template class LowRankScoresParts<float>;
template class LowRankScoresParts<double>;

}  // namespace natgrad
