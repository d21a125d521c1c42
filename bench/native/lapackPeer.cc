// Measures the processor's peak and OpenBLAS on one thread; for the protocol see peer.ts.

#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <functional>
#include <iostream>
#include <map>
#include <random>
#include <sstream>
#include <string>
#include <vector>

extern "C" {
void openblas_set_num_threads(int threads);
char* openblas_get_config(void);
char* openblas_get_corename(void);
void sgemm_(const char* transA, const char* transB, const int* m, const int* n, const int* k, const float* alpha, const float* a,
            const int* lda, const float* b, const int* ldb, const float* beta, float* c, const int* ldc, size_t, size_t);
void spotrf_(const char* uplo, const int* n, float* a, const int* lda, int* info, size_t);
void spotri_(const char* uplo, const int* n, float* a, const int* lda, int* info, size_t);
void ssyevd_(const char* jobz, const char* uplo, const int* n, float* a, const int* lda, float* w, float* work, const int* lwork,
             int* iwork, const int* liwork, int* info, size_t, size_t);
void dsyevd_(const char* jobz, const char* uplo, const int* n, double* a, const int* lda, double* w, double* work,
             const int* lwork, int* iwork, const int* liwork, int* info, size_t, size_t);
}

namespace {

// Mean time of doing the work once, in seconds.
double measure(double seconds, const std::function<void()>& work) {
  using Clock = std::chrono::steady_clock;
  const auto begin = Clock::now();
  double elapsed = 0;
  long count = 0;
  while (elapsed < seconds) {
    work();
    ++count;
    elapsed = std::chrono::duration<double>(Clock::now() - begin).count();
  }
  return elapsed / static_cast<double>(count);
}

#if defined(__AVX512F__)
constexpr int vectorBytes = 64;
#elif defined(__AVX__)
constexpr int vectorBytes = 32;
#else
constexpr int vectorBytes = 16;
#endif
using Vector = float __attribute__((vector_size(vectorBytes)));

// Time of 10^9 floating-point operations as fused multiply-adds in registers. Twelve chains hide the latency of any processor of today
// and leave registers for the factors.
double peak(double seconds) {
  constexpr int chains = 12, repetitions = 10000;
  constexpr double operations = 2.0 * chains * repetitions * (vectorBytes / sizeof(float));
  Vector x[chains] = {};
  Vector factor = Vector{} + 0.999f, term = Vector{} + 1e-3f;
  const double each = measure(seconds, [&] {
    Vector y[chains];
    for (int i = 0; i < chains; ++i) y[i] = x[i];
    for (int repetition = 0; repetition < repetitions; ++repetition) {
      for (int i = 0; i < chains; ++i) y[i] = y[i] * factor + term;
    }
    for (int i = 0; i < chains; ++i) x[i] = y[i];
    // Keeps the compiler from knowing the values of the next call.
    asm volatile("" : "+m"(x), "+m"(factor), "+m"(term));
  });
  return each * 1e9 / operations;
}

// A symmetric matrix with eigenvalues from 1 down to 0.001: a diagonal one between two reflections.
std::vector<float> positiveDefinite(int n) {
  std::mt19937 random(1);
  std::normal_distribution<double> normal;
  std::vector<double> v(n), values(n);
  double square = 0;
  for (int i = 0; i < n; ++i) {
    v[i] = normal(random);
    square += v[i] * v[i];
    values[i] = std::pow(1e-3, n > 1 ? i / (n - 1.0) : 0.0);
  }
  double middle = 0;
  for (int i = 0; i < n; ++i) {
    v[i] *= std::sqrt(2 / square);
    middle += v[i] * v[i] * values[i];
  }
  std::vector<float> a(static_cast<size_t>(n) * n);
  for (int i = 0; i < n; ++i) {
    for (int j = 0; j < n; ++j) {
      const double diagonal = i == j ? values[i] : 0;
      a[static_cast<size_t>(i) * n + j] = static_cast<float>(diagonal + v[i] * v[j] * (middle - values[i] - values[j]));
    }
  }
  return a;
}

// X'X of a row-major k by n matrix, as one product: column-major, X is its own transpose.
double gemm(int n, int k, double seconds) {
  std::vector<float> x(static_cast<size_t>(n) * k, 0.5f), c(static_cast<size_t>(n) * n);
  const float one = 1, zero = 0;
  return measure(seconds, [&] {
    sgemm_("N", "T", &n, &n, &k, &one, x.data(), &n, x.data(), &n, &zero, c.data(), &n, 1, 1);
  });
}

// Inverses of `count` matrices one after the other, each copied first because LAPACK works in place. One triangle only.
double invert(int n, int count, double seconds) {
  const std::vector<float> a = positiveDefinite(n);
  std::vector<std::vector<float>> matrices(count, a), results(count, a);
  bool failed = false;
  const double each = measure(seconds, [&] {
    for (int i = 0; i < count; ++i) {
      std::memcpy(results[i].data(), matrices[i].data(), a.size() * sizeof(float));
      int info = 0;
      spotrf_("L", &n, results[i].data(), &n, &info, 1);
      failed |= info != 0;
      spotri_("L", &n, results[i].data(), &n, &info, 1);
      failed |= info != 0;
    }
  });
  return failed ? NAN : each;
}

// The eigendecomposition alone, of a float32 matrix brought into precision T.
template <class T, class Routine>
double decompose(int n, double seconds, Routine syevd) {
  const std::vector<float> a = positiveDefinite(n);
  std::vector<T> vectors(a.begin(), a.end()), values(n);
  int info = 0, liwork = -1, ask = -1, integers = 0;
  T reals = 0;
  syevd("V", "L", &n, vectors.data(), &n, values.data(), &reals, &ask, &integers, &liwork, &info, 1, 1);
  const int lwork = static_cast<int>(reals);
  liwork = integers;
  std::vector<T> work(lwork);
  std::vector<int> iwork(liwork);
  return measure(seconds, [&] {
    for (size_t i = 0; i < a.size(); ++i) vectors[i] = static_cast<T>(a[i]);
    syevd("V", "L", &n, vectors.data(), &n, values.data(), work.data(), &lwork, iwork.data(), &liwork, &info, 1, 1);
  });
}

}  // namespace

int main() {
  openblas_set_num_threads(1);
  std::string line;
  while (std::getline(std::cin, line)) {
    std::istringstream request(line);
    std::string operation;
    int n = 0, count = 0;
    double seconds = 0, result = NAN;
    request >> operation >> n >> count >> seconds;
    if (operation == "about") {
      std::printf("%s, kernels for %s\n", openblas_get_config(), openblas_get_corename());
      std::fflush(stdout);
      continue;
    }
    if (operation == "peak") result = peak(seconds);
    if (operation == "gemm") result = gemm(n, count, seconds);
    if (operation == "potri") result = invert(n, count, seconds);
    if (operation == "ssyevd") result = decompose<float>(n, seconds, ssyevd_);
    if (operation == "dsyevd") result = decompose<double>(n, seconds, dsyevd_);
    if (std::isnan(result)) {
      std::printf("error: unknown or failed\n");
    } else {
      std::printf("%.9g\n", result);
    }
    std::fflush(stdout);
  }
}
