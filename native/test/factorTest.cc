#include <string>

#include "check.h"
#include "core/patches.h"
#include "gallery.h"
#include "rowsOf.h"

using namespace natgrad;
using namespace natgrad::test;

namespace {

// Geometries for every stride, padding and dilation up to 2, as far as the window fits.
std::vector<ConvGeometry> geometries() {
  std::vector<ConvGeometry> all;
  for (const int64_t kernel : {1, 2, 3}) {
    for (const int64_t stride : {1, 2}) {
      for (const int64_t dilation : {1, 2}) {
        for (const int64_t pad : {0, 1, 2}) {
          for (const int64_t channels : {1, 3}) {
            ConvGeometry g{2,   5,   6, channels, kernel, kernel + 1, stride, 3 - stride, dilation, 3 - dilation,
                           pad, pad, 0, 0};
            g.outHeight = (g.inHeight + 2 * pad - ((g.kernelHeight - 1) * g.dilationHeight + 1)) / g.strideHeight + 1;
            g.outWidth = (g.inWidth + 2 * pad - ((g.kernelWidth - 1) * g.dilationWidth + 1)) / g.strideWidth + 1;
            if (g.outHeight > 0 && g.outWidth > 0) all.push_back(g);
          }
        }
      }
    }
  }
  all.push_back({2, 4, 3, 5, 1, 1, 1, 1, 1, 1, 0, 0, 4, 3});      // the pixels themselves
  all.push_back({1, 40, 40, 8, 3, 3, 1, 1, 1, 1, 1, 1, 40, 40});  // several panels
  return all;
}

// |C - reference| <= (k + 3) eps |X|'|X|, element by element: the bound of a sum of k products in any order.
template <class T>
void checkFactor(const FactorJob<T>& job, const std::vector<T>& before, const std::vector<std::vector<T>>& rows,
                 const std::string& where) {
  const int64_t d = job.homogeneous ? job.size - 1 : job.size;
  for (int64_t i = 0; i < job.size; ++i) {
    for (int64_t j = 0; j < job.size; ++j) {
      const T got = job.factor[i * job.size + j];
      const T old = before[static_cast<size_t>(i * job.size + j)];
      if (j > i) {
        CHECK_THAT(got == old, where + ": upper triangle touched");
        continue;
      }
      long double sum = static_cast<long double>(job.decay) * static_cast<long double>(old);
      long double bound = std::fabs(sum);
      int64_t terms = 1;
      for (size_t input = 0; input < rows.size(); ++input) {
        const int64_t count = static_cast<int64_t>(rows[input].size()) / std::max<int64_t>(d, 1);
        terms += count;
        for (int64_t r = 0; r < count; ++r) {
          const long double a = i < d ? static_cast<long double>(rows[input][static_cast<size_t>(r * d + i)]) : 1;
          const long double b = j < d ? static_cast<long double>(rows[input][static_cast<size_t>(r * d + j)]) : 1;
          sum += static_cast<long double>(job.inputs[input].scale) * a * b;
          bound += static_cast<long double>(std::fabs(job.inputs[input].scale)) * std::fabs(a * b);
        }
      }
      const long double error = std::fabs(static_cast<long double>(got) - sum);
      CHECK_THAT(error <= static_cast<long double>(terms + 3) * static_cast<long double>(roundoff<T>) * bound, where);
    }
  }
}

template <class T>
void checkPatches() {
  for (const ConvGeometry& g : geometries()) {
    const std::vector<T> x = normal<T>(g.batch * g.inHeight * g.inWidth * g.channels, 1);
    const int64_t columns = g.patchSize();
    const std::vector<T> rows = patchRows(x, g);
    const int64_t stride = columns + 2;
    std::vector<T> formed(static_cast<size_t>(g.patches() * stride), T(9));
    const int64_t half = g.patches() / 2;
    formPatches(x.data(), g, 0, half, formed.data(), stride);
    formPatches(x.data(), g, half, g.patches() - half, formed.data() + half * stride, stride);
    for (int64_t p = 0; p < g.patches(); ++p) {
      for (int64_t e = 0; e < stride; ++e) {
        const T expected = e < columns ? rows[static_cast<size_t>(p * columns + e)] : T(9);
        CHECK(formed[static_cast<size_t>(p * stride + e)] == expected);
      }
    }
    for (const bool homogeneous : {false, true}) {
      const int64_t size = columns + (homogeneous ? 1 : 0);
      std::vector<T> factor = normal<T>(size * size, 2);
      const std::vector<T> before = factor;
      FactorJob<T> job{{{x.data(), 0, 0, true, g, 0.25}}, homogeneous, 0.9, factor.data(), size};
      const Report report = runOne<T>(job);
      CHECK(report.status == Status::ok);
      checkFactor(job, before, {rows},
                  "kernel " + std::to_string(g.kernelHeight) + ", channels " + std::to_string(g.channels));
    }
  }
}

}  // namespace

