#include <cmath>
#include <string>

#include "check.h"
#include "gallery.h"

using namespace natgrad;
using namespace natgrad::test;

namespace {

std::vector<double> numbers(int64_t count, unsigned seed) {
  std::mt19937 random(seed);
  std::normal_distribution<double> normal;
  std::vector<double> x;
  for (int64_t i = 0; i < count; ++i) x.push_back(normal(random));
  return x;
}

// A symmetric factor in the form it is held in, and in full.
struct Held {
  std::vector<double> held;
  std::vector<double> full;
};

Held hold(int64_t n, MatrixForm form, unsigned seed) {
  const std::vector<double> x = numbers(n * n, seed);
  Held result;
  result.full.assign(static_cast<size_t>(n * n), 0.0);
  for (int64_t i = 0; i < n; ++i) {
    for (int64_t j = 0; j <= i; ++j) {
      if (form == MatrixForm::diagonal && i != j) continue;
      result.full[static_cast<size_t>(i * n + j)] = result.full[static_cast<size_t>(j * n + i)] =
          x[static_cast<size_t>(i * n + j)];
    }
  }
  if (form == MatrixForm::full) result.held = result.full;
  if (form == MatrixForm::lower) result.held = lowerOf<double>(result.full, n);
  if (form == MatrixForm::diagonal) {
    for (int64_t i = 0; i < n; ++i) result.held.push_back(result.full[static_cast<size_t>(i * n + i)]);
  }
  return result;
}

}  // namespace

TEST("a Kronecker product is left V right for every form of the factors, with the last row together or apart") {
  const MatrixForm forms[]{MatrixForm::full, MatrixForm::lower, MatrixForm::diagonal};
  for (const int64_t m : {1, 2, 17}) {
    for (const int64_t n : {1, 3, 20}) {
      for (const MatrixForm leftForm : forms) {
        for (const MatrixForm rightForm : forms) {
          const Held left = hold(m, leftForm, 1);
          const Held right = hold(n, rightForm, 2);
          const std::vector<double> v = numbers(m * n, 3);
          std::vector<double> expected(v.size(), 0.0);
          double dot = 0;
          for (int64_t i = 0; i < m; ++i) {
            for (int64_t j = 0; j < n; ++j) {
              double sum = 0;
              for (int64_t k = 0; k < m; ++k) {
                for (int64_t l = 0; l < n; ++l) {
                  sum += left.full[static_cast<size_t>(i * m + k)] * v[static_cast<size_t>(k * n + l)] *
                         right.full[static_cast<size_t>(l * n + j)];
                }
              }
              expected[static_cast<size_t>(i * n + j)] = sum;
              dot += sum * v[static_cast<size_t>(i * n + j)];
            }
          }
          for (const bool apart : {false, true}) {
            std::vector<double> out(v.size());
            const double* lastInput = v.data() + (m - 1) * n;
            double* lastOut = out.data() + (m - 1) * n;
            const Report report = runOne<double>(
                KroneckerJob<double>{left.held.data(), m, leftForm, right.held.data(), n, rightForm, v.data(),
                                     apart ? lastInput : nullptr, out.data(), apart ? lastOut : nullptr});
            CHECK(report.status == Status::ok);
            double error = 0;
            for (size_t i = 0; i < out.size(); ++i) error = std::max(error, std::fabs(out[i] - expected[i]));
            // Sums of at most 340 terms of size one: 340 eps, with room for their size.
            CHECK_THAT(error < 1e-12, std::to_string(error));
            CHECK_THAT(std::fabs(report.dot - dot) < 1e-11, std::to_string(report.dot - dot));
          }
        }
      }
    }
  }
}

TEST("a full factor may be held as its transpose") {
  const int64_t m = 17;
  const int64_t n = 20;
  const std::vector<double> left = numbers(m * m, 19);
  const std::vector<double> right = numbers(n * n, 20);
  const std::vector<double> v = numbers(m * n, 21);
  const auto transposed = [](const std::vector<double>& a, int64_t size) {
    std::vector<double> result(a.size());
    for (int64_t i = 0; i < size; ++i) {
      for (int64_t j = 0; j < size; ++j)
        result[static_cast<size_t>(j * size + i)] = a[static_cast<size_t>(i * size + j)];
    }
    return result;
  };
  const std::vector<double> leftHeld = transposed(left, m);
  const std::vector<double> rightHeld = transposed(right, n);
  const auto multiply = [&](bool transposeLeft, bool transposeRight, bool apart) {
    std::vector<double> out(v.size());
    const double* lastInput = v.data() + (m - 1) * n;
    double* lastOut = out.data() + (m - 1) * n;
    runOne<double>(KroneckerJob<double>{transposeLeft ? leftHeld.data() : left.data(), m, MatrixForm::full,
                                        transposeRight ? rightHeld.data() : right.data(), n, MatrixForm::full, v.data(),
                                        apart ? lastInput : nullptr, out.data(), apart ? lastOut : nullptr,
                                        transposeLeft, transposeRight});
    return out;
  };
  const std::vector<double> expected = multiply(false, false, false);
  for (const bool transposeLeft : {false, true}) {
    for (const bool transposeRight : {false, true}) {
      for (const bool apart : {false, true}) {
        const std::vector<double> out = multiply(transposeLeft, transposeRight, apart);
        double error = 0;
        for (size_t i = 0; i < out.size(); ++i) error = std::max(error, std::fabs(out[i] - expected[i]));
        CHECK_THAT(error < 1e-12, std::to_string(error));
      }
    }
  }
}

