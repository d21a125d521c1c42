#include <string>

#include "check.h"
#include "gallery.h"
#include "inverseRatio.h"

using namespace natgrad;
using namespace natgrad::test;

namespace {

template <class T>
Inverted<T> invert(const Matrix& a, int64_t n, double damping) {
  return invertLower(lowerOf<T>(a, n), n, damping);
}

template <class T>
void checkGallery(const std::vector<int64_t>& sizes, double& worst) {
  for (const Family& family : gallery()) {
    for (const int64_t n : sizes) {
      const Inverted<T> r = invert<T>(family.make(n, roundoff<T>), n, 0);
      worst = std::max(worst, checkInverse(r, n, family.name + ", n = " + std::to_string(n)));
    }
  }
}

}  // namespace

// Threshold 10: LAPACK allows 30; the largest measured with OpenBLAS' own routine on these matrices is 3.2.
TEST("inverses of the gallery are accurate to ten times LAPACK's unit in float32") {
  double worst = 0;
  checkGallery<float>(gallerySizes(), worst);
  checkGallery<float>({255, 256, 257}, worst);
  std::printf("    largest ratio %.2f\n", worst);
}

TEST("inverses of the gallery are accurate to ten times LAPACK's unit in float64") {
  double worst = 0;
  checkGallery<double>({1, 2, 3, 5, 8, 15, 16, 17, 31, 32, 33, 63, 64, 65, 127, 129}, worst);
  std::printf("    largest ratio %.2f\n", worst);
}

TEST("large inverses are as accurate as small ones") {
  for (const int64_t n : {576, 1152}) {
    const Inverted<float> r = invert<float>(withSpectrum(geometric(n, 1e3), 1), n, 0);
    CHECK(r.report.status == Status::ok);
    CHECK_THAT(inverseRatio(r, n) < 10, std::to_string(n));
  }
}

TEST("an inverse of size zero is fine and touches nothing") {
  const Report report = runOne<float>(InverseJob<float>{nullptr, 0, damp<float>(1), nullptr});
  CHECK(report.status == Status::ok);
}

TEST("the zero matrix gives the identity over the damping, exactly") {
  for (const int64_t n : {1, 16, 65}) {
    const Inverted<float> r = invert<float>(Matrix(static_cast<size_t>(n * n), 0.0), n, 0.3);
    CHECK(r.report.status == Status::ok);
    for (int64_t i = 0; i < n * n; ++i) {
      CHECK(r.out[static_cast<size_t>(i)] == (i % (n + 1) == 0 ? static_cast<float>(1 / 0.3) : 0.0f));
    }
  }
}

TEST("scaling a matrix and its damping by a power of two scales the inverse exactly") {
  for (const int64_t n : {3, 16, 33, 64, 65, 130}) {
    const Matrix a = withSpectrum(geometric(n, 1e3), 2);
    const Inverted<float> plain = invert<float>(a, n, 1e-3);
    for (const int exponent : {-90, -31, -1, 1, 2, 47, 90}) {
      const double s = std::ldexp(1.0, exponent);
      // The rounded matrix is scaled, not the one that is still to be rounded.
      const Inverted<float> other = invert<float>(scaled(a, s), n, 1e-3 * s);
      for (size_t i = 0; i < plain.out.size(); ++i) {
        CHECK_THAT(other.out[i] == std::ldexp(plain.out[i], -exponent),
                   std::to_string(n) + " 2^" + std::to_string(exponent));
      }
    }
  }
}

TEST("matrices at the edges of the range are inverted without overflow") {
  for (const int64_t n : {8, 65}) {
    for (const double s : {1e-37, 1e-30, 1e30, 1e36}) {
      const Inverted<float> r = invert<float>(scaled(withSpectrum(geometric(n, 10), 3), s), n, 0);
      CHECK_THAT(r.report.status == Status::ok, std::to_string(s));
      CHECK_THAT(inverseRatio(r, n) < 10 || s > 1e35, std::to_string(inverseRatio(r, n)));
    }
    const Inverted<double> r = invert<double>(scaled(withSpectrum(geometric(n, 10), 3), 1e300), n, 0);
    CHECK(r.report.status == Status::ok);
    CHECK(inverseRatio(r, n) < 10);
  }
}

