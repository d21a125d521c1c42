// The functions of cuBLAS that are used, in our own words; see driver.h. They have kept these prototypes from CUDA 11
// to 13.
#pragma once

#include <cstddef>

namespace natgrad::cuda {

constexpr int blasSuccess = 0;
constexpr int blasAllocationFailed = 3;
constexpr int fillUpper = 1;
constexpr int sideLeft = 0, sideRight = 1;
constexpr int plain = 0, transposed = 1;
constexpr int diagonalStored = 0;
constexpr int mathDefault = 0, mathTf32 = 3;

#define NATGRAD_CUBLAS_OF(X, S, T)                                                                                    \
  X(cublas##S##gemm_v2, void*, int, int, int, int, int, const T*, const T*, int, const T*, int, const T*, T*, int)    \
  X(cublas##S##gemmStridedBatched, void*, int, int, int, int, int, const T*, const T*, int, long long, const T*, int, \
    long long, const T*, T*, int, long long, int)                                                                     \
  X(cublas##S##syrk_v2, void*, int, int, int, int, const T*, const T*, int, const T*, T*, int)                        \
  X(cublas##S##symm_v2, void*, int, int, int, int, const T*, const T*, int, const T*, int, const T*, T*, int)         \
  X(cublas##S##trsmBatched, void*, int, int, int, int, int, int, const T*, const T* const*, int, T* const*, int, int)

#define NATGRAD_CUBLAS(X)                        \
  X(cublasCreate_v2, void**)                     \
  X(cublasDestroy_v2, void*)                     \
  X(cublasGetVersion_v2, void*, int*)            \
  X(cublasSetStream_v2, void*, void*)            \
  X(cublasSetWorkspace_v2, void*, void*, size_t) \
  X(cublasSetMathMode, void*, int)               \
  NATGRAD_CUBLAS_OF(X, S, float)                 \
  NATGRAD_CUBLAS_OF(X, D, double)

#define NATGRAD_DECLARE(name, ...) int (*name)(__VA_ARGS__) = nullptr;
struct Cublas {
  NATGRAD_CUBLAS(NATGRAD_DECLARE)
};
#undef NATGRAD_DECLARE

}  // namespace natgrad::cuda
