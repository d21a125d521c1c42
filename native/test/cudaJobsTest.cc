// Every kind of job through the CUDA plugin, with its arrays kept on the device, staged or mixed, against the same job
// on the CPU.
#include <cmath>
#include <string>

#include "check.h"
#include "cudaCases.h"
#include "cudaDevice.h"
#include "gallery.h"

using namespace natgrad;
using namespace natgrad::test;

namespace {

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
  for (size_t i = 0; i < mine.size(); ++i)
    CHECK_THAT(close(mine[i], expected[i], tolerance), where + ", array " + std::to_string(i));
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
TEST("every job gives the CPU's result in float32, whichever of its arrays are kept") {
  checkAll<float>(Precision::fp32, 2e-5);
}
TEST("every job gives the CPU's result in float64, whichever of its arrays are kept") {
  checkAll<double>(Precision::tf32, 1e-12);
}
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
  const Report report =
      device.run<float>(FactorJob<float>{{{dense(x.data(), 10, 6), 1.0}}, true, 0.9, factor.data(), 7});
  CHECK(report.status == Status::notFinite && close(factor, before, 0));
}

TEST("phases see what the phases before them have left, on the device and on the host") {
  const OpenDevice device;
  const std::vector<float> x = numbers<float>(50 * 6, 1), v = numbers<float>(6 * 6, 2);
  // A factor, its inverse, a product with it, and a pass that the host does, of which the last is added up.
  const auto steps = [&](std::vector<float>& factor, std::vector<float>& inverse, std::vector<float>& product,
                         std::vector<float>& weights) {
    return Phases{{TypedJob<float>(FactorJob<float>{{{dense(x.data(), 50, 6), 0.02}}, false, 0.5, factor.data(), 6})},
                  {TypedJob<float>(InverseJob<float>{factor.data(), 6, damp<float>(0.1), inverse.data()})},
                  {TypedJob<float>(KroneckerJob<float>{inverse.data(), 6, MatrixForm::full, factor.data(), 6,
                                                       MatrixForm::lower, v.data(), nullptr, product.data(), nullptr})},
                  {TypedJob<float>(UpdateJob<float>{weights.data(), product.data(), nullptr, 36, 0, -0.1, 1})},
                  {TypedJob<float>(DotJob<float>{weights.data(), product.data(), 36})}};
  };
  const auto fresh = [] {
    return Arrays<float>{widen<float>(definite<float>(6, 3), 6), numbers<float>(36, 4), numbers<float>(36, 5),
                         numbers<float>(36, 6)};
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
    for (size_t i = 0; i < 4; ++i)
      CHECK_THAT(close(mine[i], expected[i], 1e-5), std::to_string(kept) + " " + std::to_string(i));
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
