// Inverses from earlier ones through the CUDA plugin. The processor does the same: as many steps, and results that differ by
// rounding.
#include <limits>
#include <string>

#include "check.h"
#include "cudaDevice.h"
#include "gallery.h"
#include "inverseRatio.h"
#include "startNear.h"

using namespace natgrad;
using namespace natgrad::test;

namespace {

template <class T>
InverseJob<T> from(const std::vector<T>& start, Inverted<T>& result, int64_t n, double damping = 0) {
  InverseJob<T> job{result.matrix.data(), n, damp<T>(damping), result.out.data()};
  job.start = start.data();
  return job;
}

template <class T>
Inverted<T> unsolved(const std::vector<T>& matrix) {
  return {matrix, std::vector<T>(matrix.size(), T(7)), Report()};
}

template <class T>
void checkGallery(Precision precision, int64_t n) {
  const OpenDevice device(precision);
  double worst = 0;
  int newton = 0, all = 0;
  for (const Family& family : gallery()) {
    const std::vector<T> matrix = lowerOf<T>(family.make(n, roundoff<T>), n);
    const std::vector<T> start = startNear(matrix, n, 3);
    Inverted<T> mine = unsolved(matrix), host = unsolved(matrix);
    mine.report = device.run<T>(from(start, mine, n));
    host.report = runOne<T>(from(start, host, n));
    CHECK_THAT(mine.report.status == Status::ok, family.name);
    CHECK_THAT(isSymmetric(mine.out, n), family.name);
    const double ratio = inverseRatio(mine, n);
    worst = std::max(worst, ratio);
    CHECK_THAT(ratio < 10, family.name + ": ratio " + std::to_string(ratio));
    ++all;
    if (mine.report.iterations > 0) ++newton;
    if (precision == Precision::fp32 && host.report.iterations > 0) {
      CHECK_THAT(mine.report.iterations == host.report.iterations, family.name);
    }
  }
  std::printf("    largest ratio %.2f; %d of %d by the iteration\n", worst, newton, all);
  CHECK(4 * newton >= 3 * all);
}

}  // namespace

TEST("inverses of the gallery from earlier ones are accurate to ten times LAPACK's unit, float32 and float64") {
  checkGallery<float>(Precision::fp32, 129);
  checkGallery<double>(Precision::fp32, 65);
  checkGallery<float>(Precision::fp64, 65);
}

TEST("a start that is of no use gives the bits of no start; so does a matrix that is not definite") {
  const OpenDevice device;
  const int64_t n = 80;
  std::vector<double> spectrum = geometric(n, 1e3);
  const std::vector<float> matrix = lowerOf<float>(withSpectrum(spectrum, 1), n);
  Inverted<float> direct = unsolved(matrix);
  device.run<float>(InverseJob<float>{direct.matrix.data(), n, damp<float>(1e-3), direct.out.data()});
  std::vector<std::vector<float>> starts(4, direct.out);
  for (float& x : starts[0]) x = -x;
  for (float& x : starts[1]) x = 0;
  for (float& x : starts[2]) x *= 1e36f;
  starts[3][5 * n + 3] = starts[3][3 * n + 5] = std::numeric_limits<float>::quiet_NaN();
  for (const std::vector<float>& start : starts) {
    Inverted<float> r = unsolved(matrix);
    const Report report = device.run<float>(from(start, r, n, 1e-3));
    CHECK(report.iterations == 0 && report.status == Status::ok);
    CHECK(r.out == direct.out);
  }
  spectrum.back() = -1e-3;
  Inverted<float> indefinite = unsolved(lowerOf<float>(withSpectrum(spectrum, 1), n));
  const Report report = device.run<float>(from(direct.out, indefinite, n));
  CHECK(report.status == Status::notPositiveDefinite);
  CHECK(indefinite.out == std::vector<float>(indefinite.out.size(), 7.0f));
}

TEST("a start that stays on the device gives the same bits, beside inverses without one") {
  const int64_t n = 100;
  const std::vector<float> matrix = lowerOf<float>(withSpectrum(geometric(n, 100), 1), n);
  std::vector<float> start = startNear(matrix, n, 2);
  const OpenDevice device;
  Inverted<float> alone = unsolved(matrix), together = alone, other = alone;
  CHECK(device.run<float>(from(start, alone, n)).iterations > 0);
  keep(*device, start);
  start.assign(start.size(), 0);
  const Phases phases{
      {TypedJob<float>(from(start, together, n)),
       TypedJob<float>(InverseJob<float>{other.matrix.data(), n, damp<float>(0), other.out.data()})}};
  const Reports reports = device->run(cpuBackend(), phases, 1);
  CHECK(together.out == alone.out);
  CHECK(reports[0][1].iterations == 0);
  CHECK(inverseRatio(other, n) < 10);
}

int main() { return runTests(); }
