// Scores and unit-wise factors against their definitions.
#include <string>

#include "check.h"
#include "gallery.h"
#include "rowsOf.h"

using namespace natgrad;
using namespace natgrad::test;

namespace {

// A job's rows, and the same ones written out.
template <class T>
struct Explicit {
  std::vector<T> data;
  std::vector<T> values;
  Rows<T> rows;

  double at(int64_t r, int64_t i) const {
    const int64_t columns = columnCount();
    return i == columns ? 1 : static_cast<double>(values[static_cast<size_t>(r * columns + i)]);
  }
  int64_t columnCount() const { return rows.patches ? rows.geometry.patchSize() : rows.columns; }
  int64_t rowCount() const { return rows.patches ? rows.geometry.patches() : rows.rows; }
};

template <class T>
Explicit<T> dense(int64_t rows, int64_t columns, unsigned seed) {
  Explicit<T> x;
  x.data = x.values = normal<T>(rows * columns, seed);
  x.rows = {x.data.data(), rows, columns, false, {}};
  return x;
}

template <class T>
Explicit<T> patches(const ConvGeometry& g, unsigned seed) {
  Explicit<T> x;
  x.data = normal<T>(g.batch * g.inHeight * g.inWidth * g.channels, seed);
  x.values = patchRows(x.data, g);
  x.rows = {x.data.data(), 0, 0, true, g};
  return x;
}

// A sum of products, and how far from it a sum of its terms in any order may lie.
struct Sum {
  double value = 0;
  double magnitude = 0;
  int64_t terms = 4;