TEST("patches and their factors agree with the definition for every stride, padding and dilation in float32") {
  checkPatches<float>();
}
TEST("patches and their factors agree with the definition for every stride, padding and dilation in float64") {
  checkPatches<double>();
}

TEST("a dense factor agrees with the sum of products, with and without the homogeneous coordinate") {
  for (const int64_t d : {1, 2, 15, 16, 17, 33, 47, 48, 49, 70, 97, 145}) {
    for (const int64_t rowCount : {1, 2, 64, 191, 192, 193, 400}) {
      for (const bool homogeneous : {false, true}) {
        const int64_t size = d + (homogeneous ? 1 : 0);
        const std::vector<float> x = normal<float>(rowCount * d, 3);
        std::vector<float> factor = normal<float>(size * size, 4);
        const std::vector<float> before = factor;
        FactorJob<float> job{{{x.data(), rowCount, d, false, {}, 0.5}}, homogeneous, 0.95, factor.data(), size};
        CHECK(runOne<float>(job).status == Status::ok);
        checkFactor(job, before, {x}, std::to_string(d) + " columns, " + std::to_string(rowCount) + " rows");
      }
    }
  }
}

TEST("a factor large enough to be done in parts agrees with the sum of products, on both sides of that size") {
  for (const int64_t d : {511, 512, 513, 800}) {
    for (const bool homogeneous : {false, true}) {
      const int64_t rowCount = 50;
      const int64_t size = d + (homogeneous ? 1 : 0);
      const std::vector<float> x = normal<float>(rowCount * d, 12);
      const std::vector<float> y = normal<float>(3 * d, 13);
      std::vector<float> factor = normal<float>(size * size, 14);
      const std::vector<float> before = factor;
      const FactorJob<float> job{{{x.data(), rowCount, d, false, {}, 0.5}, {y.data(), 3, d, false, {}, 2}},
                                 homogeneous,
                                 0.95,
                                 factor.data(),
                                 size};
      CHECK(run(cpuBackend(), {{TypedJob<float>(job)}}, 2)[0][0].status == Status::ok);
      checkFactor(job, before, {x, y}, std::to_string(d) + " columns");
    }
  }
}

TEST("a NaN leaves every part of a large factor as it was") {
  const int64_t d = 800;
  for (const int64_t at : {int64_t{0}, 50 * d - 1}) {
    std::vector<float> x = normal<float>(50 * d, 15);
    x[static_cast<size_t>(at)] = std::nanf("");
    std::vector<float> factor = normal<float>((d + 1) * (d + 1), 16);
    const std::vector<float> before = factor;
    const Phases phases{
        {TypedJob<float>(FactorJob<float>{{{x.data(), 50, d, false, {}, 1}}, true, 0.5, factor.data(), d + 1})}};
    CHECK(run(cpuBackend(), phases, 2)[0][0].status == Status::notFinite);
    CHECK(factor == before);
  }
}

TEST("several inputs with scales of their own are summed, and the decay is applied once") {
  const int64_t d = 9;
  const std::vector<double> x = normal<double>(20 * d, 5);
  const std::vector<double> y = normal<double>(7 * d, 6);
  for (const bool homogeneous : {false, true}) {
    const int64_t size = d + (homogeneous ? 1 : 0);
    std::vector<double> factor = normal<double>(size * size, 7);
    const std::vector<double> before = factor;
    FactorJob<double> job{
        {{x.data(), 20, d, false, {}, 0.5}, {y.data(), 0, d, false, {}, 9}, {y.data(), 7, d, false, {}, -0.25}},
        homogeneous,
        0.3,
        factor.data(),
        size};
    CHECK(runOne<double>(job).status == Status::ok);
    checkFactor(job, before, {x, {}, y}, "two inputs");
  }
}

