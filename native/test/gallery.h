// Symmetric matrices that numerical software has been known to stumble over, and what the tests measure on them.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <functional>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "core/backend.h"
#include "core/jobs.h"
#include "cpu/cpuBackend.h"

namespace natgrad::test {

using Matrix = std::vector<double>;  // n by n, full

struct Family {
  std::string name;
  std::function<Matrix(int64_t n, double eps)> make;  // eps: unit roundoff of the precision under test
};

inline Matrix diagonalMatrix(const std::vector<double>& values) {
  const size_t n = values.size();
  Matrix a(n * n, 0.0);
  for (size_t i = 0; i < n; ++i) a[i * n + i] = values[i];
  return a;
}

// Q diag(values) Q' for a product Q of random reflections.
inline Matrix withSpectrum(const std::vector<double>& values, unsigned seed) {
  const int64_t n = static_cast<int64_t>(values.size());
  Matrix a = diagonalMatrix(values);
  std::mt19937 random(seed);
  std::normal_distribution<double> normal;
  std::vector<double> v(values.size());
  std::vector<double> av(values.size());
  const int reflections = static_cast<int>(std::min<int64_t>(n, 6));
  for (int k = 0; k < reflections && n > 1; ++k) {
    double norm = 0;
    for (double& x : v) {
      x = normal(random);
      norm += x * x;
    }
    for (double& x : v) x /= std::sqrt(norm);
    // H A H with H = I - 2 v v'.
    double vav = 0;
    for (int64_t i = 0; i < n; ++i) {
      double sum = 0;
      for (int64_t j = 0; j < n; ++j) sum += a[static_cast<size_t>(i * n + j)] * v[static_cast<size_t>(j)];
      av[static_cast<size_t>(i)] = sum;
      vav += sum * v[static_cast<size_t>(i)];
    }
    for (int64_t i = 0; i < n; ++i) {
      for (int64_t j = 0; j < n; ++j) {
        const size_t p = static_cast<size_t>(i);
        const size_t q = static_cast<size_t>(j);
        a[static_cast<size_t>(i * n + j)] += -2 * v[p] * av[q] - 2 * av[p] * v[q] + 4 * vav * v[p] * v[q];
      }
    }
  }
  for (int64_t i = 0; i < n; ++i) {
    for (int64_t j = 0; j < i; ++j) a[static_cast<size_t>(j * n + i)] = a[static_cast<size_t>(i * n + j)];
  }
  return a;
}

inline std::vector<double> geometric(int64_t n, double cond) {
  std::vector<double> values;
  for (int64_t i = 0; i < n; ++i)
    values.push_back(n == 1 ? 1.0 : std::pow(cond, -static_cast<double>(i) / static_cast<double>(n - 1)));
  return values;
}

inline Matrix byFormula(int64_t n, const std::function<double(int64_t, int64_t)>& f) {
  Matrix a;
  for (int64_t i = 0; i < n; ++i) {
    for (int64_t j = 0; j < n; ++j) a.push_back(f(i, j));
  }
  return a;
}

inline Matrix plusDiagonal(Matrix a, int64_t n, double d) {
  for (int64_t i = 0; i < n; ++i) a[static_cast<size_t>(i * n + i)] += d;
  return a;
}

inline Matrix scaled(Matrix a, double s) {
  for (double& x : a) x *= s;
  return a;
}

// Second moment of activations: normal numbers through a ReLU, with a last column of ones.
inline Matrix reluMoment(int64_t n, int64_t rows, unsigned seed) {
  std::mt19937 random(seed);
  std::normal_distribution<double> normal;
  Matrix a(static_cast<size_t>(n * n), 0.0);
  std::vector<double> x(static_cast<size_t>(n));
  for (int64_t r = 0; r < rows; ++r) {
    for (double& value : x) value = std::max(0.0, normal(random));
    x.back() = 1;
    for (int64_t i = 0; i < n; ++i) {
      for (int64_t j = 0; j < n; ++j) {
        a[static_cast<size_t>(i * n + j)] +=
            x[static_cast<size_t>(i)] * x[static_cast<size_t>(j)] / static_cast<double>(rows);
      }
    }
  }
  return a;
}

// Positive definite as they are; the smallest eigenvalue lies well above the roundoff of the largest.
inline std::vector<Family> gallery() {
  const auto spectrum = [](std::function<std::vector<double>(int64_t, double)> values) {
    return [values](int64_t n, double eps) { return withSpectrum(values(n, eps), static_cast<unsigned>(n)); };
  };
  std::vector<Family> families;
  families.push_back({"condition 2", spectrum([](int64_t n, double) { return geometric(n, 2); })});
  families.push_back({"geometric, condition sqrt(0.1/eps)",
                      spectrum([](int64_t n, double eps) { return geometric(n, std::sqrt(0.1 / eps)); })});
  families.push_back({"geometric, condition 1e4", spectrum([](int64_t n, double) { return geometric(n, 1e4); })});
  families.push_back({"one large eigenvalue", spectrum([](int64_t n, double) {
                        std::vector<double> v(static_cast<size_t>(n), 1e-3);
                        v[0] = 1;
                        return v;
                      })});
  families.push_back({"one small eigenvalue", spectrum([](int64_t n, double) {
                        std::vector<double> v(static_cast<size_t>(n), 1.0);
                        v[0] = 1e-3;
                        return v;
                      })});
  families.push_back({"arithmetic", spectrum([](int64_t n, double) {
                        std::vector<double> v;
                        for (int64_t i = 0; i < n; ++i)
                          v.push_back(1e-3 + (1 - 1e-3) * static_cast<double>(i) /
                                                 static_cast<double>(std::max<int64_t>(1, n - 1)));
                        return v;
                      })});
  families.push_back({"log-uniform", spectrum([](int64_t n, double) {
                        std::mt19937 random(5);
                        std::uniform_real_distribution<double> uniform(-3, 0);
                        std::vector<double> v;
                        for (int64_t i = 0; i < n; ++i) v.push_back(std::pow(10, uniform(random)));
                        return v;
                      })});
  families.push_back({"Hilbert, damped", [](int64_t n, double) {
                        return plusDiagonal(
                            byFormula(n, [](int64_t i, int64_t j) { return 1.0 / static_cast<double>(i + j + 1); }), n,
                            1e-3);
                      }});
  families.push_back({"Lehmer", [](int64_t n, double) {
                        return byFormula(n, [](int64_t i, int64_t j) {
                          return static_cast<double>(std::min(i, j) + 1) / static_cast<double>(std::max(i, j) + 1);
                        });
                      }});
  families.push_back({"min(i, j)", [](int64_t n, double) {
                        return byFormula(n,
                                         [](int64_t i, int64_t j) { return static_cast<double>(std::min(i, j) + 1); });
                      }});
  families.push_back(
      {"0.9^|i-j|", [](int64_t n, double) {
         return byFormula(n, [](int64_t i, int64_t j) { return std::pow(0.9, std::fabs(static_cast<double>(i - j))); });
       }});
  families.push_back(
      {"tridiagonal (2, -1)", [](int64_t n, double) {
         return byFormula(n, [](int64_t i, int64_t j) { return i == j ? 2.0 : std::abs(i - j) == 1 ? -1.0 : 0.0; });
       }});
  families.push_back({"ReLU moment of rank n/4, damped",
                      [](int64_t n, double) { return plusDiagonal(reluMoment(n, (n + 3) / 4, 3), n, 1e-2); }});
  families.push_back({"graded over 1e4", [](int64_t n, double) {
                        const Matrix b = withSpectrum(geometric(n, 10), 9);
                        return byFormula(n, [&](int64_t i, int64_t j) {
                          const double last = static_cast<double>(std::max<int64_t>(1, n - 1));
                          return b[static_cast<size_t>(i * n + j)] * std::pow(1e2, -static_cast<double>(i) / last) *
                                 std::pow(1e2, -static_cast<double>(j) / last);
                        });
                      }});
  families.push_back({"diagonal over sqrt(eps)",
                      [](int64_t n, double eps) { return diagonalMatrix(geometric(n, 1 / std::sqrt(eps))); }});
  families.push_back({"tiny", [](int64_t n, double eps) {
                        return scaled(withSpectrum(geometric(n, 100), 11), eps > 1e-10 ? 1e-18 : 1e-150);
                      }});
  families.push_back({"huge", [](int64_t n, double eps) {
                        return scaled(withSpectrum(geometric(n, 100), 12), eps > 1e-10 ? 1e18 : 1e150);
                      }});
  families.push_back({"blocks", [](int64_t n, double) {
                        const Matrix b = withSpectrum(geometric(n, 100), 13);
                        return byFormula(n, [&](int64_t i, int64_t j) {
                          return i / 5 == j / 5 ? b[static_cast<size_t>(i * n + j)] : 0.0;
                        });
                      }});
  return families;
}

// The triangle that is used, in the precision under test; the other one is NaN, so that reading it shows.
template <class T>
std::vector<T> lowerOf(const Matrix& a, int64_t n) {
  std::vector<T> lower(static_cast<size_t>(n * n), std::numeric_limits<T>::quiet_NaN());
  for (int64_t i = 0; i < n; ++i) {
    for (int64_t j = 0; j <= i; ++j)
      lower[static_cast<size_t>(i * n + j)] = static_cast<T>(a[static_cast<size_t>(i * n + j)]);
  }
  return lower;
}

// The same matrix in full and exactly, as a wider type.
template <class Wide, class T>
std::vector<Wide> widen(const std::vector<T>& lower, int64_t n, double damping = 0) {
  std::vector<Wide> full(lower.size());
  for (int64_t i = 0; i < n; ++i) {
    for (int64_t j = 0; j <= i; ++j) {
      full[static_cast<size_t>(i * n + j)] = full[static_cast<size_t>(j * n + i)] =
          static_cast<Wide>(lower[static_cast<size_t>(i * n + j)]);
    }
    full[static_cast<size_t>(i * n + i)] += static_cast<Wide>(damping);
  }
  return full;
}

// C = A B (n by n) in the wider type: BLAS in float64 to judge float32, a plain loop in long double to judge float64.
inline std::vector<double> product(const std::vector<double>& a, const std::vector<double>& b, int64_t n) {
  std::vector<double> c(a.size());
  if (n > 0) cpuBackend().f64.gemm(false, false, n, n, n, 1.0, a.data(), n, b.data(), n, 0.0, c.data(), n);
  return c;
}
inline std::vector<long double> product(const std::vector<long double>& a, const std::vector<long double>& b,
                                        int64_t n) {
  std::vector<long double> c(a.size(), 0.0L);
  const size_t size = static_cast<size_t>(n);
  for (size_t i = 0; i < size; ++i) {
    for (size_t k = 0; k < size; ++k) {
      const long double x = a[i * size + k];
      for (size_t j = 0; j < size; ++j) c[i * size + j] += x * b[k * size + j];
    }
  }
  return c;
}

template <class T>
struct WiderOf {
  using Type = double;
};
template <>
struct WiderOf<double> {
  using Type = long double;
};
template <class T>
using Wider = typename WiderOf<T>::Type;

// Largest column sum of magnitudes.
template <class W>
W oneNorm(const std::vector<W>& a, int64_t n) {
  W largest = 0;
  for (int64_t j = 0; j < n; ++j) {
    W sum = 0;
    for (int64_t i = 0; i < n; ++i) sum += std::fabs(a[static_cast<size_t>(i * n + j)]);
    largest = std::isnan(static_cast<double>(sum)) ? sum : std::max(largest, sum);
  }
  return largest;
}

template <class W>
W frobeniusNorm(const std::vector<W>& a) {
  // Scaled, because a float64 matrix may be as large as 1e150 even before it is squared.
  W largest = 0;
  for (const W x : a)
    largest = std::isnan(static_cast<double>(x)) ? x : std::max(largest, static_cast<W>(std::fabs(x)));
  if (!(largest > 0)) return largest;
  W sum = 0;
  for (const W x : a) sum += (x / largest) * (x / largest);
  return largest * std::sqrt(sum);
}

template <class W>
void subtractIdentity(std::vector<W>& a, int64_t n) {
  for (int64_t i = 0; i < n; ++i) a[static_cast<size_t>(i * n + i)] -= 1;
}

template <class T>
constexpr double roundoff = static_cast<double>(std::numeric_limits<T>::epsilon()) / 2;

template <class T>
bool isSymmetric(const std::vector<T>& a, int64_t n) {
  for (int64_t i = 0; i < n; ++i) {
    for (int64_t j = 0; j < i; ++j) {
      if (a[static_cast<size_t>(i * n + j)] != a[static_cast<size_t>(j * n + i)]) return false;
    }
  }
  return true;
}

// One job in one phase.
template <class T, class J>
Report runOne(const J& job, int threads = 1) {
  const Phases phases{{Job(TypedJob<T>(job))}};
  return run(cpuBackend(), phases, threads)[0][0];
}

template <class T>
Damped<T> damp(double damping) {
  return {damping, nullptr, 0, false};
}

inline std::vector<int64_t> gallerySizes() {
  return {1, 2, 3, 5, 8, 15, 16, 17, 31, 32, 33, 63, 64, 65, 127, 128, 129};
}

}  // namespace natgrad::test
