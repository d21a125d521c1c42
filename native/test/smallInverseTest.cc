// Small inverses, which are computed several side by side: alone, among others, in stacks, on every instruction set.
#include <cmath>
#include <string>

#include "check.h"
#include "core/buffer.h"
#include "cpu/simd/kernels.h"
#include "gallery.h"
#include "inverses.h"

using namespace natgrad;
using namespace natgrad::test;

namespace {

std::vector<Backend> everyInstructionSet() {
  std::vector<Backend> all;
  const std::string best = cpuInstructionSet();
  Backend backend = cpuBackend();
  baseline::fillKernels(backend.f32);
  baseline::fillKernels(backend.f64);
  all.push_back(backend);
#if defined(__x86_64__)
  if (best != "baseline") {
    avx2::fillKernels(backend.f32);
    avx2::fillKernels(backend.f64);
    all.push_back(backend);
  }
  if (best == "avx512") {
    avx512::fillKernels(backend.f32);
    avx512::fillKernels(backend.f64);
    all.push_back(backend);
  }
#endif
  return all;
}

template <class T>
void checkGrouping(const Backend& backend, int64_t n) {
  const int64_t count = 37;
  Inverses<T> together;
  std::vector<std::vector<T>> alone;
  std::vector<Report> reportsAlone;
  for (int64_t k = 0; k < count; ++k) {
    // A bad neighbour here and there: one with a NaN, one that is indefinite.
    Matrix a = withSpectrum(geometric(n, 100), static_cast<unsigned>(k));
    if (k % 9 == 4) a[static_cast<size_t>(n * n - 1)] = std::nan("");
    if (k % 9 == 7) a[static_cast<size_t>(n * n - 1)] = -5;
    together.add(a, n, 1e-2);
    Inverses<T> one;
    one.add(a, n, 1e-2);
    reportsAlone.push_back(run(backend, {one.phase()}, 1)[0][0]);
    alone.push_back(one.outs[0]);
  }
  const Reports reports = run(backend, {together.phase()}, 1);
  for (int64_t k = 0; k < count; ++k) {
    const size_t i = static_cast<size_t>(k);
    CHECK_THAT(together.outs[i] == alone[i], "n = " + std::to_string(n) + ", matrix " + std::to_string(k));
    CHECK((reports[0][i].status == Status::notFinite) == (k % 9 == 4));
    CHECK(reports[0][i].residual == reportsAlone[i].residual);
    CHECK(reports[0][i].retries == reportsAlone[i].retries);
  }
}

template <class T>
void checkStack(int64_t n, int threads) {
  const int64_t count = 37;
  Inverses<T> apart;
  std::vector<T> stack;
  for (int64_t k = 0; k < count; ++k) {
    Matrix a = withSpectrum(geometric(n, 100), static_cast<unsigned>(k));
    if (k == count / 2) a[static_cast<size_t>(n * n - 1)] = std::nan("");
    const std::vector<T> lower = lowerOf<T>(a, n);
    stack.insert(stack.end(), lower.begin(), lower.end());
    apart.add(a, n, 1e-2);
  }
  const Reports reports = run(cpuBackend(), {apart.phase()}, 1);
  std::vector<T> expected;
  Report worst;
  for (size_t k = 0; k < static_cast<size_t>(count); ++k) {
    expected.insert(expected.end(), apart.outs[k].begin(), apart.outs[k].end());
    const Report& report = reports[0][k];
    worst.residual = std::max(worst.residual, report.residual);
    worst.minEigenvalue = std::fmin(worst.minEigenvalue, report.minEigenvalue);
    worst.damping = std::max(worst.damping, report.damping);
  }

  std::vector<T> out(stack.size(), T(7));
  const InverseJob<T> job{stack.data(), n, damp<T>(1e-2), out.data(), count};
  const Report report = run(cpuBackend(), {{TypedJob<T>(job)}}, threads)[0][0];
  CHECK_THAT(out == expected, "n = " + std::to_string(n) + ", " + std::to_string(threads) + " threads");
  CHECK(out[static_cast<size_t>(count / 2 * n * n)] == T(7));
  CHECK(report.status == Status::notFinite && !report.converged);
  CHECK(report.residual == worst.residual);
  CHECK(report.minEigenvalue == worst.minEigenvalue);
  CHECK(report.damping == worst.damping);
}

}  // namespace

