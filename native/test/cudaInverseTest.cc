// Inverses through the CUDA plugin, judged as those of the CPU are: by LAPACK's measure, with arithmetic wider than the
// one under test.
#include <string>

#include "check.h"
#include "cudaDevice.h"
#include "gallery.h"
#include "inverseRatio.h"

using namespace natgrad;
using namespace natgrad::test;

namespace {

template <class T>
Inverted<T> unsolved(const Matrix& a, int64_t n) {
  return {lowerOf<T>(a, n), std::vector<T>(static_cast<size_t>(n * n), T(7)), Report()};
}

template <class T>
Inverted<T> invert(const OpenDevice& device, const Matrix& a, int64_t n, double damping) {
  Inverted<T> result = unsolved<T>(a, n);
  result.report = device.run<T>(InverseJob<T>{result.matrix.data(), n, damp<T>(damping), result.out.data()});
  return result;
}

template <class T>
void checkGallery(Precision precision, const std::vector<int64_t>& sizes) {
  const OpenDevice device(precision);
  double worst = 0;
  for (const Family& family : gallery()) {
    // All sizes in one phase, as the layers of a network are.
    std::vector<Inverted<T>> results;
    for (const int64_t n : sizes) results.push_back(unsolved<T>(family.make(n, roundoff<T>), n));
    Phases phases(1);
    for (size_t i = 0; i < sizes.size(); ++i) {
      phases[0].push_back(
          TypedJob<T>(InverseJob<T>{results[i].matrix.data(), sizes[i], damp<T>(0), results[i].out.data()}));
    }
    const Reports reports = device->run(cpuBackend(), phases, 1);
    for (size_t i = 0; i < sizes.size(); ++i) {
      results[i].report = reports[0][i];
      const std::string where = family.name + ", n = " + std::to_string(sizes[i]);
      CHECK_THAT(results[i].report.status == Status::ok, where);
      CHECK_THAT(isSymmetric(results[i].out, sizes[i]), where);
      const double ratio = inverseRatio(results[i], sizes[i]);
      worst = std::max(worst, ratio);
      CHECK_THAT(ratio < 10, where + ": ratio " + std::to_string(ratio));
    }
  }
  std::printf("    largest ratio %.2f\n", worst);
}

}  // namespace

// Threshold 10, as for the CPU: LAPACK allows 30.
TEST("inverses of the gallery are accurate to ten times LAPACK's unit in float32") {
  checkGallery<float>(Precision::fp32, {1, 2, 3, 5, 8, 15, 16, 17, 31, 32, 33, 63, 64, 65, 127, 128, 129});
}
TEST("inverses of the gallery are accurate to ten times LAPACK's unit in float64") {
  checkGallery<double>(Precision::fp32, {1, 2, 3, 8, 17, 33, 64, 65, 129});
}
TEST("inverses of float32 matrices are computed in float64 where that was asked for") {
  checkGallery<float>(Precision::fp64, {1, 3, 17, 64, 65, 129});
}
TEST("inverses are not computed in TF32, whichever products are") {
  checkGallery<float>(Precision::tf32, {3, 33, 64, 65, 129});
}

TEST("many matrices of a size are inverted together, and some hundreds of rows") {
  const OpenDevice device;
  std::vector<Inverted<float>> results;
  Phases phases(1);
  for (unsigned i = 0; i < 5; ++i) results.push_back(unsolved<float>(withSpectrum(geometric(257, 1e3), i), 257));
  for (Inverted<float>& r : results) {
    phases[0].push_back(TypedJob<float>(InverseJob<float>{r.matrix.data(), 257, damp<float>(0), r.out.data()}));
  }
  const Reports reports = device->run(cpuBackend(), phases, 1);
  for (size_t i = 0; i < results.size(); ++i) {
    CHECK(reports[0][i].status == Status::ok);
    CHECK_THAT(inverseRatio(results[i], 257) < 10, std::to_string(inverseRatio(results[i], 257)));
  }
}

TEST("a matrix gets the same bits alone as beside others, one of which is not finite") {
  const OpenDevice device;
  for (const int64_t n : {int64_t{17}, int64_t{64}}) {
    const Inverted<float> alone = invert<float>(device, withSpectrum(geometric(n, 1e3), 1), n, 1e-3);
    Inverted<float> first = unsolved<float>(withSpectrum(geometric(n, 1e3), 1), n), second = first, third = first;
    second.matrix[0] = std::numeric_limits<float>::quiet_NaN();
    Phases phases(1);
    for (Inverted<float>* r : {&first, &second, &third}) {
      phases[0].push_back(TypedJob<float>(InverseJob<float>{r->matrix.data(), n, damp<float>(1e-3), r->out.data()}));
    }
    const Reports reports = device->run(cpuBackend(), phases, 1);
    CHECK(first.out == alone.out);
    CHECK(third.out == alone.out);
    CHECK(reports[0][1].status == Status::notFinite);
    CHECK(second.out == std::vector<float>(static_cast<size_t>(n * n), 7.0f));
  }
}