  void add(double term) {
    value += term;
    magnitude += std::fabs(term);
    ++terms;
  }
  template <class T>
  bool isNear(T got) const {
    return std::fabs(static_cast<double>(got) - value) <= static_cast<double>(terms) * roundoff<T> * magnitude;
  }
};

template <class T>
void checkScores(const Explicit<T>& x, int64_t outputs, int64_t examples, bool homogeneous, double keep, int threads) {
  const int64_t size = x.columnCount() + (homogeneous ? 1 : 0);
  const std::vector<T> g = normal<T>(x.rowCount() * outputs, 2);
  const std::vector<T> before = normal<T>(examples * size * outputs, 3);
  std::vector<T> out = keep == 0 ? std::vector<T>(before.size(), std::numeric_limits<T>::quiet_NaN()) : before;
  const ScoresJob<T> job{x.rows, g.data(), outputs, examples, homogeneous, -0.5, keep, out.data()};
  CHECK(runOne<T>(job, threads).status == Status::ok);
  const int64_t each = x.rowCount() / examples;
  for (int64_t at = 0; at < examples * size * outputs; ++at) {
    const int64_t n = at / (size * outputs);
    Sum sum;
    if (keep != 0) sum.add(keep * static_cast<double>(before[static_cast<size_t>(at)]));
    for (int64_t r = n * each; r < (n + 1) * each; ++r) {
      const double gradient = static_cast<double>(g[static_cast<size_t>(r * outputs + at % outputs)]);
      sum.add(-0.5 * x.at(r, at / outputs % size) * gradient);
    }
    CHECK_THAT(sum.isNear(out[static_cast<size_t>(at)]), std::to_string(size) + " by " + std::to_string(outputs));
  }
}

// At full rank nothing is cut off.
template <class T>
void checkLowRankScores(const Explicit<T>& x, int64_t outputs, int64_t examples, bool homogeneous, int threads) {
  const int64_t size = x.columnCount() + (homogeneous ? 1 : 0);
  const int64_t rank = std::min(size, outputs);
  const std::vector<T> g = normal<T>(x.rowCount() * outputs, 2);
  std::vector<T> left(static_cast<size_t>(examples * rank * size), std::numeric_limits<T>::quiet_NaN());
  std::vector<T> right(static_cast<size_t>(examples * rank * outputs), std::numeric_limits<T>::quiet_NaN());
  const LowRankScoresJob<T> job{x.rows, g.data(), outputs, examples, homogeneous, 2, rank, left.data(), right.data()};
  CHECK(runOne<T>(job, threads).status == Status::ok);
  const int64_t each = x.rowCount() / examples;
  for (int64_t at = 0; at < examples * size * outputs; ++at) {
    const int64_t n = at / (size * outputs);
    const int64_t i = at / outputs % size;
    const int64_t j = at % outputs;
    double score = 0;
    double magnitude = 0;
    for (int64_t r = n * each; r < (n + 1) * each; ++r) {
      const double term = 2 * x.at(r, i) * static_cast<double>(g[static_cast<size_t>(r * outputs + j)]);
      score += term;
      magnitude += std::fabs(term);
    }
    double product = 0;
    for (int64_t k = n * rank; k < (n + 1) * rank; ++k) {
      product += static_cast<double>(left[static_cast<size_t>(k * size + i)]) *
                 static_cast<double>(right[static_cast<size_t>(k * outputs + j)]);
    }
    // Squares in float64 are exact to 1e-8 of the largest; the rest is the rounding of the outputs.
    const double terms = static_cast<double>(each + rank);
    const double allowed = terms * (1 + magnitude) * (1e-7 + 8 * roundoff<T>);
    CHECK_THAT(std::fabs(product - score) <= allowed, std::to_string(size) + " by " + std::to_string(outputs));
  }
}

template <class T>
void checkUnitFactors(const std::vector<Explicit<T>>& inputs, int64_t count, bool homogeneous, double decay,
                      int threads) {
  const int64_t size = inputs[0].columnCount() + (homogeneous ? 1 : 0);
  std::vector<std::vector<T>> gradients;
  std::vector<T> factors = normal<T>(count * size * size, 4);
  const std::vector<T> before = factors;
  UnitFactorsJob<T> job{{}, homogeneous, decay, factors.data(), size, count};
  const auto scale = [](size_t k) { return k % 2 == 0 ? 0.5 : -0.25; };
  for (size_t k = 0; k < inputs.size(); ++k) {
    gradients.push_back(normal<T>(inputs[k].rowCount() * count, static_cast<unsigned>(5 + k)));
    // Units that were not active.
    for (T& g : gradients.back()) g = std::max(g, T(0));
    UnitFactorInput<T> input{};
    static_cast<Rows<T>&>(input) = inputs[k].rows;
    input.scale = scale(k);
    input.gradients = gradients.back().data();
    job.inputs.push_back(input);
  }
  CHECK(runOne<T>(job, threads).status == Status::ok);
  for (int64_t at = 0; at < count * size * size; ++at) {
    const int64_t unit = at / (size * size);
    const int64_t i = at / size % size;
    const int64_t j = at % size;
    const T got = factors[static_cast<size_t>(at)];
    if (j > i) {
      CHECK(got == before[static_cast<size_t>(at)]);
      continue;
    }
    Sum sum;
    sum.add(decay * static_cast<double>(before[static_cast<size_t>(at)]));
    for (size_t k = 0; k < inputs.size(); ++k) {
      for (int64_t r = 0; r < inputs[k].rowCount(); ++r) {
        const double g = static_cast<double>(gradients[k][static_cast<size_t>(r * count + unit)]);
        sum.add(scale(k) * g * g * inputs[k].at(r, i) * inputs[k].at(r, j));
      }
    }
    CHECK_THAT(sum.isNear(got), std::to_string(size) + " columns, unit " + std::to_string(unit));
  }
}

const ConvGeometry small{4, 5, 6, 3, 3, 2, 1, 2, 1, 1, 1, 0, 5, 3};
const ConvGeometry pixels{4, 3, 5, 18, 1, 1, 1, 1, 1, 1, 0, 0, 3, 5};
const ConvGeometry panels{3, 30, 31, 4, 3, 3, 1, 1, 1, 1, 1, 1, 30, 31};

template <class T>
void checkSmall() {
  for (const bool homogeneous : {false, true}) {
    for (const double keep : {0.0, 0.75}) {
      for (const int64_t examples : {1, 4, 12, 60}) {
        checkScores(patches<T>(small, 1), 5, examples, homogeneous, keep, 1);
        checkScores(patches<T>(pixels, 1), 5, examples, homogeneous, keep, 1);
        checkScores(dense<T>(60, 7, 1), 3, examples, homogeneous, keep, 1);
      }
      checkScores(dense<T>(1100, 3, 1), 300, 1, homogeneous, keep, 1);
      checkScores(dense<T>(0, 3, 1), 2, 4, homogeneous, keep, 1);
      checkLowRankScores(patches<T>(small, 1), 5, 4, homogeneous, 1);
      checkLowRankScores(patches<T>(pixels, 1), 5, 12, homogeneous, 1);
      checkLowRankScores(dense<T>(60, 7, 1), 9, 20, homogeneous, 1);
      checkLowRankScores(dense<T>(60, 3, 1), 9, 2, homogeneous, 1);
      checkLowRankScores(dense<T>(0, 3, 1), 2, 4, homogeneous, 1);
      checkUnitFactors<T>({dense<T>(1, 1, 1)}, 1, homogeneous, keep, 1);
      checkUnitFactors<T>({dense<T>(0, 3, 1)}, 2, homogeneous, keep, 1);
      checkUnitFactors<T>({dense<T>(2500, 4, 1)}, 3, homogeneous, keep, 1);
      checkUnitFactors<T>({patches<T>(small, 1), dense<T>(20, 18, 2), patches<T>(pixels, 3)}, 4, homogeneous, keep, 1);
    }
  }
}

}  // namespace

