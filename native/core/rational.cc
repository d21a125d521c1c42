#include "core/rational.h"

#include <algorithm>

#include "core/rationalFunction.h"
#include "core/threadPool.h"

namespace natgrad {

using rationals::Coefficients;

namespace {

// Rows that make one task: few enough tasks that their sums need little memory, and not by the number of threads, on
// which no bit may depend.
int64_t rowsPerTask(const RationalLayout& layout) {
  constexpr int64_t elements = 16384, most = 16;
  const int64_t period = std::max<int64_t>(1, layout.groups * layout.inner);
  return std::max<int64_t>({1, elements / period, (layout.rows + most - 1) / most});
}

template <class Work>
void inParts(int threads, const RationalLayout& layout, Work work) {
  const int64_t rows = rowsPerTask(layout);
  std::vector<Task> tasks;
  for (int64_t begin = 0; begin < layout.rows; begin += rows) {
    const int64_t end = std::min(layout.rows, begin + rows), part = begin / rows;
    tasks.push_back({static_cast<double>(end - begin), [=] { work(part, begin, end); }});
  }
  if (tasks.size() == 1) return tasks.front().work();
  runTasks(tasks, threads);
}

}  // namespace

void rational(int threads, const RationalLayout& layout, const float* x, const float* numerator,
              const float* denominator, float* y) {
  const Coefficients<float> coefficients(layout, numerator, denominator, nullptr);
  inParts(threads, layout, [&](int64_t, int64_t begin, int64_t end) {
    rationals::evaluate(layout, coefficients, begin, end, x, y);
  });
}

void rationalGradient(int threads, const RationalLayout& layout, const float* x, const float* dy,
                      const float* numerator, const float* denominator, float* dx, float* dNumerator,
                      float* dDenominator) {
  if (layout.rows * layout.inner == 0) {
    std::fill(dNumerator, dNumerator + layout.groups * layout.numeratorSize, 0.0f);
    std::fill(dDenominator, dDenominator + layout.groups * layout.denominatorSize, 0.0f);
    return;
  }
  const Coefficients<float> coefficients(layout, numerator, denominator, nullptr);
  const int64_t size = layout.size(), all = layout.groups * size;
  const int64_t rows = rowsPerTask(layout), parts = (layout.rows + rows - 1) / rows;
  std::vector<double> totals(static_cast<size_t>(parts * all), 0.0);
  inParts(threads, layout, [&](int64_t part, int64_t begin, int64_t end) {
    rationals::differentiate(layout, coefficients, begin, end, x, dy, dx, totals.data() + part * all);
  });
  for (int64_t g = 0; g < layout.groups; ++g) {
    for (int64_t k = 0; k < size; ++k) {
      double sum = 0;
      for (int64_t part = 0; part < parts; ++part) sum += totals[static_cast<size_t>(part * all + g * size + k)];
      const int64_t m = layout.numeratorSize;
      (k < m ? dNumerator[g * m + k] : dDenominator[g * layout.denominatorSize + k - m]) = static_cast<float>(sum);
    }
  }
}

}  // namespace natgrad
