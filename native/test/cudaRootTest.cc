// Inverse roots and eigendecompositions through the CUDA plugin, judged by LAPACK in float64.
#include <string>

#include "check.h"
#include "cudaDevice.h"
#include "gallery.h"

using namespace natgrad;
using namespace natgrad::test;

namespace {

template <class T>
struct Rooted {
  std::vector<T> matrix;
  std::vector<T> out;
  Report report;
};

struct Question {
  RootMethod method = RootMethod::automatic;
  int32_t p = 2;
  double tolerance = 0;
  int64_t maxIterations = 0;
};

double dampingOf(const Matrix& a, int64_t n, double relative) {
  double trace = 0;
  for (int64_t i = 0; i < n; ++i) trace += a[static_cast<size_t>(i * n + i)];
  return relative * trace / static_cast<double>(n);
}

template <class T>
Job rootJob(Rooted<T>& r, int64_t n, double damping, const Question& q) {
  return TypedJob<T>(InverseRootJob<T>{r.matrix.data(), n, damp<T>(damping), q.p, q.method, q.tolerance,
                                       q.maxIterations, r.out.data()});
}

template <class T>
Rooted<T> unsolved(const Matrix& a, int64_t n) {
  return {lowerOf<T>(a, n), std::vector<T>(static_cast<size_t>(n * n), T(7)), Report()};
}

struct RootError {
  double relative;  // |X - A^(-1/p)|_F / |A^(-1/p)|_F
  double cond;
};

template <class T>
RootError rootError(const Rooted<T>& r, int64_t n, int32_t p) {
  std::vector<double> vectors = widen<double>(r.matrix, n, r.report.damping), values(static_cast<size_t>(n)),
                      exact(vectors.size());
  cpuBackend().f64.syevd(n, vectors.data(), n, values.data());
  std::vector<double> weighted = vectors, difference;
  for (int64_t j = 0; j < n; ++j) {
    for (int64_t i = 0; i < n; ++i)
      weighted[static_cast<size_t>(j * n + i)] *= std::pow(values[static_cast<size_t>(j)], -1.0 / p);
  }
  cpuBackend().f64.gemm(true, false, n, n, n, 1.0, vectors.data(), n, weighted.data(), n, 0.0, exact.data(), n);
  for (size_t i = 0; i < exact.size(); ++i) difference.push_back(static_cast<double>(r.out[i]) - exact[i]);
  return {frobeniusNorm(difference) / frobeniusNorm(exact), values.back() / values.front()};
}

// `unit` is the roundoff that the error is measured in.
template <class T>
void checkGallery(Precision precision, const Question& question, double threshold, double unit,
                  const std::vector<int64_t>& sizes, double damping = 1e-3) {
  const OpenDevice device(precision);
  double worst = 0;
  for (const Family& family : gallery()) {
    std::vector<Rooted<T>> results;
    Phases phases(1);
    for (const int64_t n : sizes) results.push_back(unsolved<T>(family.make(n, roundoff<T>), n));
    for (size_t i = 0; i < sizes.size(); ++i) {
      phases[0].push_back(
          rootJob(results[i], sizes[i], dampingOf(family.make(sizes[i], roundoff<T>), sizes[i], damping), question));
    }
    const Reports reports = device->run(cpuBackend(), phases, 1);
    for (size_t i = 0; i < sizes.size(); ++i) {
      const int64_t n = sizes[i];
      results[i].report = reports[0][i];
      const std::string where = family.name + ", n = " + std::to_string(n);
      CHECK_THAT(reports[0][i].status == Status::ok, where);
      CHECK_THAT(reports[0][i].retries <= (sizeof(T) == 4 ? 1 : 0), where);
      CHECK_THAT(isSymmetric(results[i].out, n), where);
      const RootError error = rootError(results[i], n, question.p);
      const double ratio = std::max(0.0, error.relative - question.tolerance) / (unit * error.cond);
      worst = std::max(worst, ratio);
      CHECK_THAT(ratio < threshold,
                 where + ": " + std::to_string(ratio) + ", relative " + std::to_string(error.relative));
    }
  }
  std::printf("    largest error %.2f units cond\n", worst);
}

const std::vector<int64_t> sizes{1, 2, 3, 5, 8, 16, 17, 33, 64, 65, 129};
const std::vector<int64_t> fewer{1, 2, 3, 17, 33, 65};

}  // namespace

