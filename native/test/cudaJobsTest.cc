// Every kind of job through the CUDA plugin, with its arrays kept on the device, staged or mixed, against the same job on the CPU.
#include <cmath>
#include <functional>
#include <random>
#include <string>

#include "check.h"
#include "cudaDevice.h"
#include "gallery.h"

using namespace natgrad;
using namespace natgrad::test;

namespace {

template <class T>
using Arrays = std::vector<std::vector<T>>;

template <class T>
struct Case {
  std::string name;
  Arrays<T> arrays;
  std::function<TypedJob<T>(Arrays<T>&)> job;
};

template <class T>
std::vector<T> numbers(int64_t size, unsigned seed) {
  std::mt19937 random(seed);
  std::normal_distribution<double> normal;
  std::vector<T> values;
  for (int64_t i = 0; i < size; ++i) values.push_back(static_cast<T>(normal(random)));
  return values;
}

template <class T>
std::vector<T> definite(int64_t n, unsigned seed) {
  return lowerOf<T>(withSpectrum(geometric(n, 50), seed), n);
}

template <class T>
std::vector<T> symmetric(int64_t n, unsigned seed) {
  return widen<T>(definite<T>(n, seed), n);
}

const std::vector<int32_t>& indices() {
  static const std::vector<int32_t> all{0, 2, 2, 4, 1};
  return all;
}

// 2 images of 5 by 6 by 3, kernels of 3 by 2, strides, dilation and padding all at work; and kernels of one pixel.
const ConvGeometry wide{2, 5, 6, 3, 3, 2, 2, 1, 1, 2, 1, 1, 3, 6};
const ConvGeometry pixel{2, 5, 6, 3, 1, 1, 1, 1, 1, 1, 0, 0, 5, 6};

template <class T>
Rows<T> dense(const T* data, int64_t rows, int64_t columns) {
  return {data, rows, columns, false, ConvGeometry()};
}
template <class T>
Rows<T> patches(const T* data, const ConvGeometry& g) {
  return {data, 0, 0, true, g};
}

template <class T>
void addFactors(std::vector<Case<T>>& cases) {
  for (const bool homogeneous : {false, true}) {
    for (const double decay : {0.0, 0.9}) {
      const std::string which = std::string(homogeneous ? ", homogeneous" : "") + (decay == 0 ? ", anew" : "");
      const int64_t extra = homogeneous ? 1 : 0;
      cases.push_back({"factor of two inputs" + which,
                       {numbers<T>(700 * 40, 1), numbers<T>(3 * 40, 2), definite<T>(40 + extra, 3)},
                       [=](Arrays<T>& a) -> TypedJob<T> {
                         return FactorJob<T>{{{dense(a[0].data(), 700, 40), 0.01}, {dense(a[1].data(), 3, 40), 0.5}},
                                             homogeneous, decay, a[2].data(), 40 + extra};
                       }});
      for (const ConvGeometry& g : {wide, pixel}) {
        const int64_t size = g.patchSize() + extra;
        cases.push_back({"factor of patches" + which,
                         {numbers<T>(2 * 5 * 6 * 3, 4), definite<T>(size, 5)},
                         [=](Arrays<T>& a) -> TypedJob<T> {
                           return FactorJob<T>{{{patches(a[0].data(), g), 0.1}}, homogeneous, decay, a[1].data(), size};
                         }});
      }
      cases.push_back({"factor of no rows" + which,
                       {numbers<T>(4, 1), definite<T>(3, 3)},
                       [=](Arrays<T>& a) -> TypedJob<T> {
                         return FactorJob<T>{{{dense(a[0].data(), 0, 3 - extra), 1.0}}, homogeneous, decay, a[1].data(), 3};
                       }});
    }
  }
  cases.push_back({"diagonal factor",
                   {numbers<T>(600 * 33, 1), numbers<T>(33, 2), numbers<T>(33, 3)},
                   [](Arrays<T>& a) -> TypedJob<T> {
                     return DiagonalFactorJob<T>{{{a[0].data(), nullptr, 600, 0.1}, {a[1].data(), nullptr, 1, 2.0}}, 0.5, a[2].data(), 33};
                   }});
  cases.push_back({"diagonal factor of indices", {numbers<T>(5, 3)}, [](Arrays<T>& a) -> TypedJob<T> {
                     return DiagonalFactorJob<T>{{{nullptr, indices().data(), 5, 2.0}}, 0.5, a[0].data(), 5};
                   }});
}

template <class T>
void addKronecker(std::vector<Case<T>>& cases) {
  const std::vector<MatrixForm> forms{MatrixForm::full, MatrixForm::lower, MatrixForm::diagonal};
  const auto factor = [](MatrixForm form, int64_t n, unsigned seed) {
    if (form == MatrixForm::diagonal) return numbers<T>(n, seed);
    return form == MatrixForm::full ? numbers<T>(n * n, seed) : definite<T>(n, seed);
  };
  for (const MatrixForm left : forms) {
    for (const MatrixForm right : forms) {
      for (const bool apart : {false, true}) {
        for (const bool transposed : {false, true}) {
          if (transposed && left != MatrixForm::full && right != MatrixForm::full) continue;
          const int64_t rows = apart ? 10 : 11;
          cases.push_back({"kronecker " + std::to_string(static_cast<int>(left)) + std::to_string(static_cast<int>(right)) +
                               (apart ? ", last row apart" : "") + (transposed ? ", transposed" : ""),
                           {factor(left, 11, 1), factor(right, 7, 2), numbers<T>(rows * 7, 3), numbers<T>(7, 4),
                            numbers<T>(rows * 7, 5), numbers<T>(7, 6)},
                           [=](Arrays<T>& a) -> TypedJob<T> {
                             KroneckerJob<T> job{a[0].data(), 11,          left,        a[1].data(),  7,      right,
                                                 a[2].data(), a[3].data(), a[4].data(), a[5].data()};
                             if (!apart) {
                               job.inputLast = nullptr;
                               job.outLast = nullptr;
                             }
                             job.leftTransposed = transposed && left == MatrixForm::full;
                             job.rightTransposed = transposed && right == MatrixForm::full;
                             return job;
                           }});
        }
      }
    }
  }
}

template <class T>
void addProducts(std::vector<Case<T>>& cases) {
  for (const bool transposeLeft : {false, true}) {
    for (const bool transposeRight : {false, true}) {
      for (const int64_t count : {1, 3}) {
        for (const double kept : {0.0, 0.5}) {
          cases.push_back({"product", {numbers<T>(count * 35, 1), numbers<T>(count * 42, 2), numbers<T>(count * 30, 3)},
                           [=](Arrays<T>& a) -> TypedJob<T> {
                             return ProductJob<T>{a[0].data(), a[1].data(), 5, 7, 6, transposeLeft, transposeRight,
                                                  0.7, kept, a[2].data(), count};
                           }});
        }
      }
    }
  }
  for (const double kept : {0.0, 0.5}) {
    cases.push_back({"product of nothing", {numbers<T>(1, 1), numbers<T>(6, 3)}, [=](Arrays<T>& a) -> TypedJob<T> {
                       return ProductJob<T>{a[0].data(), a[0].data(), 2, 0, 3, false, false, 1, kept, a[1].data()};
                     }});
  }
}

template <class T>
void addPasses(std::vector<Case<T>>& cases) {
  const Arrays<T> three{numbers<T>(1000, 1), numbers<T>(1000, 2), numbers<T>(1000, 3)};
  cases.push_back({"scale", three, [](Arrays<T>& a) -> TypedJob<T> {
                     return ScaleJob<T>{a[0].data(), a[1].data(), a[2].data(), 1000};
                   }});
  cases.push_back({"update", three, [](Arrays<T>& a) -> TypedJob<T> {
                     return UpdateJob<T>{a[0].data(), a[1].data(), a[2].data(), 1000, 0.9, -0.1, 0.99};
                   }});
  cases.push_back({"update without velocity", three, [](Arrays<T>& a) -> TypedJob<T> {
                     return UpdateJob<T>{a[0].data(), a[1].data(), nullptr, 1000, 0.9, -0.1, 0.99};
                   }});
  cases.push_back({"combine in place", three, [](Arrays<T>& a) -> TypedJob<T> {
                     return CombineJob<T>{{{a[0].data(), 2}, {a[1].data(), -0.5}, {a[2].data(), 0.25}}, a[2].data(), 1000};
                   }});
  for (const Elementwise how : {Elementwise::multiply, Elementwise::divide}) {
    for (const int out : {0, 1, 2}) {
      cases.push_back({"elementwise", three, [=](Arrays<T>& a) -> TypedJob<T> {
                         return ElementwiseJob<T>{how, a[0].data(), a[1].data(), 5, a[static_cast<size_t>(out)].data(), 1000};
                       }});
    }
  }
  cases.push_back({"dot", three, [](Arrays<T>& a) -> TypedJob<T> { return DotJob<T>{a[0].data(), a[1].data(), 1000}; }});
  std::vector<T> positive = numbers<T>(500, 4);
  for (T& x : positive) x = x * x;
  const std::vector<T> partner = definite<T>(6, 2);
  for (const double damping : {0.1, -1.0}) {
    cases.push_back({"diagonal inverse", {positive, numbers<T>(500, 5), partner}, [=](Arrays<T>& a) -> TypedJob<T> {
                       return DiagonalInverseJob<T>{a[0].data(), 500, {damping, nullptr, 0, false}, a[1].data()};
                     }});
  }
  cases.push_back({"diagonal inverse with a partner", {positive, numbers<T>(500, 5), partner}, [](Arrays<T>& a) -> TypedJob<T> {
                     return DiagonalInverseJob<T>{a[0].data(), 500, {0.1, a[2].data(), 6, false}, a[1].data()};
                   }});
}

template <class T>
void addOthers(std::vector<Case<T>>& cases) {
  cases.push_back({"inverse", {definite<T>(20, 1), numbers<T>(400, 2), definite<T>(7, 3)}, [](Arrays<T>& a) -> TypedJob<T> {
                     return InverseJob<T>{a[0].data(), 20, {0.1, a[2].data(), 7, false}, a[1].data()};
                   }});
  cases.push_back({"inverse root", {definite<T>(20, 1), numbers<T>(400, 2)}, [](Arrays<T>& a) -> TypedJob<T> {
                     return InverseRootJob<T>{a[0].data(), 20, damp<T>(0.1), 4, RootMethod::automatic, sizeof(T) == 4 ? 1e-6 : 1e-13, 0,
                                              a[1].data()};
                   }});
  cases.push_back({"eigh of a diagonal matrix",
                   {lowerOf<T>(diagonalMatrix({3, 1, 2}), 3), numbers<T>(3, 1), numbers<T>(9, 2)},
                   [](Arrays<T>& a) -> TypedJob<T> { return EighJob<T>{a[0].data(), 3, a[1].data(), a[2].data()}; }});
  cases.push_back({"scores", {numbers<T>(12 * 5, 1), numbers<T>(12 * 4, 2), numbers<T>(3 * 24, 3)}, [](Arrays<T>& a) -> TypedJob<T> {
                     return ScoresJob<T>{dense(a[0].data(), 12, 5), a[1].data(), 4, 3, true, 0.5, 0.25, a[2].data()};
                   }});
  cases.push_back({"unit factors", {numbers<T>(12 * 5, 1), numbers<T>(12 * 2, 2), symmetric<T>(5, 3), symmetric<T>(5, 3)},
                   [](Arrays<T>& a) -> TypedJob<T> {
                     a[2].resize(50, T(1));
                     return UnitFactorsJob<T>{{{dense(a[0].data(), 12, 5), 0.5, a[1].data()}}, false, 0.9, a[2].data(), 5, 2};
                   }});
  cases.push_back({"rational factor", {numbers<T>(24, 1), numbers<T>(24, 2), numbers<T>(4, 3), numbers<T>(4, 4), numbers<T>(32, 5)},
                   [](Arrays<T>& a) -> TypedJob<T> {
                     const RationalLayout layout{RationalVersion::a, 6, 2, 2, 2, 2};
                     return RationalFactorJob<T>{
                         layout, {{a[0].data(), a[1].data(), 6, a[2].data(), a[3].data(), nullptr}}, 3, 0.5, 0.1, a[4].data()};
                   }});
}

template <class T>
std::vector<Case<T>> cases() {
  std::vector<Case<T>> all;
  addFactors(all);
  addKronecker(all);
  addProducts(all);
  addPasses(all);
  addOthers(all);
  return all;
}

template <class T>
bool close(const std::vector<T>& a, const std::vector<T>& b, double tolerance) {
  double largest = 0;
  for (const T x : b) {
    if (!std::isnan(x)) largest = std::max(largest, std::fabs(static_cast<double>(x)));
  }
  for (size_t i = 0; i < a.size(); ++i) {
    if (std::isnan(a[i]) && std::isnan(b[i])) continue;  // the triangle that nobody touches
    if (!(std::fabs(static_cast<double>(a[i]) - static_cast<double>(b[i])) <= tolerance * largest)) return false;
  }
  return true;
}

// Which arrays are kept: none, all, or those whose bit is set.
template <class T>
void checkCase(const OpenDevice& device, const Case<T>& which, unsigned kept, double tolerance) {
  Arrays<T> expected = which.arrays, mine = which.arrays;
  const Report reference = run(cpuBackend(), {{Job(which.job(expected))}}, 1)[0][0];
  const TypedJob<T> job = which.job(mine);
  const auto isKept = [&](size_t i) { return (kept >> i & 1) != 0; };
  for (size_t i = 0; i < mine.size(); ++i) {
    if (!isKept(i)) continue;
    CHECK(keep(*device, mine[i]));
    // From here on the host memory must not matter.
    std::fill(mine[i].begin(), mine[i].end(), std::numeric_limits<T>::quiet_NaN());
  }
  const Report report = device->run(cpuBackend(), {{Job(job)}}, 1)[0][0];
  const std::string where = which.name + ", kept " + std::to_string(kept);
  for (size_t i = 0; i < mine.size(); ++i) {
    if (!isKept(i)) continue;
    CHECK(fetch(*device, mine[i]));
    device->release(mine[i].data());
  }
  for (size_t i = 0; i < mine.size(); ++i) CHECK_THAT(close(mine[i], expected[i], tolerance), where + ", array " + std::to_string(i));
  CHECK_THAT(report.status == reference.status, where);
  // A sum of some hundred products of numbers that are about one.
  CHECK_THAT(std::fabs(report.dot - reference.dot) <= tolerance * (300 + std::fabs(reference.dot)), where);
  CHECK_THAT(std::fabs(report.damping - reference.damping) <= 1e-6 * std::fabs(reference.damping), where);
}

template <class T>
void checkAll(Precision precision, double tolerance) {
  const OpenDevice device(precision);
  for (const Case<T>& which : cases<T>()) {
    for (const unsigned kept : {0u, ~0u, 0x55555555u, 0xaaaaaaaau}) checkCase(device, which, kept, tolerance);
  }
}

}  // namespace