TEST("a product large enough to be done in parts has every row in its place, with the last row together or apart") {
  // Left and right factors I + u u' and I + w w' of 600 and 310: out = (V + u (u'V)) (I + w w') by its terms.
  const int64_t m = 600;
  const int64_t n = 310;
  const std::vector<double> u = numbers(m, 11);
  const std::vector<double> w = numbers(n, 12);
  const std::vector<double> v = numbers(m * n, 13);
  const auto identityPlus = [](const std::vector<double>& x) {
    const size_t size = x.size();
    std::vector<double> a(size * size);
    for (size_t i = 0; i < size; ++i) {
      for (size_t j = 0; j < size; ++j) a[i * size + j] = x[i] * x[j] + (i == j ? 1 : 0);
    }
    return a;
  };
  std::vector<double> half = v;
  for (size_t j = 0; j < w.size(); ++j) {
    double sum = 0;
    for (size_t i = 0; i < u.size(); ++i) sum += u[i] * v[i * w.size() + j];
    for (size_t i = 0; i < u.size(); ++i) half[i * w.size() + j] += u[i] * sum;
  }
  std::vector<double> expected = half;
  double expectedDot = 0;
  for (size_t i = 0; i < u.size(); ++i) {
    double sum = 0;
    for (size_t j = 0; j < w.size(); ++j) sum += half[i * w.size() + j] * w[j];
    for (size_t j = 0; j < w.size(); ++j) {
      expected[i * w.size() + j] += sum * w[j];
      expectedDot += expected[i * w.size() + j] * v[i * w.size() + j];
    }
  }
  const std::vector<double> right = identityPlus(w);
  for (const MatrixForm leftForm : {MatrixForm::full, MatrixForm::lower}) {
    const std::vector<double> left =
        leftForm == MatrixForm::full ? identityPlus(u) : lowerOf<double>(identityPlus(u), m);
    for (const bool apart : {false, true}) {
      std::vector<double> out(v.size() - (apart ? w.size() : 0));
      std::vector<double> last(w.size());
      const double* lastInput = apart ? v.data() + (m - 1) * n : nullptr;
      const Report report =
          runOne<double>(KroneckerJob<double>{left.data(), m, leftForm, right.data(), n, MatrixForm::full, v.data(),
                                              lastInput, out.data(), apart ? last.data() : nullptr});
      CHECK(report.status == Status::ok);
      if (apart) out.insert(out.end(), last.begin(), last.end());
      // Elements of up to 1e4 are sums over 910 terms.
      double error = 0;
      for (size_t i = 0; i < out.size(); ++i) error = std::max(error, std::fabs(out[i] - expected[i]));
      CHECK_THAT(error < 1e-9, std::to_string(error));
      CHECK_THAT(std::fabs(report.dot - expectedDot) < 1e-12 * std::fabs(expectedDot), std::to_string(report.dot));
    }
  }
}

TEST("the dot of a float32 product is summed in float64") {
  // Ten thousand times 1 after 1e8: in float32 each 1 would be lost.
  const int64_t n = 10001;
  std::vector<float> one{1};
  std::vector<float> v(static_cast<size_t>(n), 1.0f);
  v[0] = 1e4f;
  std::vector<float> right(static_cast<size_t>(n), 1.0f);
  std::vector<float> out(v.size());
  const Report report = runOne<float>(KroneckerJob<float>{
      one.data(), 1, MatrixForm::full, right.data(), n, MatrixForm::diagonal, v.data(), nullptr, out.data(), nullptr});
  CHECK(report.dot == 1e8 + 1e4);
}