TEST("scores and unit factors are the sums they are defined as, in float32") { checkSmall<float>(); }
TEST("scores and unit factors are the sums they are defined as, in float64") { checkSmall<double>(); }

TEST("many examples and many units are done in parts, and patches in panels") {
  for (const bool homogeneous : {false, true}) {
    checkScores(dense<float>(41 * 30, 60, 1), 50, 41, homogeneous, 0.5, 3);
    checkScores(patches<float>(panels, 1), 30, 3, homogeneous, 0, 3);
    checkLowRankScores(patches<float>(panels, 1), 30, 3, homogeneous, 3);
    checkUnitFactors<float>({dense<float>(200, 40, 1)}, 41, homogeneous, 0.9, 3);
    checkUnitFactors<float>({patches<float>(panels, 1)}, 5, homogeneous, 0.5, 3);
  }
}

TEST("a NaN in any input of unit factors, or in its gradients, leaves every part as it was") {
  const int64_t d = 20;
  const int64_t count = 50;
  const int64_t rows = 500;
  for (const bool inGradients : {false, true}) {
    for (const bool atEnd : {false, true}) {
      const std::vector<float> good = normal<float>(rows * d, 1);
      const std::vector<float> goodGradients = normal<float>(rows * count, 2);
      std::vector<float> bad = good;
      std::vector<float> badGradients = goodGradients;
      std::vector<float>& spoilt = inGradients ? badGradients : bad;
      spoilt[atEnd ? spoilt.size() - 1 : 0] = std::nanf("");
      std::vector<float> factors = normal<float>(count * d * d, 3);
      const std::vector<float> before = factors;
      const UnitFactorsJob<float> job{{{{good.data(), rows, d, false, {}}, 1, goodGradients.data()},
                                       {{bad.data(), rows, d, false, {}}, 1, badGradients.data()}},
                                      false,
                                      0.5,
                                      factors.data(),
                                      d,
                                      count};
      CHECK(runOne<float>(job, 2).status == Status::notFinite);
      CHECK(factors == before);
    }
  }
}

int main() { return runTests(); }
