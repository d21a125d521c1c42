#include "core/unitFactors.h"

#include <algorithm>

#include "core/buffer.h"
#include "core/cost.h"
#include "core/keep.h"
#include "core/rows.h"

namespace natgrad {

namespace {

template <class T>
int64_t partsOf(const UnitFactorsJob<T>& job) {
  constexpr double operations = 4e6;
  constexpr int64_t most = 8;
  const int64_t worthwhile = static_cast<int64_t>(std::min<double>(most, cost(job) / operations));
  return std::clamp<int64_t>(worthwhile, 1, std::max<int64_t>(1, job.count));
}

// Rows that are weighted at a time, so that they are still in the second-level cache when they are multiplied.
template <class T>
int64_t weightedRows(int64_t size) {
  constexpr int64_t cacheBytes = int64_t{1} << 19;
  return std::clamp<int64_t>(cacheBytes / (size * static_cast<int64_t>(sizeof(T))), 128, 2048);
}

}  // namespace

template <class T>
UnitFactorsParts<T>::UnitFactorsParts(const Backend& backend, const UnitFactorsJob<T>& job)
    : ops_(operations<T>(backend)), job_(job), count_(partsOf(job)) {}

template <class T>
bool UnitFactorsParts<T>::inputsAreFinite() {
  std::call_once(examined_, [this] {
    finite_ = std::all_of(job_.inputs.begin(), job_.inputs.end(), [this](const UnitFactorInput<T>& input) {
      return isFinite(ops_, input) && ops_.firstNonFinite(input.gradients, rowCount(input) * job_.count) < 0;
    });
  });
  return finite_;
}

// weighted = the rows of x times the unit's weights, and returns how many there are: a unit that was not active has no
// gradient, and so no row.
template <class T>
int64_t UnitFactorsParts<T>::weigh(const T* x, const T* weights, int64_t rows, T* weighted) const {
  const int64_t columns = job_.homogeneous ? job_.size - 1 : job_.size;
  int64_t count = 0;
  for (int64_t r = 0; r < rows; ++r) {
    const T weight = weights[r * job_.count];
    if (weight == T(0)) continue;
    T* to = weighted + count * job_.size;
    for (int64_t i = 0; i < columns; ++i) to[i] = weight * x[r * columns + i];
    if (job_.homogeneous) to[columns] = weight;
    ++count;
  }
  return count;
}

// factor = beta factor + scale X'X for the rows X of one unit.
template <class T>
void UnitFactorsParts<T>::add(int64_t unit, const T* x, int64_t rows, T scale, T beta, T* packed) const {
  const int64_t size = job_.size;
  T* factor = job_.factors + unit * size * size;
  if (rows > 0 && usesGram()) {
    ops_.gram(0, size, rows, scale, x, size, beta, factor, size, packed);
  } else if (rows > 0) {
    ops_.syrk(true, size, rows, scale, x, size, beta, factor, size);
  } else if (beta != T(1)) {
    for (int64_t i = 0; i < size; ++i) keep(factor + i * size, i + 1, beta);
  }
}

template <class T>
Report UnitFactorsParts<T>::compute(int64_t part) {
  if (!inputsAreFinite()) return failure(Status::notFinite);
  const int64_t size = job_.size;
  if (size == 0 || job_.count == 0) return Report();
  const int64_t begin = part * job_.count / count_;
  const int64_t end = (part + 1) * job_.count / count_;
  const int64_t columns = job_.homogeneous ? size - 1 : size;
  const int64_t step = weightedRows<T>(size);
  int64_t panel = 0;
  int64_t most = 0;
  for (const UnitFactorInput<T>& input : job_.inputs) {
    panel = std::max(panel, panelElements(input, rowCount(input)));
    most = std::max(most, std::min(step, rowCount(input)));
  }
  Buffer<T> patches(panel);
  Buffer<T> weighted(most * size);
  Buffer<T> packed(usesGram() ? ops_.gramWorkspace(0, size) : 0);
  T beta = static_cast<T>(job_.decay);  // rides along with what is added first
  for (const UnitFactorInput<T>& input : job_.inputs) {
    const T scale = static_cast<T>(input.scale);
    eachPanel(input, 0, rowCount(input), patches.data(), [&](const T* x, int64_t first, int64_t rows) {
      for (int64_t r = 0; r < rows; r += step) {
        for (int64_t unit = begin; unit < end; ++unit) {
          const T* weights = input.gradients + (first + r) * job_.count + unit;
          const int64_t count = weigh(x + r * columns, weights, std::min(step, rows - r), weighted.data());
          add(unit, weighted.data(), count, scale, beta, packed.data());
        }
        beta = 1;
      }
    });
  }
  if (beta == T(1)) return Report();
  for (int64_t unit = begin; unit < end; ++unit) add(unit, nullptr, 0, T(0), beta, packed.data());
  return Report();
}

template class UnitFactorsParts<float>;
template class UnitFactorsParts<double>;

}  // namespace natgrad