// Threshold 30, that of all roots; the largest error of the iteration measured in float32 was 3.8 eps cond.
TEST("inverse square roots of the gallery are accurate to 30 eps cond in float32") {
  checkGallery<float>(Precision::fp32, {RootMethod::automatic, 2, 1e-6}, 30, roundoff<float>, sizes);
}
TEST("inverse fourth roots of the gallery are accurate to 30 eps cond in float32") {
  checkGallery<float>(Precision::fp32, {RootMethod::automatic, 4, 1e-6}, 30, roundoff<float>, fewer);
}
TEST("inverse roots of the gallery are accurate to 30 eps cond in float64") {
  checkGallery<double>(Precision::fp32, {RootMethod::automatic, 2, 1e-13}, 30, roundoff<double>, fewer);
  checkGallery<double>(Precision::fp32, {RootMethod::automatic, 4, 1e-13}, 30, roundoff<double>, {3, 17, 65});
}
TEST("classic Newton-Schulz and eigendecompositions give the same roots") {
  checkGallery<float>(Precision::fp32, {RootMethod::newtonSchulz, 2, 1e-6}, 30, roundoff<float>, {3, 33, 65});
  checkGallery<float>(Precision::fp32, {RootMethod::eigen, 2, 1e-6}, 30, roundoff<float>, {3, 33, 65});
  checkGallery<float>(Precision::fp32, {RootMethod::eigen, 4, 1e-6}, 30, roundoff<float>, {3, 33, 65});
}
TEST("roots of float32 matrices that are computed in float64 are as good as their rounding") {
  const OpenDevice device(Precision::fp64);
  for (const int64_t n : {int64_t{5}, int64_t{65}}) {
    const Matrix a = withSpectrum(geometric(n, 1e4), 3);
    Rooted<float> r = unsolved<float>(a, n);
    r.report = device->run(cpuBackend(), {{rootJob(r, n, dampingOf(a, n, 1e-3), {})}}, 1)[0][0];
    CHECK(r.report.status == Status::ok && r.report.retries == 0);
    const RootError error = rootError(r, n, 2);
    CHECK_THAT(error.relative < 2 * roundoff<float>, std::to_string(error.relative));
  }
}
// Simulated before there was a device: 2e-3 at condition 1e2, of 4.9e-4 for the rounding of TF32 alone.
TEST("in TF32 a root is within 0.3 of its units times the condition number, and beyond 100 as in float32") {
  const OpenDevice device(Precision::tf32);
  for (const double cond : {10.0, 50.0}) {
    const int64_t n = 65;
    Rooted<float> r = unsolved<float>(withSpectrum(geometric(n, cond), 3), n);
    r.report = device->run(cpuBackend(), {{rootJob(r, n, dampingOf(withSpectrum(geometric(n, cond), 3), n, 0.2), {})}},
                           1)[0][0];
    CHECK(r.report.status == Status::ok && r.report.retries == 0);
    const RootError error = rootError(r, n, 2);
    CHECK_THAT(error.relative < 0.3 * 0x1p-11 * error.cond && error.relative > 1e-6, std::to_string(error.relative));
  }
  checkGallery<float>(Precision::tf32, {RootMethod::automatic, 2, 1e-6}, 30, roundoff<float>, {3, 33, 65}, 1e-4);
}

TEST("the number of steps is the one that the interval predicts, on the CPU and here") {
  const OpenDevice device;
  for (const double cond : {1e1, 1e3, 1e5}) {
    const int64_t n = 40;
    const Matrix a = withSpectrum(geometric(n, cond), 8);
    Rooted<float> mine = unsolved<float>(a, n), reference = mine;
    const Question question{RootMethod::newtonSchulzMinimax, 2, 1e-12, 7};
    mine.report = device->run(cpuBackend(), {{rootJob(mine, n, 1 / cond, question)}}, 1)[0][0];
    reference.report = run(cpuBackend(), {{rootJob(reference, n, 1 / cond, question)}}, 1)[0][0];
    CHECK(mine.report.iterations == 7 && reference.report.iterations == 7);
    CHECK_THAT(mine.report.residual < 1.1 * reference.report.residual + 1e-3, std::to_string(mine.report.residual));
    CHECK(mine.report.status == reference.report.status);
  }
}

TEST("a root climbs the ladder, and a method that the device lacks is computed by the host") {
  const OpenDevice device;
  const int64_t n = 30;
  std::vector<double> values = geometric(n, 100);
  values.back() = -0.005;
  for (const RootMethod method :
       {RootMethod::automatic, RootMethod::denmanBeavers, RootMethod::contour, RootMethod::coupledNewton}) {
    for (const double damping : {1e-3, 0.02}) {
      Rooted<float> mine = unsolved<float>(withSpectrum(values, 2), n), reference = mine;
      mine.report = device->run(cpuBackend(), {{rootJob(mine, n, damping, {method})}}, 1)[0][0];
      reference.report = run(cpuBackend(), {{rootJob(reference, n, damping, {method})}}, 1)[0][0];
      const std::string where = std::to_string(static_cast<int>(method)) + " " + std::to_string(damping);
      CHECK_THAT(mine.report.status == reference.report.status, where);
      CHECK_THAT(mine.report.damping == reference.report.damping, where);
      CHECK_THAT(rootError(mine, n, 2).relative < 1e-2, where);
    }
  }
}