// The CPU's own results are judged elsewhere; 2e-5 is what sums of 700 float32 products in another order may differ by.
TEST("every job gives the CPU's result in float32, whichever of its arrays are kept") { checkAll<float>(Precision::fp32, 2e-5); }
TEST("every job gives the CPU's result in float64, whichever of its arrays are kept") { checkAll<double>(Precision::tf32, 1e-12); }
// Twice the roundoff of TF32, and what it does to the small differences in a sum.
TEST("in TF32 products are within a few of its units") { checkAll<float>(Precision::tf32, 3e-3); }

TEST("products in TF32 are not those of float32") {
  const OpenDevice device(Precision::tf32);
  const std::vector<float> x = numbers<float>(64 * 8, 1);
  std::vector<float> factor(64, 0.0f), exact = factor;
  device.run<float>(FactorJob<float>{{{dense(x.data(), 64, 8), 1.0}}, false, 0, factor.data(), 8});
  runOne<float>(FactorJob<float>{{{dense(x.data(), 64, 8), 1.0}}, false, 0, exact.data(), 8});
  CHECK(!close(factor, exact, 1e-5) && close(factor, exact, 3e-3));
}

TEST("an input that is not finite leaves the factor as it was") {
  const OpenDevice device;
  std::vector<float> x = numbers<float>(60, 1), factor = definite<float>(7, 1), before = factor;
  x[33] = std::numeric_limits<float>::infinity();
  const Report report = device.run<float>(FactorJob<float>{{{dense(x.data(), 10, 6), 1.0}}, true, 0.9, factor.data(), 7});
  CHECK(report.status == Status::notFinite && close(factor, before, 0));
}