TEST("scale multiplies by the diagonal and returns the inner product, at every length") {
  for (int64_t n = 0; n < 70; ++n) {
    const std::vector<double> d = numbers(n, 4);
    const std::vector<double> x = numbers(n, 5);
    std::vector<double> out(x.size());
    const Report report = runOne<double>(ScaleJob<double>{d.data(), x.data(), out.data(), n});
    double dot = 0;
    for (size_t i = 0; i < x.size(); ++i) {
      CHECK(out[i] == d[i] * x[i]);
      dot += x[i] * x[i] * d[i];
    }
    CHECK(std::fabs(report.dot - dot) < 1e-12);
  }
}

TEST("a product is left right, of every size and stack, transposed or not, on both sides of its parts") {
  struct Size {
    int64_t rows, inner, columns, count;
  };
  // 1e7 operations and 64 rows or columns for each part, in the last four. Before them, tiles of few rows: of every height, with panels
  // of columns that end within a register, and more to add up than is packed at a time.
  for (const Size s :
       {Size{1, 1, 1, 1}, Size{3, 4, 5, 1}, Size{5, 7, 1, 1}, Size{1, 7, 5, 1}, Size{4, 0, 3, 2}, Size{7, 9, 8, 20},
        Size{2, 193, 47, 1}, Size{6, 200, 48, 1}, Size{8, 384, 49, 1}, Size{9, 385, 97, 1}, Size{13, 30, 25, 1}, Size{50, 50, 23, 2},
        Size{127, 300, 130, 1}, Size{400, 150, 170, 1}, Size{170, 150, 403, 1}, Size{60, 60, 60, 47}}) {
    const std::vector<double> left = numbers(s.count * s.rows * s.inner, 14);
    const std::vector<double> right = numbers(s.count * s.inner * s.columns, 15);
    const std::vector<double> before = numbers(s.count * s.rows * s.columns, 16);
    for (const bool transposeLeft : {false, true}) {
      for (const bool transposeRight : {false, true}) {
        // With nothing to keep, a NaN in `out` must not be read.
        const double keep = transposeLeft ? 0 : 0.25;
        std::vector<double> out = transposeLeft ? std::vector<double>(before.size(), std::nan("")) : before;
        const ProductJob<double> job{left.data(),    right.data(), s.rows, s.inner,    s.columns, transposeLeft,
                                     transposeRight, -2,           keep,   out.data(), s.count};
        CHECK(runOne<double>(job, 3).status == Status::ok);
        double error = 0;
        for (int64_t at = 0; at < s.count * s.rows * s.columns; ++at) {
          const int64_t k = at / (s.rows * s.columns);
          const int64_t i = at / s.columns % s.rows;
          const int64_t j = at % s.columns;
          double sum = transposeLeft ? 0 : keep * before[static_cast<size_t>(at)];
          for (int64_t l = 0; l < s.inner; ++l) {
            const int64_t a = k * s.rows * s.inner + (transposeLeft ? l * s.rows + i : i * s.inner + l);
            const int64_t b = k * s.inner * s.columns + (transposeRight ? j * s.inner + l : l * s.columns + j);
            sum -= 2 * left[static_cast<size_t>(a)] * right[static_cast<size_t>(b)];
          }
          const double difference = std::fabs(out[static_cast<size_t>(at)] - sum);
          error = std::isnan(difference) ? difference : std::max(error, difference);
        }
        // Sums of at most 300 terms of size one.
        CHECK_THAT(error < 1e-12, std::to_string(error));
      }
    }
  }
}

TEST("the last row of a product may lie apart, and every element is the one that it is together with the others") {
  struct Size {
    int64_t rows, inner, columns;
  };
  for (const Size s : {Size{1, 3, 2}, Size{5, 0, 3}, Size{9, 4, 7}, Size{300, 20, 10}, Size{401, 150, 170}}) {
    const std::vector<double> left = numbers(s.rows * s.inner, 22);
    const std::vector<double> right = numbers(s.inner * s.columns, 23);
    const std::vector<double> before = numbers(s.rows * s.columns, 24);
    for (const bool transposeLeft : {false, true}) {
      std::vector<double> together = before;
      std::vector<double> apart = before;
      ProductJob<double> job{left.data(), right.data(), s.rows, s.inner, s.columns, transposeLeft, false, 3, 0.5, together.data()};
      CHECK(runOne<double>(job, 3).status == Status::ok);
      job.out = apart.data();
      job.outLast = apart.data() + (s.rows - 1) * s.columns;
      CHECK(runOne<double>(job, 3).status == Status::ok);
      double error = 0;
      for (size_t i = 0; i < apart.size(); ++i) error = std::max(error, std::fabs(apart[i] - together[i]));
      // The same sums of at most 150 terms of size three, which a single row may add up in another order.
      CHECK_THAT(error < 1e-12, std::to_string(error));
    }
  }
}

