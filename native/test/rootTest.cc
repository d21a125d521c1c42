#include <string>

#include "check.h"
#include "core/rootIteration.h"
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

template <class T>
Rooted<T> root(const Matrix& a, int64_t n, double damping, int32_t p, RootMethod method, double tolerance = 0,
               int64_t limit = 0) {
  Rooted<T> result{lowerOf<T>(a, n), std::vector<T>(static_cast<size_t>(n * n), T(7)), Report()};
  result.report = runOne<T>(
      InverseRootJob<T>{result.matrix.data(), n, damp<T>(damping), p, method, tolerance, limit, result.out.data()});
  return result;
}

// Eigenvalues of the damped matrix as it was rounded, by LAPACK in float64.
template <class T>
std::vector<double> eigenvalues(const Rooted<T>& r, int64_t n, std::vector<double>& vectors) {
  vectors = widen<double>(r.matrix, n, r.report.damping);
  std::vector<double> values(static_cast<size_t>(n));
  if (n > 0) cpuBackend().f64.syevd(n, vectors.data(), n, values.data());
  return values;
}

struct RootError {
  double relative;  // |X - A^(-1/p)|_F / |A^(-1/p)|_F
  double cond;
};

// Float32 is judged by the float64 eigendecomposition.
RootError rootError(const Rooted<float>& r, int64_t n, int32_t p) {
  std::vector<double> vectors;
  const std::vector<double> values = eigenvalues(r, n, vectors);
  std::vector<double> weighted = vectors;
  for (int64_t j = 0; j < n; ++j) {
    for (int64_t i = 0; i < n; ++i)
      weighted[static_cast<size_t>(j * n + i)] *= std::pow(values[static_cast<size_t>(j)], -1.0 / p);
  }
  std::vector<double> exact(vectors.size());
  cpuBackend().f64.gemm(true, false, n, n, n, 1.0, vectors.data(), n, weighted.data(), n, 0.0, exact.data(), n);
  std::vector<double> difference;
  for (size_t i = 0; i < exact.size(); ++i) difference.push_back(static_cast<double>(r.out[i]) - exact[i]);
  return {frobeniusNorm(difference) / frobeniusNorm(exact), values.back() / values.front()};
}

// Float64 is judged by its residual in long double: with R = X^p A - I, the error of X is R X / p to first order.
RootError rootError(const Rooted<double>& r, int64_t n, int32_t p) {
  using W = long double;
  std::vector<double> vectors;
  const std::vector<double> values = eigenvalues(r, n, vectors);
  const std::vector<W> x(r.out.begin(), r.out.end());
  std::vector<W> e = widen<W>(r.matrix, n, r.report.damping);
  for (int32_t k = 0; k < p; ++k) e = product(x, e, n);
  subtractIdentity(e, n);
  const W norm = frobeniusNorm(product(e, x, n)) / static_cast<W>(p);
  return {static_cast<double>(norm / frobeniusNorm(x)), values.back() / values.front()};
}

template <class T>
void checkGallery(RootMethod method, int32_t p, double threshold, double tolerance, const std::vector<int64_t>& sizes) {
  double worst = 0;
  for (const Family& family : gallery()) {
    for (const int64_t n : sizes) {
      const Matrix a = family.make(n, roundoff<T>);
      // The damping that a user would choose, as a fraction of the mean eigenvalue.
      double trace = 0;
      for (int64_t i = 0; i < n; ++i) trace += a[static_cast<size_t>(i * n + i)];
      const Rooted<T> r = root<T>(a, n, 1e-3 * trace / static_cast<double>(n), p, method, tolerance);
      const std::string where = family.name + ", n = " + std::to_string(n);
      CHECK_THAT(r.report.status == Status::ok, where);
      // Float64 may have been needed; more damping not.
      CHECK_THAT(r.report.retries <= (sizeof(T) == 4 ? 1 : 0), where);
      CHECK_THAT(isSymmetric(r.out, n), where);
      const RootError error = rootError(r, n, p);
      const double ratio = std::max(0.0, error.relative - tolerance) / (roundoff<T> * error.cond);
      worst = std::max(worst, ratio);
      CHECK_THAT(ratio < threshold,
                 where + ": " + std::to_string(ratio) + ", relative " + std::to_string(error.relative));
    }
  }
  std::printf("    largest error %.2f eps cond\n", worst);
}