TEST("without rows a factor only decays") {
  std::vector<double> factor{2, 9, 4, 6};
  const FactorJob<double> job{{}, false, 0.5, factor.data(), 2};
  CHECK(runOne<double>(job).status == Status::ok);
  CHECK((factor == std::vector<double>{1, 9, 2, 3}));
  const FactorJob<double> homogeneous{{}, true, 0.5, factor.data(), 2};
  runOne<double>(homogeneous);
  CHECK((factor == std::vector<double>{0.5, 9, 1, 1.5}));
}

TEST("with a decay of zero what was in the factor does not matter") {
  const double nan = std::nan("");
  std::vector<double> factor{nan, nan, nan, nan};
  const std::vector<double> x{3};
  runOne<double>(FactorJob<double>{{{x.data(), 1, 1, false, {}, 1}}, true, 0, factor.data(), 2});
  CHECK(factor[0] == 9 && factor[2] == 3 && factor[3] == 1 && std::isnan(factor[1]));
}

TEST("a NaN or infinity in any input leaves the factor as it was") {
  for (const float poison : {std::nanf(""), HUGE_VALF, -HUGE_VALF}) {
    for (const size_t at : {size_t{0}, size_t{777}, size_t{1599}}) {
      const std::vector<float> good = normal<float>(1600, 8);
      std::vector<float> bad = good;
      bad[at] = poison;
      std::vector<float> factor = normal<float>(17 * 17, 9);
      const std::vector<float> before = factor;
      const FactorJob<float> job{
          {{good.data(), 100, 16, false, {}, 1}, {bad.data(), 100, 16, false, {}, 1}}, true, 0.5, factor.data(), 17};
      CHECK(runOne<float>(job).status == Status::notFinite);
      CHECK(factor == before);
      ConvGeometry g{1, 10, 10, 16, 3, 3, 1, 1, 1, 1, 1, 1, 10, 10};
      std::vector<float> patchFactor(144 * 144, 1.0f);
      const std::vector<float> ones = patchFactor;
      CHECK(runOne<float>(FactorJob<float>{{{bad.data(), 0, 0, true, g, 1}}, false, 0.5, patchFactor.data(), 144})
                .status == Status::notFinite);
      CHECK(patchFactor == ones);
      std::vector<float> diagonal(16, 1.0f);
      CHECK(runOne<float>(DiagonalFactorJob<float>{{{bad.data(), nullptr, 100, 1}}, 0.5, diagonal.data(), 16}).status ==
            Status::notFinite);
      CHECK(diagonal == std::vector<float>(16, 1.0f));
    }
  }
}

TEST("a diagonal factor is the diagonal of the dense one") {
  for (const int64_t d : {1, 7, 16, 130}) {
    for (const int64_t rows : {1, 513, 1100}) {
      const std::vector<float> x = normal<float>(rows * d, 10);
      std::vector<float> diagonal = normal<float>(d, 11);
      const std::vector<float> before = diagonal;
      CHECK(runOne<float>(DiagonalFactorJob<float>{{{x.data(), nullptr, rows, 0.5}}, 0.9, diagonal.data(), d}).status ==
            Status::ok);
      for (int64_t j = 0; j < d; ++j) {
        double sum = 0.9 * static_cast<double>(before[static_cast<size_t>(j)]);
        double bound = std::fabs(sum);
        for (int64_t r = 0; r < rows; ++r) {
          const double v = static_cast<double>(x[static_cast<size_t>(r * d + j)]);
          sum += 0.5 * v * v;
          bound += 0.5 * v * v;
        }
        // Panels of 512 rows are summed in float32.
        CHECK(std::fabs(static_cast<double>(diagonal[static_cast<size_t>(j)]) - sum) <= 515 * roundoff<float> * bound);
      }
    }
  }
}

TEST("indices count as one-hot rows") {
  std::vector<float> diagonal{1, 1, 1, 1};
  const std::vector<int32_t> indices{2, 0, 2, 3, 2};
  runOne<float>(DiagonalFactorJob<float>{{{nullptr, indices.data(), 5, 0.5}}, 0.25, diagonal.data(), 4});
  CHECK((diagonal == std::vector<float>{0.75f, 0.25f, 1.75f, 0.75f}));
}

int main() { return runTests(); }