TEST("products of nothing are nothing, however many") {
  const int64_t many = INT32_MAX;
  for (const int64_t columns : {int64_t{0}, many}) {
    const ProductJob<float> job{nullptr, nullptr, 0, 0, columns, false, false, 1, 0, nullptr, many};
    CHECK(runOne<float>(job).status == Status::ok);
  }
}

TEST("elementwise multiplies and divides by the shifted operand, in either's place, at every length") {
  for (int64_t n = 0; n < 70; ++n) {
    const std::vector<double> x = numbers(n, 17);
    std::vector<double> y = numbers(n, 18);
    for (double& value : y) value = std::fabs(value);
    for (const Elementwise how : {Elementwise::multiply, Elementwise::divide}) {
      for (const int place : {0, 1, 2}) {
        std::vector<double> left = x;
        std::vector<double> right = y;
        std::vector<double> apart(x.size());
        std::vector<double>& out = place == 0 ? apart : place == 1 ? left : right;
        const Report report =
            runOne<double>(ElementwiseJob<double>{how, left.data(), right.data(), 0.5, out.data(), n});
        double dot = 0;
        for (size_t i = 0; i < x.size(); ++i) {
          const double expected = how == Elementwise::multiply ? x[i] * (y[i] + 0.5) : x[i] / (y[i] + 0.5);
          CHECK(out[i] == expected);
          dot += x[i] * expected;
        }
        CHECK(std::fabs(report.dot - dot) < 1e-12);
      }
    }
    double dot = 0;
    for (size_t i = 0; i < x.size(); ++i) dot += x[i] * y[i];
    CHECK(std::fabs(runOne<double>(DotJob<double>{x.data(), y.data(), n}).dot - dot) < 1e-12);
  }
}

TEST("update moves velocity and weights in one pass, at every length") {
  for (int64_t n = 0; n < 70; ++n) {
    const std::vector<double> direction = numbers(n, 6);
    const std::vector<double> weights = numbers(n, 7);
    const std::vector<double> velocity = numbers(n, 8);
    std::vector<double> w = weights;
    std::vector<double> v = velocity;
    runOne<double>(UpdateJob<double>{w.data(), direction.data(), v.data(), n, 0.9, -0.1, 0.99});
    std::vector<double> plain = weights;
    runOne<double>(UpdateJob<double>{plain.data(), direction.data(), nullptr, n, 0.9, -0.1, 0.99});
    for (size_t i = 0; i < w.size(); ++i) {
      const double moved = 0.9 * velocity[i] - 0.1 * direction[i];
      CHECK(std::fabs(v[i] - moved) < 1e-15);
      CHECK(std::fabs(w[i] - (0.99 * weights[i] + moved)) < 2e-15);
      CHECK(std::fabs(plain[i] - (0.99 * weights[i] - 0.1 * direction[i])) < 2e-15);
    }
  }
}

TEST("combine sums its terms, also into one of them, at every length") {
  for (int64_t n = 0; n < 150; ++n) {
    std::vector<double> x = numbers(n, 9);
    const std::vector<double> y = numbers(n, 10);
    const std::vector<double> before = x;
    runOne<double>(CombineJob<double>{{{y.data(), 2}, {x.data(), -0.5}}, x.data(), n});
    for (size_t i = 0; i < x.size(); ++i) CHECK(std::fabs(x[i] - (2 * y[i] - 0.5 * before[i])) < 2e-15);
  }
  std::vector<double> nothing{5};
  runOne<double>(CombineJob<double>{{}, nothing.data(), 1});
  CHECK(nothing[0] == 0);
}

TEST("the first element that is not finite is found at every place of every length") {
  for (const int64_t n : {1, 7, 16, 33, 1024, 1500, 5000}) {
    std::vector<float> x(static_cast<size_t>(n), 3e38f);
    CHECK(cpuBackend().f32.firstNonFinite(x.data(), n) == -1);
    for (int64_t at = 0; at<n; at += n> 100 ? 97 : 1) {
      for (const float poison : {std::nanf(""), HUGE_VALF, -HUGE_VALF}) {
        x[static_cast<size_t>(at)] = poison;
        x.back() = poison;
        CHECK(cpuBackend().f32.firstNonFinite(x.data(), n) == at);
        x[static_cast<size_t>(at)] = x.back() = -1e-42f;
      }
    }
  }
  CHECK(cpuBackend().f64.firstNonFinite(nullptr, 0) == -1);
}

int main() { return runTests(); }