TEST("phases see what the phases before them have left, on the device and on the host") {
  const OpenDevice device;
  const std::vector<float> x = numbers<float>(50 * 6, 1), v = numbers<float>(6 * 6, 2);
  // A factor, its inverse, a product with it, and a pass that the host does, of which the last is added up.
  const auto steps = [&](std::vector<float>& factor, std::vector<float>& inverse, std::vector<float>& product, std::vector<float>& weights) {
    return Phases{{TypedJob<float>(FactorJob<float>{{{dense(x.data(), 50, 6), 0.02}}, false, 0.5, factor.data(), 6})},
                  {TypedJob<float>(InverseJob<float>{factor.data(), 6, damp<float>(0.1), inverse.data()})},
                  {TypedJob<float>(KroneckerJob<float>{inverse.data(), 6, MatrixForm::full, factor.data(), 6, MatrixForm::lower, v.data(),
                                                       nullptr, product.data(), nullptr})},
                  {TypedJob<float>(UpdateJob<float>{weights.data(), product.data(), nullptr, 36, 0, -0.1, 1})},
                  {TypedJob<float>(DotJob<float>{weights.data(), product.data(), 36})}};
  };
  const auto fresh = [] {
    return Arrays<float>{widen<float>(definite<float>(6, 3), 6), numbers<float>(36, 4), numbers<float>(36, 5), numbers<float>(36, 6)};
  };
  Arrays<float> expected = fresh();
  const Reports reference = run(cpuBackend(), steps(expected[0], expected[1], expected[2], expected[3]), 1);
  for (unsigned kept = 0; kept < 16; ++kept) {
    Arrays<float> mine = fresh();
    for (size_t i = 0; i < 4; ++i) {
      if ((kept >> i & 1) != 0) CHECK(keep(*device, mine[i]));
    }
    const Reports reports = device->run(cpuBackend(), steps(mine[0], mine[1], mine[2], mine[3]), 2);
    for (size_t i = 0; i < 4; ++i) {
      if ((kept >> i & 1) == 0) continue;
      CHECK(fetch(*device, mine[i]));
      device->release(mine[i].data());
    }
    for (size_t i = 0; i < 4; ++i) CHECK_THAT(close(mine[i], expected[i], 1e-5), std::to_string(kept) + " " + std::to_string(i));
    CHECK(std::fabs(reports[4][0].dot - reference[4][0].dot) < 1e-4 * std::fabs(reference[4][0].dot));
  }
}

