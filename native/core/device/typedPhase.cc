#include "core/device/typedPhase.h"

#include <new>

#include "core/device/eigenvectors.h"
#include "core/device/factors.h"
#include "core/device/passes.h"
#include "core/device/products.h"

namespace natgrad {

template <class T>
TypedPhase<T>::TypedPhase(RunState& run, std::vector<Report>& reports, std::vector<size_t>& unfit)
    : run_(run), reports_(reports), unfit_(unfit), examination_(run.queue) {}

template <class T>
void TypedPhase<T>::add(const Job& whole, const TypedJob<T>& job, size_t number) {
  run_.memory.prepare(whole);
  std::visit(
      [&](auto placed) {
        visitArrays(placed, [&](auto*& pointer, int64_t elements, Use) {
          if (elements > 0) pointer = run_.memory.place(pointer);
        });
        take(std::move(placed), number);
      },
      job);
}

template <class T>
ProductMath TypedPhase<T>::math() const {
  return sizeof(T) == 4 && run_.precision == Precision::tf32 ? ProductMath::tf32 : ProductMath::full;
}

template <class T>
template <class Body>
void TypedPhase<T>::attempt(size_t number, const Body& body) {
  try {
    body();
  } catch (const std::bad_alloc&) {
    unfit_.push_back(number);
  }
}

template <class T>
void TypedPhase<T>::take(InverseJob<T> job, size_t number) {
  Inverse& inverse = inverses_.emplace_back(Inverse{std::move(job), number, 0, 0, {}, {}, 0, {}});
  for (int64_t i = 0; i < inverse.job.count; ++i) {
    const size_t matrix = examination_.addMatrix(inverse.job.at(i).matrix, inverse.job.size);
    if (i == 0) inverse.firstMatrix = matrix;
  }
  inverse.partner = examination_.addPartner(inverse.job.damped);
}

template <class T>
void TypedPhase<T>::take(InverseRootJob<T> job, size_t number) {
  if (job.p == 1) return take(InverseJob<T>{job.matrix, job.size, job.damped, job.out}, number);
  Root& root = roots_.emplace_back(Root{std::move(job), number, 0, 0, DampedMatrix()});
  root.matrix = examination_.addMatrix(root.job.matrix, root.job.size);
  root.partner = examination_.addPartner(root.job.damped);
}

template <class T>
template <class C>
void TypedPhase<T>::prepareEigh(Eigh& eigh) {
  const auto vectors = std::make_shared<Eigenvectors<C, T>>(run_.queue, run_.results, eigh.job);
  eigh.start = [vectors] { vectors->start(); };
  eigh.report = [vectors] { return vectors->report(); };
}

template <class T>
void TypedPhase<T>::take(EighJob<T> job, size_t number) {
  eighs_.push_back({job, number, nullptr, nullptr});
}

template <class T>
void TypedPhase<T>::take(DiagonalInverseJob<T> job, size_t number) {
  const size_t diagonal = examination_.addNumbers(job.diagonal, job.size, 1);
  diagonalInverses_.push_back({job, number, diagonal, examination_.addPartner(job.damped)});
}

// The report of a job that is nothing but its inner product.
template <class T>
template <class J>
void TypedPhase<T>::takePass(J job, size_t number) {
  plain_.emplace_back(number, [this, job, number] {
    constexpr bool hasDot = !std::is_same_v<J, UpdateJob<T>> && !std::is_same_v<J, CombineJob<T>>;
    if constexpr (hasDot) {
      const Results::Numbers dot = run_.results.reserve(1);
      enqueue(run_.queue, job, dot.device);
      run_.endings.push_back([&report = reports_[number], dot] {
        report = Report();
        report.dot = *dot.host;
      });
    } else {
      enqueue(run_.queue, job);
      run_.endings.push_back([&report = reports_[number]] { report = Report(); });
    }
  });
}

template <class T>
void TypedPhase<T>::take(KroneckerJob<T> job, size_t number) {
  plain_.emplace_back(number, [this, job, number] {
    const Results::Numbers dot = run_.results.reserve(1);
    enqueue(run_.queue, job, math(), dot.device);
    run_.endings.push_back([&report = reports_[number], dot] {
      report = Report();
      report.dot = *dot.host;
    });
  });
}

template <class T>
void TypedPhase<T>::take(ProductJob<T> job, size_t number) {
  plain_.emplace_back(number, [this, job, number] {
    enqueue(run_.queue, job, math());
    run_.endings.push_back([&report = reports_[number]] { report = Report(); });
  });
}

template <class T>
bool TypedPhase<T>::examine() {
  try {
    examination_.start(run_.results);
    for (Eigh& eigh : eighs_) {
      if (computesTwice()) {
        prepareEigh<double>(eigh);
      } else {
        prepareEigh<T>(eigh);
      }
    }
    const int64_t factors = static_cast<int64_t>(factors_.size() + diagonalFactors_.size());
    marks_.assign(static_cast<size_t>(factors), 0);
    if (factors > 0) {
      const int64_t bytes = factors * static_cast<int64_t>(sizeof(int32_t));
      const DeviceArray<int32_t> marks(run_.queue, factors);
      run_.queue.call(run_.queue.backend().clear, marks.data(), bytes);
      int32_t* mark = marks.data();
      for (const auto& factor : factors_) examineInputs(run_.queue, factor.job, mark++);
      for (const auto& factor : diagonalFactors_) examineInputs(run_.queue, factor.job, mark++);
      run_.queue.download(marks.data(), marks_.data(), bytes);
    }
  } catch (const std::bad_alloc&) {
    for (const Inverse& inverse : inverses_) unfit_.push_back(inverse.number);
    for (const Root& root : roots_) unfit_.push_back(root.number);
    for (const Eigh& eigh : eighs_) unfit_.push_back(eigh.number);
    for (const DiagonalInverse& inverse : diagonalInverses_) unfit_.push_back(inverse.number);
    for (const auto& factor : factors_) unfit_.push_back(factor.number);
    for (const auto& factor : diagonalFactors_) unfit_.push_back(factor.number);
    inverses_.clear();
    roots_.clear();
    eighs_.clear();
    diagonalInverses_.clear();
    factors_.clear();
    diagonalFactors_.clear();
  }
  return !inverses_.empty() || !roots_.empty() || !eighs_.empty() || !diagonalInverses_.empty() || !marks_.empty();
}

template <class T>
void TypedPhase<T>::computeFactors() {
  size_t mark = 0;
  const auto update = [&](const auto& factor, const auto& body) {
    const bool bad = marks_[mark++] != 0;
    attempt(factor.number, [&] {
      if (!bad) body();
      run_.endings.push_back(
          [&report = reports_[factor.number], bad] { report = bad ? failure(Status::notFinite) : Report(); });
    });
  };
  for (const auto& factor : factors_) update(factor, [&] { enqueueFactor(run_.queue, factor.job, math()); });
  for (const auto& factor : diagonalFactors_) update(factor, [&] { enqueueFactor(run_.queue, factor.job); });
}

template <class T>
bool TypedPhase<T>::compute() {
  settleInverses();
  planRoots();
  const Queue& queue = run_.queue;
  if (!targets_.empty() && computesTwice()) invertedTwice_.emplace(queue, run_.results, targets_);
  if (!targets_.empty() && !computesTwice()) invertedAsAsked_.emplace(queue, run_.results, targets_);
  if (!singleRoots_.empty())
    rootedAsAsked_.emplace(queue, run_.results, singleRoots_, run_.precision == Precision::tf32);
  if (!twiceRoots_.empty()) rootedTwice_.emplace(queue, run_.results, twiceRoots_, false);
  for (Eigh& eigh : eighs_) {
    attempt(eigh.number, [&] {
      eigh.start();
      run_.endings.push_back([&report = reports_[eigh.number], result = eigh.report] { report = result(); });
    });
  }
  for (const DiagonalInverse& inverse : diagonalInverses_) {
    attempt(inverse.number, [&] {
      const NumberStatistics diagonal = examination_.numbers(inverse.diagonal);
      const double damping = examination_.damping(inverse.job.damped, diagonal.sum, inverse.job.size, inverse.partner);
      reports_[inverse.number] = invertDiagonal(queue, inverse.job, diagonal, damping);
    });
  }
  computeFactors();
  for (const auto& [number, body] : plain_) attempt(number, body);
  return !inverses_.empty() || !roots_.empty();
}

template <class T>
void TypedPhase<T>::judge() {
  for (Inverse& inverse : inverses_) attempt(inverse.number, [&] { judgeInverse(inverse); });
  for (const Root& root : roots_) attempt(root.number, [&] { judgeRoot(root); });
}

template class TypedPhase<float>;
template class TypedPhase<double>;

}  // namespace natgrad