const std::vector<int64_t> sizes{1, 2, 3, 5, 8, 16, 17, 33, 64, 65, 129};
const std::vector<int64_t> fewer{1, 2, 3, 8, 17, 33, 65};

}  // namespace

// Thresholds: the largest error measured over such a gallery was 0.22 eps cond for Denman-Beavers, 3.8 for
// Newton-Schulz at condition 2 and below 0.7 elsewhere, 9.4 for a float32 eigendecomposition. To them comes where the
// iteration stops.
TEST("inverse square roots by Denman-Beavers are accurate to 5 eps cond in float32") {
  checkGallery<float>(RootMethod::denmanBeavers, 2, 5, 1e-6, sizes);
  checkGallery<float>(RootMethod::denmanBeavers, 2, 5, 1e-6, {256, 257});
}
TEST("inverse square roots by Denman-Beavers are accurate to 5 eps cond in float64") {
  checkGallery<double>(RootMethod::denmanBeavers, 2, 5, 1e-13, fewer);
}
TEST("inverse roots by the contour integral are accurate to 5 eps cond") {
  checkGallery<float>(RootMethod::contour, 2, 5, 1e-6, sizes);
  checkGallery<float>(RootMethod::contour, 2, 5, 1e-6, {256, 257});
  checkGallery<float>(RootMethod::contour, 4, 5, 1e-6, fewer);
  checkGallery<double>(RootMethod::contour, 2, 5, 1e-13, fewer);
}
TEST("inverse square roots by the automatic choice are accurate to 5 eps cond") {
  checkGallery<float>(RootMethod::automatic, 2, 5, 1e-6, sizes);
  checkGallery<double>(RootMethod::automatic, 2, 30, 1e-13, fewer);
}
TEST("a large inverse square root is as accurate as a small one") {
  const int64_t n = 576;
  const Rooted<float> r = root<float>(withSpectrum(geometric(n, 1e3), 1), n, 1e-3, 2, RootMethod::automatic, 1e-6);
  CHECK(r.report.status == Status::ok);
  const RootError error = rootError(r, n, 2);
  CHECK_THAT(error.relative < 1e-6 + 5 * roundoff<float> * error.cond, std::to_string(error.relative));
}
TEST("inverse fourth roots by the automatic choice are accurate to 5 eps cond") {
  checkGallery<float>(RootMethod::automatic, 4, 5, 1e-6, sizes);
  checkGallery<double>(RootMethod::automatic, 4, 30, 1e-13, fewer);
}
TEST("inverse roots by eigendecomposition are accurate to the rounding of the result") {
  checkGallery<float>(RootMethod::eigen, 2, 30, 0, sizes);
  checkGallery<float>(RootMethod::eigen, 4, 30, 0, sizes);
  checkGallery<double>(RootMethod::eigen, 2, 30, 0, fewer);
}
TEST("inverse roots by Newton-Schulz with minimax coefficients are accurate to 20 eps cond") {
  checkGallery<float>(RootMethod::newtonSchulzMinimax, 2, 20, 1e-6, sizes);
  checkGallery<float>(RootMethod::newtonSchulzMinimax, 4, 20, 1e-6, fewer);
  checkGallery<double>(RootMethod::newtonSchulzMinimax, 2, 20, 1e-13, fewer);
}
TEST("inverse roots by classic Newton-Schulz are accurate to 20 eps cond") {
  checkGallery<float>(RootMethod::newtonSchulz, 2, 20, 1e-6, sizes);
  checkGallery<double>(RootMethod::newtonSchulz, 2, 20, 1e-13, fewer);
}
TEST("inverse roots by coupled Newton are accurate to 20 eps cond") {
  checkGallery<float>(RootMethod::coupledNewton, 2, 20, 1e-6, fewer);
  checkGallery<float>(RootMethod::coupledNewton, 4, 20, 1e-6, fewer);
  checkGallery<double>(RootMethod::coupledNewton, 4, 20, 1e-13, fewer);
}

