// A row-major matrix is the column-major transpose: the lower triangle becomes the upper one, a product A B becomes B'
// A', and a left factor a right one.
#include <algorithm>
#include <cstddef>
#include <limits>

#include "cuda/operations.h"

namespace natgrad::cuda {

namespace {

// cuBLAS counts in 32 bits. What is larger than that is too large for the device, as far as these functions go.
bool countable(std::initializer_list<int64_t> sizes) {
  return std::all_of(sizes.begin(), sizes.end(), [](int64_t size) { return size <= std::numeric_limits<int>::max(); });
}

// The leading dimension that is accepted even where there are no columns.
int leading(int64_t ld) { return static_cast<int>(std::max<int64_t>(1, ld)); }

int operation(bool transpose) { return transpose ? transposed : plain; }

#define NATGRAD_ROUTINE(name)                 \
  template <class T>                          \
  auto name##Routine(const Cublas& blas) {    \
    if constexpr (std::is_same_v<T, float>) { \
      return blas.cublasS##name;              \
    } else {                                  \
      return blas.cublasD##name;              \
    }                                         \
  }
NATGRAD_ROUTINE(gemm_v2)
NATGRAD_ROUTINE(gemmStridedBatched)
NATGRAD_ROUTINE(syrk_v2)
NATGRAD_ROUTINE(symm_v2)
#undef NATGRAD_ROUTINE

template <class T>
DeviceStatus gemm(void* device, ProductMath math, bool transposeA, bool transposeB, int64_t m, int64_t n, int64_t k,
                  T alpha, const T* a, int64_t lda, const T* b, int64_t ldb, T beta, T* c, int64_t ldc) {
  return within(device, [&](Context& context) {
    if (m == 0 || n == 0) return DeviceStatus::ok;
    if (!countable({m, n, k, lda, ldb, ldc})) return DeviceStatus::outOfMemory;
    NATGRAD_TRY(context.setMath(math));
    return context.checkBlas("cublasGemm", gemm_v2Routine<T>(context.libraries.blas)(
                                               context.blas, operation(transposeB), operation(transposeA),
                                               static_cast<int>(n), static_cast<int>(m), static_cast<int>(k), &alpha, b,
                                               leading(ldb), a, leading(lda), &beta, c, leading(ldc)));
  });
}

template <class T>
DeviceStatus gemmStack(void* device, ProductMath math, bool transposeA, bool transposeB, int64_t m, int64_t n,
                       int64_t k, T alpha, const T* a, const T* b, T beta, T* c, int64_t count) {
  return within(device, [&](Context& context) {
    if (m == 0 || n == 0 || count == 0) return DeviceStatus::ok;
    if (!countable({m, n, k, count})) return DeviceStatus::outOfMemory;
    NATGRAD_TRY(context.setMath(math));
    return context.checkBlas(
        "cublasGemmStridedBatched",
        gemmStridedBatchedRoutine<T>(context.libraries.blas)(
            context.blas, operation(transposeB), operation(transposeA), static_cast<int>(n), static_cast<int>(m),
            static_cast<int>(k), &alpha, b, leading(transposeB ? k : n), k * n, a, leading(transposeA ? m : k), m * k,
            &beta, c, leading(n), m * n, static_cast<int>(count)));
  });
}

template <class T>
DeviceStatus syrk(void* device, ProductMath math, bool transpose, int64_t n, int64_t k, T alpha, const T* x,
                  int64_t ldx, T beta, T* c, int64_t ldc) {
  return within(device, [&](Context& context) {
    if (n == 0) return DeviceStatus::ok;
    if (!countable({n, k, ldx, ldc})) return DeviceStatus::outOfMemory;
    NATGRAD_TRY(context.setMath(math));
    return context.checkBlas("cublasSyrk", syrk_v2Routine<T>(context.libraries.blas)(
                                               context.blas, fillUpper, operation(!transpose), static_cast<int>(n),
                                               static_cast<int>(k), &alpha, x, leading(ldx), &beta, c, leading(ldc)));
  });
}

template <class T>
DeviceStatus symm(void* device, ProductMath math, bool left, int64_t m, int64_t n, const T* a, int64_t lda, const T* b,
                  int64_t ldb, T* c, int64_t ldc) {
  return within(device, [&](Context& context) {
    if (m == 0 || n == 0) return DeviceStatus::ok;
    if (!countable({m, n, lda, ldb, ldc})) return DeviceStatus::outOfMemory;
    NATGRAD_TRY(context.setMath(math));
    const T alpha = 1, beta = 0;
    return context.checkBlas(
        "cublasSymm", symm_v2Routine<T>(context.libraries.blas)(context.blas, left ? sideRight : sideLeft, fillUpper,
                                                                static_cast<int>(n), static_cast<int>(m), &alpha, a,
                                                                leading(lda), b, leading(ldb), &beta, c, leading(ldc)));
  });
}

}  // namespace

template <class T>
void fillProducts(DeviceOperations<T>& operations) {
  operations.gemm = gemm<T>;
  operations.gemmStack = gemmStack<T>;
  operations.syrk = syrk<T>;
  operations.symm = symm<T>;
}

template void fillProducts<float>(DeviceOperations<float>&);
template void fillProducts<double>(DeviceOperations<double>&);

}  // namespace natgrad::cuda