TEST("what is not finite, zero or too small is told as on the CPU and leaves the output alone") {
  const OpenDevice device;
  const int64_t n = 9;
  const std::vector<float> untouched(static_cast<size_t>(n * n), 7.0f);
  Rooted<float> bad = unsolved<float>(withSpectrum(geometric(n, 10), 1), n);
  bad.matrix[static_cast<size_t>(n)] = std::numeric_limits<float>::infinity();
  CHECK(device->run(cpuBackend(), {{rootJob(bad, n, 0.1, {})}}, 1)[0][0].status == Status::notFinite);
  CHECK(bad.out == untouched);
  Rooted<float> zero = unsolved<float>(Matrix(static_cast<size_t>(n * n), 0.0), n);
  CHECK(device->run(cpuBackend(), {{rootJob(zero, n, 0, {})}}, 1)[0][0].status == Status::notPositiveDefinite);
  CHECK(zero.out == untouched);
  CHECK(device->run(cpuBackend(), {{rootJob(zero, n, 0.25, {})}}, 1)[0][0].status == Status::ok);
  CHECK(zero.out[0] == 2.0f && zero.out[1] == 0.0f);
}

namespace {

// |A - V W V'| / (n |A| eps) and |V'V - I| / (n eps), thresholds 20; those of the CPU are the same.
template <class T>
void checkEigh(Precision precision, const std::vector<int64_t>& ns) {
  const OpenDevice device(precision);
  for (const Family& family : gallery()) {
    for (const int64_t n : ns) {
      const std::vector<T> matrix = lowerOf<T>(family.make(n, roundoff<T>), n);
      std::vector<T> values(static_cast<size_t>(n)), vectors(matrix.size());
      const Report report = device.run<T>(EighJob<T>{matrix.data(), n, values.data(), vectors.data()});
      const std::string where = family.name + ", n = " + std::to_string(n);
      CHECK_THAT(report.status == Status::ok && report.minEigenvalue <= static_cast<double>(values[0]) * (1 + 1e-6),
                 where);
      CHECK_THAT(std::is_sorted(values.begin(), values.end()), where);
      using W = Wider<T>;
      const std::vector<W> a = widen<W>(matrix, n), v(vectors.begin(), vectors.end());
      std::vector<W> transposed(v.size()), weighted(v.size());
      for (int64_t i = 0; i < n; ++i) {
        for (int64_t j = 0; j < n; ++j) {
          transposed[static_cast<size_t>(j * n + i)] = v[static_cast<size_t>(i * n + j)];
          weighted[static_cast<size_t>(i * n + j)] =
              v[static_cast<size_t>(i * n + j)] * static_cast<W>(values[static_cast<size_t>(j)]);
        }
      }
      std::vector<W> difference = product(weighted, transposed, n), gram = product(transposed, v, n);
      for (size_t i = 0; i < a.size(); ++i) difference[i] -= a[i];
      subtractIdentity(gram, n);
      const W unit = static_cast<W>(n) * static_cast<W>(roundoff<T>);
      CHECK_THAT(oneNorm(difference, n) / (unit * oneNorm(a, n)) < 20, where);
      CHECK_THAT(oneNorm(gram, n) / unit < 20, where);
    }
  }
}

}  // namespace

TEST("eigendecompositions of the gallery are accurate to twenty times LAPACK's unit") {
  checkEigh<float>(Precision::fp32, {1, 2, 3, 17, 33, 64, 65});
  checkEigh<double>(Precision::fp32, {1, 3, 33});
  checkEigh<float>(Precision::fp64, {3, 33});
}

TEST("an eigendecomposition of what is not finite is refused") {
  const OpenDevice device;
  std::vector<float> matrix = lowerOf<float>(withSpectrum(geometric(5, 10), 1), 5), values(5, 7.0f), vectors(25, 7.0f);
  matrix[20] = std::numeric_limits<float>::quiet_NaN();
  const Report report = device.run<float>(EighJob<float>{matrix.data(), 5, values.data(), vectors.data()});
  CHECK(report.status == Status::notFinite && !report.converged);
  CHECK(values == std::vector<float>(5, 7.0f) && vectors == std::vector<float>(25, 7.0f));
}

int main() { return runTests(); }
