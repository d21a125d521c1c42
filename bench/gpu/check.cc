// Checks what the other programs here time, at the sizes of networks, against float64 on the CPU: gpuCheck PLUGIN SIZES
//
// Prints one line of JSON for each operation, precision and size: the error in units of its bound, which is to be at
// most 1. Sizes that the tests of the CUDA back end cover, and float64, are checked by those. The thresholds are those
// of the tests.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "cpu/cpuBackend.h"
#include "gpu.h"
#include "test/gallery.h"
#include "workload.h"

using namespace natgrad;
using namespace natgrad::bench;

namespace {

using Doubles = std::vector<double>;

constexpr double unit = 0x1p-24;  // roundoff of float32
constexpr double tensorUnit = 0x1p-11;

Doubles widened(const std::vector<float>& x) { return Doubles(x.begin(), x.end()); }

Doubles magnitudes(const std::vector<float>& x) {
  Doubles y;
  for (const float value : x) y.push_back(std::fabs(static_cast<double>(value)));
  return y;
}

// C (m by n) = op(A) B, its rows shared out among the processors.
Doubles product(bool transpose, int64_t m, int64_t n, int64_t k, const Doubles& a, const Doubles& b) {
  Doubles c(static_cast<size_t>(m * n));
  const int64_t share = (m + std::thread::hardware_concurrency()) / std::max(1U, std::thread::hardware_concurrency());
  std::vector<std::thread> threads;
  for (int64_t first = 0; first < m; first += share) {
    threads.emplace_back([&, first] {
      cpuBackend().f64.gemm(transpose, false, std::min(share, m - first), n, k, 1.0,
                            a.data() + first * (transpose ? 1 : k), transpose ? m : k, b.data(), n, 0.0,
                            c.data() + first * n, n);
    });
  }
  for (std::thread& thread : threads) thread.join();
  return c;
}

// A sum of k products, in any order, is exact to (k + 3) u times the sum of their magnitudes; inputs rounded to TF32
// add twice its unit.
double unitsOfProducts(int64_t k, Precision precision) {
  return static_cast<double>(k + 3) * unit + (precision == Precision::tf32 ? 2 * tensorUnit : 0);
}

double factorError(const Problem& p, Precision precision) {
  const Doubles sums = product(true, p.n, p.n, p.rows, widened(p.first), widened(p.first));
  const Doubles bounds = product(true, p.n, p.n, p.rows, magnitudes(p.first), magnitudes(p.first));
  const double scale = (1 - decay) / static_cast<double>(p.rows);
  double worst = 0;
  for (int64_t i = 0; i < p.n; ++i) {
    for (int64_t j = 0; j < p.n; ++j) {
      const size_t at = static_cast<size_t>(i * p.n + j);
      const double before = static_cast<double>(p.second[at]);
      const double out = static_cast<double>(p.out[at]);
      if (j > i) {
        if (out != before) return std::numeric_limits<double>::infinity();  // what is above the diagonal is left alone
        continue;
      }
      const double bound = unitsOfProducts(p.rows, precision) * (scale * bounds[at] + decay * std::fabs(before));
      worst = std::max(worst, std::fabs(out - (scale * sums[at] + decay * before)) / bound);
    }
  }
  return worst;
}

double preconditionError(const Problem& p, Precision precision) {
  const int64_t n = p.n;
  const Doubles exact =
      product(false, n, n, n, product(false, n, n, n, widened(p.first), widened(p.second)), widened(p.third));
  const Doubles bounds =
      product(false, n, n, n, product(false, n, n, n, magnitudes(p.first), magnitudes(p.second)), magnitudes(p.third));
  double worst = 0;
  for (size_t i = 0; i < exact.size(); ++i) {
    worst = std::max(
        worst, std::fabs(static_cast<double>(p.out[i]) - exact[i]) / (2 * unitsOfProducts(n, precision) * bounds[i]));
  }
  return worst;
}

Doubles plusDamping(const Problem& p) { return test::plusDiagonal(widened(p.first), p.n, damping); }

// |I - A X| / (n |A| |X| u) in the 1-norm, LAPACK's measure, to be below 10.
double inverseError(const Problem& p) {
  const Doubles a = plusDamping(p);
  const Doubles x = widened(p.out);
  Doubles e = product(false, p.n, p.n, p.n, a, x);
  test::subtractIdentity(e, p.n);
  return test::oneNorm(e, p.n) / (static_cast<double>(p.n) * test::oneNorm(a, p.n) * test::oneNorm(x, p.n) * unit) / 10;
}

// With R = X^p A - I the relative error of X is |R X| / p |X| to first order, to be below 30 u cond.
double rootError(const Problem& p, int power) {
  const Doubles x = widened(p.out);
  Doubles r = plusDamping(p);
  for (int i = 0; i < power; ++i) r = product(false, p.n, p.n, p.n, x, r);
  test::subtractIdentity(r, p.n);
  const double error = test::frobeniusNorm(product(false, p.n, p.n, p.n, r, x)) / (power * test::frobeniusNorm(x));
  const double condition = (1 + damping) / (1e-3 + damping);
  return error / (30 * unit * condition);
}

// |A - V diag(w) V'| / (n |A| u) and |V'V - I| / (n u) with the vectors in columns, to be below 20.
double eighError(const Problem& p) {
  const int64_t n = p.n;
  Doubles rows(p.out.size());  // V'
  Doubles scaled(p.out.size());
  for (int64_t i = 0; i < n; ++i) {
    for (int64_t j = 0; j < n; ++j) {
      const size_t at = static_cast<size_t>(j * n + i);
      rows[at] = static_cast<double>(p.out[static_cast<size_t>(i * n + j)]);
      scaled[at] = rows[at] * static_cast<double>(p.values[static_cast<size_t>(j)]);
    }
  }
  const Doubles a = widened(p.first);
  Doubles difference = product(true, n, n, n, rows, scaled);
  for (size_t i = 0; i < a.size(); ++i) difference[i] -= a[i];
  Doubles orthogonality = product(true, n, n, n, rows, rows);
  test::subtractIdentity(orthogonality, n);
  const double units = static_cast<double>(n) * unit;
  return std::max(test::oneNorm(difference, n) / (test::oneNorm(a, n) * units),
                  test::oneNorm(orthogonality, n) / units) /
         20;
}

double errorOf(Operation operation, const Problem& p, Precision precision) {
  switch (operation) {
    case Operation::factor:
    case Operation::factorUpload:
      return factorError(p, precision);
    case Operation::precondition:
      return preconditionError(p, precision);
    case Operation::inverse:
      return inverseError(p);
    case Operation::root2:
      return rootError(p, 2);
    case Operation::root4:
      return rootError(p, 4);
    case Operation::eigh:
      return eighError(p);
  }
  return std::numeric_limits<double>::infinity();
}

// Largest error of the problems of one size, alone and, if that does not take long, three together.
double check(Device& device, Operation operation, int64_t n, Precision precision) {
  double worst = 0;
  for (const int64_t count : {1, 3}) {
    if (count > 1 && n > 600) continue;
    Workload workload(device, operation, {{n, count}}, std::min<int64_t>(2 * n + 1, 2001));
    workload.run();
    for (const auto& problem : workload.fetch()) {
      const double error = errorOf(operation, *problem, precision);
      worst = std::isnan(error) ? std::numeric_limits<double>::infinity() : std::max(worst, error);
    }
  }
  return worst;
}

int checkAll(const std::string& plugin, const std::vector<Size>& sizes) {
  int failed = 0;
  int passed = 0;
  for (const char* precision : {"fp32", "tf32", "fp64"}) {
    Gpu gpu(plugin, precisionNamed(precision));
    for (const char* name : {"factor", "factorUpload", "inverse", "root2", "root4", "eigh", "precondition"}) {
      for (const Size& size : sizes) {
        const double error = check(gpu.device(), operationNamed(name), size.n, precisionNamed(precision));
        std::printf("{\"check\": \"%s\", \"precision\": \"%s\", \"n\": %lld, \"errorOverBound\": %.3g}\n", name,
                    precision, static_cast<long long>(size.n), error);
        std::fflush(stdout);
        ++(error <= 1 ? passed : failed);
      }
    }
  }
  std::printf("%d passed, %d failed\n", passed, failed);
  return failed == 0 && passed > 0 ? 0 : 1;
}

}  // namespace

int main(int count, char** arguments) {
  try {
    if (count != 3) throw std::runtime_error("usage: gpuCheck PLUGIN SIZES, as in gpuCheck natgrad-cuda.so 256,1024");
    return checkAll(arguments[1], sizesOf(arguments[2]));
  } catch (const std::exception& error) {
    std::fprintf(stderr, "gpuCheck: %s\n", error.what());
    return 2;
  }
}