TEST("a small inverse has the same bits alone and among others, on every instruction set") {
  for (const Backend& backend : everyInstructionSet()) {
    for (const int64_t n : {1, 2, 3, 4, 5, 7, 8, 9, 12, 15, 16, 17, 20, 31, 32, 33, 47, 63, 64}) {
      checkGrouping<float>(backend, n);
      checkGrouping<double>(backend, n);
    }
  }
}

TEST("a stack has the bits of separate jobs, also around a matrix with a NaN, and the report of the worst") {
  for (const int64_t n : {1, 3, 8, 16, 33, 64, 65, 100}) {
    for (const int threads : {1, 3}) {
      checkStack<float>(n, threads);
      checkStack<double>(n, threads);
    }
  }
}

TEST("stacks without matrices, or of matrices without elements, are fine") {
  for (const int64_t n : {0, 8, 65}) {
    const InverseJob<float> none{nullptr, n, damp<float>(1), nullptr, 0};
    CHECK(run(cpuBackend(), {{TypedJob<float>(none)}}, 1)[0][0].status == Status::ok);
  }
  const InverseJob<float> many{nullptr, 0, damp<float>(1), nullptr, INT32_MAX};
  CHECK(run(cpuBackend(), {{TypedJob<float>(many)}}, 1)[0][0].status == Status::ok);
}

TEST("a small inverse is written only if its norm is within the limit, and the norm is right") {
  const int64_t count = 20;
  for (const Backend& backend : everyInstructionSet()) {
    for (const int64_t n : {1, 4, 7, 16, 40, 64}) {
      // The identity times k + 1, whose inverse has the norm sqrt(n) / (k + 1); one of them is negative.
      std::vector<std::vector<float>> matrices;
      std::vector<std::vector<float>> outs(count, std::vector<float>(static_cast<size_t>(n * n), 7.0f));
      std::vector<const float*> in;
      std::vector<float*> out;
      std::vector<double> limit;
      for (int64_t k = 0; k < count; ++k) {
        const double norm = std::sqrt(static_cast<double>(n)) / static_cast<double>(k + 1);
        limit.push_back(k % 2 == 0 ? norm * 1.001 : norm * 0.999);
        const double diagonal = k == 3 ? -1 : static_cast<double>(k + 1);
        const Matrix a = diagonalMatrix(std::vector<double>(static_cast<size_t>(n), diagonal));
        matrices.emplace_back(a.begin(), a.end());
      }
      for (size_t k = 0; k < matrices.size(); ++k) {
        in.push_back(matrices[k].data());
        out.push_back(outs[k].data());
      }
      const std::vector<double> damping(count, 0.0);
      const std::vector<double> scale(count, 0.25);
      std::vector<double> norms(count);
      Buffer<float> workspace(backend.f32.invertSmallWorkspace(n));
      backend.f32.invertSmall(n, count, in.data(), damping.data(), scale.data(), limit.data(), out.data(), norms.data(),
                              workspace.data());
      for (size_t k = 0; k < matrices.size(); ++k) {
        const double inverse = 1 / static_cast<double>(k + 1);
        if (k == 3) {
          CHECK(std::isnan(norms[k]));
        } else {
          // Two roundings of the elements and n of the sum, in float32.
          const double expected = std::sqrt(static_cast<double>(n)) * inverse;
          CHECK(std::fabs(norms[k] - expected) <= static_cast<double>(n + 4) * roundoff<float> * expected);
        }
        const double corner = k % 2 == 0 ? inverse : 7.0;
        CHECK(std::fabs(static_cast<double>(outs[k].back()) - corner) <= 4 * roundoff<float> * corner);
      }
    }
  }
}

TEST("small inverses are right on every instruction set") {
  for (const Backend& backend : everyInstructionSet()) {
    for (const int64_t n : {1, 5, 16, 33, 64, 65, 129}) {
      Inverses<float> set;
      for (unsigned k = 0; k < 20; ++k) set.add(withSpectrum(geometric(n, 100), k), n, 0);
      run(backend, {set.phase()}, 1);
      for (unsigned k = 0; k < 20; ++k) {
        const std::vector<double> a = widen<double>(lowerOf<float>(withSpectrum(geometric(n, 100), k), n), n);
        const std::vector<double> x(set.outs[k].begin(), set.outs[k].end());
        std::vector<double> e = product(a, x, n);
        subtractIdentity(e, n);
        CHECK(oneNorm(e, n) < 10 * static_cast<double>(n) * oneNorm(a, n) * oneNorm(x, n) * roundoff<float>);
      }
    }
  }
}

int main() { return runTests(); }