TEST("the first inverse root is the inverse, bit for bit") {
  const int64_t n = 70;
  const Matrix a = withSpectrum(geometric(n, 100), 1);
  const Rooted<float> r = root<float>(a, n, 1e-3, 1, RootMethod::automatic);
  std::vector<float> inverse(r.out.size());
  runOne<float>(InverseJob<float>{r.matrix.data(), n, damp<float>(1e-3), inverse.data()});
  CHECK(r.out == inverse);
}

// Interval [l, u] -> [1, (1 + (a + 1/a) / 2) / 2], a = sqrt(l / u): from u / l = 10 the widths are
// 0.37, 6.2e-3, 2.4e-6.
TEST("Denman-Beavers takes as many steps as the interval says, whatever the matrix") {
  const Operations<double>& ops = cpuBackend().f64;
  const auto steps = [&](double cond, double tolerance) {
    const int64_t n = 6;
    Matrix a = withSpectrum(geometric(n, cond), 3);
    return denmanBeavers<double>(ops, n, a.data(), {1 / cond, 1}, {tolerance, 0}).iterations;
  };
  CHECK(steps(10, 0.5) == 1);
  CHECK(steps(10, 1e-2) == 2);
  CHECK(steps(10, 1e-4) == 3);
  // From 1e2: 2.0, 7.9e-2, 3.6e-4, 8e-9. From 1e4: 24.5, 0.81, 2.2e-2, 3e-5. From 1e8: 2500, 12, 0.47, 9e-3, 5e-6.
  CHECK(steps(1e2, 1e-4) == 4);
  CHECK(steps(1e4, 1e-4) == 4);
  CHECK(steps(1e8, 1e-4) == 5);
}

TEST("Newton-Schulz cannot be led to the negative branch by an eigenvalue above 3") {
  // Without division by a bound of the norm, 3.1 converges with a residual of zero to -1 / sqrt(3.1).
  for (const RootMethod method : {RootMethod::newtonSchulz, RootMethod::newtonSchulzMinimax, RootMethod::automatic}) {
    for (const double largest : {2.9, 3.0, 3.1, 30.0, 3e6}) {
      const int64_t n = 4;
      const Rooted<double> r = root<double>(diagonalMatrix({largest, 1, 0.5, 0.7 * largest}), n, 1e-3, 2, method);
      CHECK(r.report.status == Status::ok);
      CHECK_THAT(std::fabs(r.out[0] * std::sqrt(largest + r.report.damping) - 1) < 1e-8, std::to_string(largest));
    }
  }
}

TEST("the zero matrix gives the identity times the root of the damping") {
  for (const int32_t p : {2, 4}) {
    const Rooted<double> r = root<double>(Matrix(9, 0.0), 3, 0.25, p, RootMethod::automatic);
    CHECK(r.report.status == Status::ok);
    CHECK(r.out[0] == std::pow(0.25, -1.0 / p) && r.out[4] == r.out[0] && r.out[1] == 0);
  }
}

TEST("scaling by the p-th power of a power of two scales the root exactly") {
  for (const int32_t p : {2, 4}) {
    for (const RootMethod method : {RootMethod::automatic, RootMethod::eigen, RootMethod::newtonSchulzMinimax}) {
      const int64_t n = 40;
      const Matrix a = withSpectrum(geometric(n, 100), 2);
      const Rooted<float> plain = root<float>(a, n, 1e-2, p, method);
      for (const int k : {-10, -1, 1, 10}) {
        const double s = std::ldexp(1.0, p * k);
        const Rooted<float> other = root<float>(scaled(a, s), n, 1e-2 * s, p, method);
        for (size_t i = 0; i < plain.out.size(); ++i) CHECK(other.out[i] == std::ldexp(plain.out[i], -k));
      }
    }
  }
}