TEST("a part of a kept array is a part of its copy; keepers are counted; what is stored is what jobs read") {
  const OpenDevice device;
  std::vector<float> x = numbers<float>(64, 1), before = x;
  CHECK(keep(*device, x) && keep(*device, x));
  device->release(x.data());
  device.run<float>(CombineJob<float>{{{x.data(), 2}}, x.data() + 32, 16});
  CHECK(x == before);
  CHECK(device->fetch(x.data() + 40, 4 * sizeof(float)));
  for (size_t i = 0; i < 64; ++i) CHECK(x[i] == (i >= 40 && i < 44 ? 2 * before[i - 32] : before[i]));
  x[0] = 9;
  CHECK(device->store(x.data(), sizeof(float)));
  CHECK(std::fabs(device.run<float>(DotJob<float>{x.data(), x.data(), 1}).dot - 81) < 1e-6);
  device->release(x.data());
  // Nobody keeps it any more: the host memory counts.
  x[0] = 3;
  CHECK(device->fetch(x.data(), 64 * sizeof(float)) && x[0] == 3);
  CHECK(device.run<float>(DotJob<float>{x.data(), x.data(), 1}).dot == 9);
}

TEST("the same jobs give the same bits every time") {
  const OpenDevice device;
  for (const Case<float>& which : cases<float>()) {
    Arrays<float> first = which.arrays, second = which.arrays;
    device->run(cpuBackend(), {{Job(which.job(first))}}, 1);
    device->run(cpuBackend(), {{Job(which.job(second))}}, 1);
    for (size_t i = 0; i < first.size(); ++i) CHECK_THAT(close(second[i], first[i], 0), which.name);
  }
}

int main() { return runTests(); }
