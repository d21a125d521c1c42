#include "cpu/cpuBackend.h"

#include <new>
#include <vector>

#include "cpu/openblas.h"
#include "cpu/openblasKernels.h"
#include "cpu/simd/kernels.h"

namespace natgrad {

namespace {

// A row-major matrix is the column-major transpose: the lower triangle becomes the upper one, a product A B becomes B'
// A', and a left factor a right one.

#define NATGRAD_BLAS(routine)                    \
  template <class... Arguments>                  \
  void routine(float, Arguments... arguments) {  \
    s##routine##_(arguments...);                 \
  }                                              \
  template <class... Arguments>                  \
  void routine(double, Arguments... arguments) { \
    d##routine##_(arguments...);                 \
  }

// Overloaded on a number of the type, which carries nothing else.
namespace blas {
NATGRAD_BLAS(gemm)
NATGRAD_BLAS(syrk)
NATGRAD_BLAS(symm)
NATGRAD_BLAS(trmm)
NATGRAD_BLAS(lauum)
NATGRAD_BLAS(syevd)
}  // namespace blas
#undef NATGRAD_BLAS

constexpr size_t one = 1;  // length of a character argument

// The leading dimension LAPACK accepts even where there are no columns.
int leading(int64_t ld) { return static_cast<int>(ld > 1 ? ld : 1); }

template <class T>
void gemm(bool transposeA, bool transposeB, int64_t m, int64_t n, int64_t k, T alpha, const T* a, int64_t lda,
          const T* b, int64_t ldb, T beta, T* c, int64_t ldc) {
  const int rows = static_cast<int>(n), columns = static_cast<int>(m), inner = static_cast<int>(k);
  const int strideA = leading(lda), strideB = leading(ldb), strideC = leading(ldc);
  blas::gemm(T(), transposeB ? "T" : "N", transposeA ? "T" : "N", &rows, &columns, &inner, &alpha, b, &strideB, a,
             &strideA, &beta, c, &strideC, one, one);
}

template <class T>
void syrk(bool transpose, int64_t n, int64_t k, T alpha, const T* x, int64_t ldx, T beta, T* c, int64_t ldc) {
  const int size = static_cast<int>(n), inner = static_cast<int>(k), strideX = leading(ldx), strideC = leading(ldc);
  blas::syrk(T(), "U", transpose ? "N" : "T", &size, &inner, &alpha, x, &strideX, &beta, c, &strideC, one, one);
}

template <class T>
void symm(bool left, int64_t m, int64_t n, const T* a, int64_t lda, const T* b, int64_t ldb, T* c, int64_t ldc) {
  const int rows = static_cast<int>(n), columns = static_cast<int>(m);
  const int strideA = leading(lda), strideB = leading(ldb), strideC = leading(ldc);
  const T alpha = 1, beta = 0;
  blas::symm(T(), left ? "R" : "L", "U", &rows, &columns, &alpha, a, &strideA, b, &strideB, &beta, c, &strideC, one,
             one);
}

template <class T>
void trmm(bool left, bool transpose, int64_t m, int64_t n, T alpha, const T* l, int64_t ldl, T* b, int64_t ldb) {
  const int rows = static_cast<int>(n), columns = static_cast<int>(m), strideL = leading(ldl), strideB = leading(ldb);
  blas::trmm(T(), left ? "R" : "L", "U", transpose ? "T" : "N", "N", &rows, &columns, &alpha, l, &strideL, b, &strideB,
             one, one, one, one);
}

template <class T>
void lauum(int64_t n, T* a, int64_t lda) {
  const int size = static_cast<int>(n), stride = leading(lda);
  int info = 0;
  blas::lauum(T(), "U", &size, a, &stride, &info, one);
}

template <class T>
int64_t syevd(int64_t n, T* a, int64_t lda, T* values) {
  try {
    const int size = static_cast<int>(n), stride = leading(lda), query = -1;
    int info = 0, integers = 0;
    T numbers = 0;
    blas::syevd(T(), "V", "U", &size, a, &stride, values, &numbers, &query, &integers, &query, &info, one, one);
    // A float32 cannot hold every size it is asked to return, so the documented minimum is what counts.
    const int64_t minimum = 1 + 6 * n + 2 * n * n;
    const int length =
        static_cast<int>(minimum > static_cast<int64_t>(numbers) ? minimum : static_cast<int64_t>(numbers));
    std::vector<T> work(static_cast<size_t>(length));
    std::vector<int> integerWork(static_cast<size_t>(integers));
    blas::syevd(T(), "V", "U", &size, a, &stride, values, work.data(), &length, integerWork.data(), &integers, &info,
                one, one);
    return info;
  } catch (const std::bad_alloc&) {
    return -1;
  }
}

template <class T>
void fillBlas(Operations<T>& operations) {
  operations.gemm = gemm<T>;
  operations.syrk = syrk<T>;
  operations.symm = symm<T>;
  operations.trmm = trmm<T>;
  operations.lauum = lauum<T>;
  operations.syevd = syevd<T>;
}

struct InstructionSet {
  const char* name;
  void (*fill32)(Operations<float>&);
  void (*fill64)(Operations<double>&);
};

InstructionSet bestInstructionSet() {
#if defined(NATGRAD_X86_64)
  __builtin_cpu_init();
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512bw") &&
      __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512cd")) {
    return {"avx512", avx512::fillKernels, avx512::fillKernels};
  }
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("bmi2")) {
    return {"avx2", avx2::fillKernels, avx2::fillKernels};
  }
#endif
  return {"baseline", baseline::fillKernels, baseline::fillKernels};
}

Backend makeBackend() {
  chooseOpenblasKernels();
  openblas_set_num_threads(1);
  Backend backend{};
  backend.abiVersion = backendAbiVersion;
  backend.score = 1;
  backend.name = "cpu";
  fillBlas(backend.f32);
  fillBlas(backend.f64);
  const InstructionSet best = bestInstructionSet();
  best.fill32(backend.f32);
  best.fill64(backend.f64);
  return backend;
}

}  // namespace

const Backend& cpuBackend() {
  static const Backend backend = makeBackend();
  return backend;
}

const char* cpuInstructionSet() { return bestInstructionSet().name; }

}  // namespace natgrad