TEST("an inverse too large for float32 is refused and the output left alone") {
  const Inverted<float> r = invert<float>({1e-40}, 1, 0);
  CHECK(r.report.status == Status::notPositiveDefinite);
  CHECK(r.out[0] == 7.0f);
}

TEST("a NaN or an infinity anywhere in the lower triangle is reported and the output left alone") {
  for (const int64_t n : {1, 7, 64, 65, 200}) {
    for (const double poison : {std::nan(""), HUGE_VAL, -HUGE_VAL}) {
      for (const int64_t at : {int64_t{0}, (n - 1) * n, n * n - 1}) {
        Matrix a = withSpectrum(geometric(n, 10), 4);
        a[static_cast<size_t>(at)] = poison;
        const Inverted<float> r = invert<float>(a, n, 0.1);
        CHECK(r.report.status == Status::notFinite);
        CHECK(!r.report.converged);
        CHECK(std::all_of(r.out.begin(), r.out.end(), [](float x) { return x == 7.0f; }));
      }
    }
  }
}

TEST("an indefinite matrix without damping is reported, not repaired") {
  for (const int64_t n : {2, 40, 100}) {
    std::vector<double> spectrum = geometric(n, 10);
    spectrum.back() = -1e-3;
    const Inverted<float> r = invert<float>(withSpectrum(spectrum, 5), n, 0);
    CHECK(r.report.status == Status::notPositiveDefinite);
    CHECK(r.report.damping == 0);
    CHECK(std::all_of(r.out.begin(), r.out.end(), [](float x) { return x == 7.0f; }));
  }
}

TEST("an indefinite matrix is damped ten times more until it is definite, and the report says how much") {
  for (const int64_t n : {2, 40, 100}) {
    std::vector<double> spectrum = geometric(n, 10);
    spectrum.back() = -1e-3;
    const Inverted<float> r = invert<float>(withSpectrum(spectrum, 5), n, 5e-4);
    CHECK(r.report.status == Status::ok);
    CHECK_THAT(r.report.damping == 5e-4 * 10, std::to_string(r.report.damping));
    // Float32, float64, and ten times the damping.
    CHECK(r.report.retries == 2);
    CHECK(inverseRatio(r, n) < 10);
  }
}

TEST("where no damping of the ladder suffices the negative eigenvalues are clipped") {
  const int64_t n = 20;
  const double damping = 1e-5;
  std::vector<double> spectrum = geometric(n, 10);
  spectrum.back() = -1.0;
  const Matrix a = withSpectrum(spectrum, 6);
  const Inverted<float> r = invert<float>(a, n, damping);
  CHECK(r.report.status == Status::ok);
  CHECK(r.report.retries == 5);
  CHECK(r.report.damping == damping);
  // X V = V diag(1 / (max(w, 0) + damping)): its trace is the sum of those.
  double expected = 0;
  for (const double w : spectrum) expected += 1 / (std::max(w, 0.0) + r.report.damping);
  double trace = 0;
  for (int64_t i = 0; i < n; ++i) trace += static_cast<double>(r.out[static_cast<size_t>(i * n + i)]);
  CHECK_THAT(std::fabs(trace / expected - 1) < 1e-5, std::to_string(trace / expected));
}

TEST("a singular moment matrix with damping far below roundoff is inverted with the floor of ten roundoffs") {
  for (const int64_t n : {24, 64, 128, 256}) {
    for (unsigned seed = 0; seed < 5; ++seed) {
      const Inverted<float> r = invert<float>(reluMoment(n, n / 4, seed), n, 1e-12);
      CHECK(r.report.status == Status::ok);
      CHECK(r.report.damping > 1e-12);
      CHECK_THAT(inverseRatio(r, n) < 10, std::to_string(inverseRatio(r, n)));
    }
  }
}