TEST("a NaN is reported by every method and the output left alone") {
  for (int method = 0; method <= 5; ++method) {
    Matrix a = withSpectrum(geometric(70, 10), 4);
    a[69 * 70 + 3] = std::nan("");
    const Rooted<float> r = root<float>(a, 70, 0.1, 2, static_cast<RootMethod>(method));
    CHECK(r.report.status == Status::notFinite);
    CHECK(r.out[0] == 7.0f && r.out.back() == 7.0f);
  }
}

TEST("an indefinite matrix is reported without damping and repaired with it, by every method") {
  for (int method = 0; method <= 5; ++method) {
    for (const int64_t n : {8, 100}) {
      std::vector<double> spectrum = geometric(n, 10);
      spectrum.back() = -1e-2;
      const Matrix a = withSpectrum(spectrum, 5);
      const std::string where = "method " + std::to_string(method) + ", n = " + std::to_string(n);
      const Rooted<float> bare = root<float>(a, n, 0, 2, static_cast<RootMethod>(method));
      CHECK_THAT(bare.report.status == Status::notPositiveDefinite, where);
      CHECK(bare.out[0] == 7.0f);
      const Rooted<float> r = root<float>(a, n, 5e-3, 2, static_cast<RootMethod>(method));
      CHECK_THAT(r.report.status == Status::ok, where);
      CHECK_THAT(r.report.retries > 0, where);
      CHECK_THAT(std::fabs(r.report.damping / 5e-2 - 1) < 1e-12, where + " " + std::to_string(r.report.damping));
      CHECK_THAT(rootError(r, n, 2).relative < 1e-3, where);
    }
  }
}

TEST("an iteration stopped by its limit reports what it reached") {
  const int64_t n = 30;
  const Matrix a = withSpectrum(geometric(n, 1e4), 6);
  for (const RootMethod method : {RootMethod::denmanBeavers, RootMethod::contour, RootMethod::newtonSchulzMinimax, RootMethod::newtonSchulz,
                                  RootMethod::coupledNewton}) {
    const Rooted<double> r = root<double>(a, n, 1e-4, 2, method, 0, 2);
    CHECK(r.report.status == Status::notConverged);
    CHECK(!r.report.converged);
    CHECK(r.report.iterations == 2);
    CHECK(r.report.residual > 1e-3);
    CHECK(r.out[0] != 7.0);
  }
}

TEST("the square of the inverse square root is the inverse") {
  const int64_t n = 100;
  const Matrix a = withSpectrum(geometric(n, 1e3), 7);
  const Rooted<double> r = root<double>(a, n, 1e-2, 2, RootMethod::automatic);
  std::vector<double> inverse(r.out.size());
  runOne<double>(InverseJob<double>{r.matrix.data(), n, damp<double>(1e-2), inverse.data()});
  std::vector<double> difference = product(r.out, r.out, n);
  for (size_t i = 0; i < inverse.size(); ++i) difference[i] -= inverse[i];
  // eps cond = 1e-14, and the iteration stops at 1e-10.
  CHECK_THAT(frobeniusNorm(difference) / frobeniusNorm(inverse) < 1e-10, "");
}

TEST("the report bounds the smallest eigenvalue from below") {
  const int64_t n = 50;
  const Rooted<double> r = root<double>(withSpectrum(geometric(n, 1e3), 8), n, 1e-3, 2, RootMethod::denmanBeavers);
  CHECK(r.report.minEigenvalue <= 2e-3 * (1 + 1e-8));
  CHECK(r.report.minEigenvalue >= 2e-3 / static_cast<double>(n));
}

int main() { return runTests(); }