TEST("the report says what the CPU's says: damping, its floor, a partner's share, retries") {
  const OpenDevice device;
  for (const int64_t n : {int64_t{20}, int64_t{80}}) {
    const Matrix moment = reluMoment(n, n / 4, 3);
    const Matrix other = withSpectrum(geometric(9, 10), 2);
    const std::vector<float> partner = lowerOf<float>(other, 9), diagonal{1, 2, 3, 4};
    const std::vector<Damped<float>> all{damp<float>(1e-2),
                                         damp<float>(1e-30),
                                         damp<float>(0),
                                         {1e-2, partner.data(), 9, false},
                                         {1e-2, diagonal.data(), 4, true},
                                         {1e-3, nullptr, 0, false, true}};
    for (const Damped<float>& damped : all) {
      Inverted<float> mine = unsolved<float>(moment, n), reference = mine;
      mine.report = device.run<float>(InverseJob<float>{mine.matrix.data(), n, damped, mine.out.data()});
      reference.report = runOne<float>(InverseJob<float>{reference.matrix.data(), n, damped, reference.out.data()});
      const std::string where = "n = " + std::to_string(n) + ", damping " + std::to_string(damped.damping);
      CHECK_THAT(mine.report.status == reference.report.status, where);
      CHECK_THAT(mine.report.retries == reference.report.retries, where);
      CHECK_THAT(std::fabs(mine.report.damping - reference.report.damping) <= 1e-12 * reference.report.damping, where);
      if (reference.report.status == Status::ok) {
        CHECK_THAT(inverseRatio(mine, n) < 10, where);
        const double ratio = mine.report.minEigenvalue / reference.report.minEigenvalue;
        CHECK_THAT(ratio > 0.5 && ratio < 2, where);
      }
    }
  }
}

TEST("an indefinite matrix climbs the ladder as it does on the CPU") {
  const OpenDevice device;
  for (const int64_t n : {int64_t{12}, int64_t{70}}) {
    std::vector<double> values = geometric(n, 100);
    for (const double least : {-1e-9, -0.005, -0.5}) {
      values.back() = least;
      Inverted<float> mine = unsolved<float>(withSpectrum(values, 4), n), reference = mine;
      mine.report = device.run<float>(InverseJob<float>{mine.matrix.data(), n, damp<float>(1e-3), mine.out.data()});
      reference.report =
          runOne<float>(InverseJob<float>{reference.matrix.data(), n, damp<float>(1e-3), reference.out.data()});
      const std::string where = std::to_string(n) + " " + std::to_string(least);
      CHECK_THAT(mine.report.status == reference.report.status, where);
      CHECK_THAT(mine.report.retries == reference.report.retries, where);
      CHECK_THAT(mine.report.damping == reference.report.damping, where);
      double difference = 0, norm = 0;
      for (size_t i = 0; i < mine.out.size(); ++i) {
        difference =
            std::max(difference, std::fabs(static_cast<double>(mine.out[i]) - static_cast<double>(reference.out[i])));
        norm = std::max(norm, std::fabs(static_cast<double>(reference.out[i])));
      }
      CHECK_THAT(difference <= 1e-4 * norm, where);
    }
  }
}

TEST("the zero matrix gives the identity over the damping, and without damping nothing") {
  const OpenDevice device;
  for (const int64_t n : {int64_t{1}, int64_t{16}, int64_t{65}}) {
    const Inverted<float> r = invert<float>(device, Matrix(static_cast<size_t>(n * n), 0.0), n, 0.3);
    CHECK(r.report.status == Status::ok);
    for (int64_t i = 0; i < n * n; ++i)
      CHECK(r.out[static_cast<size_t>(i)] == (i % (n + 1) == 0 ? static_cast<float>(1 / 0.3) : 0.0f));
    const Inverted<float> none = invert<float>(device, Matrix(static_cast<size_t>(n * n), 0.0), n, 0);
    CHECK(none.report.status == Status::notPositiveDefinite);
    CHECK(none.out == std::vector<float>(static_cast<size_t>(n * n), 7.0f));
  }
}

TEST("a stack reports the worst of its matrices and leaves alone the result of the one that failed") {
  const OpenDevice device;
  const int64_t n = 6;
  std::vector<float> stack, out(3 * 36, 7.0f);
  for (unsigned i = 0; i < 3; ++i) {
    const std::vector<float> one = lowerOf<float>(withSpectrum(geometric(n, 10), i), n);
    stack.insert(stack.end(), one.begin(), one.end());
  }
  stack[36] = std::numeric_limits<float>::infinity();
  const Report report = device.run<float>(InverseJob<float>{stack.data(), n, damp<float>(0.1), out.data(), 3});
  CHECK(report.status == Status::notFinite);
  CHECK(out[0] != 7.0f && out[72] != 7.0f);
  CHECK(std::vector<float>(out.begin() + 36, out.begin() + 72) == std::vector<float>(36, 7.0f));
}

TEST("an inverse that float32 cannot hold is refused") {
  const OpenDevice device;
  for (const int64_t n : {int64_t{3}, int64_t{70}}) {
    const Inverted<float> r = invert<float>(device, scaled(withSpectrum(geometric(n, 10), 3), 1e-39), n, 0);
    CHECK(r.report.status == Status::notPositiveDefinite);
    CHECK(r.out == std::vector<float>(static_cast<size_t>(n * n), 7.0f));
  }
}

int main() { return runTests(); }