TEST("an ill-conditioned float32 matrix is inverted in float64") {
  // The error of a float32 inverse would be of the order of eps cond = 0.6; in float64 only the rounding of the result
  // remains.
  for (const int64_t n : {30, 100}) {
    const std::vector<double> spectrum = geometric(n, 1e7);
    const Inverted<float> r = invert<float>(diagonalMatrix(spectrum), n, 0);
    CHECK(r.report.status == Status::ok);
    CHECK(r.report.retries == 1);
    for (int64_t i = 0; i < n; ++i) {
      const double d = static_cast<double>(r.matrix[static_cast<size_t>(i * n + i)]);
      CHECK(std::fabs(static_cast<double>(r.out[static_cast<size_t>(i * n + i)]) * d - 1) < 1e-6);
    }
  }
}

TEST("the report bounds the smallest eigenvalue of the damped matrix from below") {
  for (const int64_t n : {10, 64, 100}) {
    const Inverted<double> r = invert<double>(withSpectrum(geometric(n, 1e3), 7), n, 1e-3);
    CHECK(r.report.minEigenvalue <= 2e-3 * (1 + 1e-10));
    CHECK(r.report.minEigenvalue >= 2e-3 / static_cast<double>(n));
  }
}

TEST("the inverse of a permuted matrix is the permuted inverse within roundoff") {
  const int64_t n = 90;
  const Matrix a = withSpectrum(geometric(n, 100), 8);
  const Matrix b =
      byFormula(n, [&](int64_t i, int64_t j) { return a[static_cast<size_t>((n - 1 - i) * n + (n - 1 - j))]; });
  const Inverted<float> x = invert<float>(a, n, 1e-2);
  const Inverted<float> y = invert<float>(b, n, 1e-2);
  double difference = 0;
  for (int64_t i = 0; i < n * n; ++i) {
    difference = std::max(difference, std::fabs(static_cast<double>(x.out[static_cast<size_t>(i)] -
                                                                    y.out[static_cast<size_t>(n * n - 1 - i)])));
  }
  // |X| is 50 and the condition number 50: eps cond |X| = 1.5e-4.
  CHECK_THAT(difference < 1.5e-4, std::to_string(difference));
}

TEST("a partner splits the damping by the ratio of the mean diagonals") {
  const std::vector<float> a{4, 0, 0, 8};                   // mean diagonal 6
  const std::vector<float> g{1, 0, 0, 0, 2, 0, 0, 0, 1.5};  // mean diagonal 1.5
  std::vector<float> out(4);
  const Report report = runOne<float>(InverseJob<float>{a.data(), 2, {0.09, g.data(), 3, false}, out.data()});
  // sqrt(0.09) sqrt(6 / 1.5) = 0.6.
  CHECK(std::fabs(report.damping - 0.6) < 1e-12);
  CHECK(std::fabs(out[0] - 1 / 4.6f) < 1e-7f);
  const std::vector<float> zero{0, 0};
  const Report alone = runOne<float>(InverseJob<float>{a.data(), 2, {0.09, zero.data(), 2, true}, out.data()});
  CHECK(std::fabs(alone.damping - 0.3) < 1e-12);
}

TEST("relative damping is in units of the mean diagonal element") {
  const std::vector<double> a{4, 0, 0, 8};  // mean diagonal 6
  std::vector<double> out(4);
  const Report report = runOne<double>(InverseJob<double>{a.data(), 2, {0.5, nullptr, 0, false, true}, out.data()});
  CHECK(report.damping == 3);
  CHECK(std::fabs(out[0] - 1.0 / 7) < 1e-15);
  const std::vector<double> zero{0, 0, 0, 0};
  const Report alone = runOne<double>(InverseJob<double>{zero.data(), 2, {0.5, nullptr, 0, false, true}, out.data()});
  CHECK(alone.damping == 0.5 && out[0] == 2);
}

TEST("a diagonal is inverted element by element") {
  const std::vector<double> diagonal{1, 3, 0};
  std::vector<double> out(3);
  const Report report = runOne<double>(DiagonalInverseJob<double>{diagonal.data(), 3, damp<double>(1), out.data()});
  CHECK(report.status == Status::ok);
  CHECK(out[0] == 0.5 && out[1] == 0.25 && out[2] == 1.0);
  CHECK(report.minEigenvalue == 1.0);
  const Report singular = runOne<double>(DiagonalInverseJob<double>{diagonal.data(), 3, damp<double>(0), out.data()});
  CHECK(singular.status == Status::notPositiveDefinite);
  CHECK(out[2] == 1.0);
}

int main() { return runTests(); }
