#include <string>

#include "check.h"
#include "gallery.h"

using namespace natgrad;
using namespace natgrad::test;

namespace {

// |A - V diag(w) V'| / (n |A| eps) and |V V' - I| / (n eps), LAPACK's measures, by wider arithmetic.
template <class T>
void checkGallery(const std::vector<int64_t>& sizes) {
  using W = Wider<T>;
  double worst = 0;
  for (const Family& family : gallery()) {
    for (const int64_t n : sizes) {
      const std::vector<T> matrix = lowerOf<T>(family.make(n, roundoff<T>), n);
      std::vector<T> values(static_cast<size_t>(n));
      std::vector<T> vectors(static_cast<size_t>(n * n));
      const Report report = runOne<T>(EighJob<T>{matrix.data(), n, values.data(), vectors.data()});
      const std::string where = family.name + ", n = " + std::to_string(n);
      CHECK_THAT(report.status == Status::ok, where);
      CHECK_THAT(std::is_sorted(values.begin(), values.end()), where);
      CHECK_THAT(report.minEigenvalue == static_cast<double>(values[0]), where);
      const std::vector<W> v(vectors.begin(), vectors.end());
      std::vector<W> scaledVectors = v;
      std::vector<W> transposed(v.size());
      for (int64_t i = 0; i < n; ++i) {
        for (int64_t j = 0; j < n; ++j) {
          scaledVectors[static_cast<size_t>(i * n + j)] *= static_cast<W>(values[static_cast<size_t>(j)]);
          transposed[static_cast<size_t>(j * n + i)] = v[static_cast<size_t>(i * n + j)];
        }
      }
      const std::vector<W> a = widen<W>(matrix, n);
      std::vector<W> difference = product(scaledVectors, transposed, n);
      for (size_t i = 0; i < a.size(); ++i) difference[i] -= a[i];
      std::vector<W> orthogonality = product(v, transposed, n);
      subtractIdentity(orthogonality, n);
      const W unit = static_cast<W>(n) * static_cast<W>(roundoff<T>);
      const double first = static_cast<double>(oneNorm(difference, n) / (oneNorm(a, n) * unit));
      const double second = static_cast<double>(oneNorm(orthogonality, n) / unit);
      worst = std::max({worst, first, second});
      CHECK_THAT(first < 20 && second < 20, where + ": " + std::to_string(first) + ", " + std::to_string(second));
    }
  }
  std::printf("    largest ratio %.2f\n", worst);
}

}  // namespace

// Threshold 20: LAPACK allows 60; the largest measured on these matrices is 5.0.
TEST("eigendecompositions of the gallery are accurate to 20 of LAPACK's units in float32") {
  checkGallery<float>(gallerySizes());
  checkGallery<float>({255, 256, 257});
}
TEST("eigendecompositions of the gallery are accurate to 20 of LAPACK's units in float64") {
  checkGallery<double>({1, 2, 3, 5, 8, 17, 33, 65, 127});
}

TEST("the eigenvectors are the columns") {
  const std::vector<double> matrix{2, 0, 1, 2};  // eigenvalues 1 and 3, vectors (1, -1) and (1, 1)
  std::vector<double> values(2);
  std::vector<double> v(4);
  runOne<double>(EighJob<double>{matrix.data(), 2, values.data(), v.data()});
  CHECK(std::fabs(values[0] - 1) < 1e-15 && std::fabs(values[1] - 3) < 1e-15);
  CHECK(std::fabs(v[0] + v[2]) < 1e-15 && std::fabs(v[1] - v[3]) < 1e-15);
}

TEST("a NaN off the diagonal, which LAPACK answers with finite numbers, is reported") {
  for (const int64_t n : {2, 50, 100}) {
    Matrix a = withSpectrum(geometric(n, 10), 1);
    a[static_cast<size_t>((n - 1) * n)] = std::nan("");
    const std::vector<float> matrix = lowerOf<float>(a, n);
    std::vector<float> values(static_cast<size_t>(n), 7.0f);
    std::vector<float> vectors(static_cast<size_t>(n * n), 7.0f);
    CHECK(runOne<float>(EighJob<float>{matrix.data(), n, values.data(), vectors.data()}).status == Status::notFinite);
    CHECK(values[0] == 7.0f && vectors[0] == 7.0f);
  }
}

TEST("an eigendecomposition of size zero is fine") {
  CHECK(runOne<float>(EighJob<float>{nullptr, 0, nullptr, nullptr}).status == Status::ok);
}

int main() { return runTests(); }
