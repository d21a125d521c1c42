// Every kernel of kernels.cu, once: name, then the types of its parameters. The plugin makes its table of functions
// from it.
//
// All kernels run on one-dimensional grids of blocks of `blockThreads` threads, but for invertSmall, whose blocks have
// `smallThreads`. Arrays of pointers, and what the pointers point to, lie in device memory.
#pragma once

#include <cstdint>

namespace natgrad::cuda {

constexpr int blockThreads = 256;
constexpr int smallThreads = 64;  // and the largest matrix that invertSmall takes
constexpr int tileSize = 32;      // mirror and transpose work on squares of so many rows; norms on bands
constexpr int chunkRows = 512;    // rows that columnMoments adds up in one block

// Where the patches of a convolution lie in NHWC images; see ConvGeometry of core/jobs.h.
struct PatchGeometry {
  int64_t inHeight, inWidth, channels;
  int64_t kernelHeight, kernelWidth, strideHeight, strideWidth, dilationHeight, dilationWidth;
  int64_t padTop, padLeft, outHeight, outWidth;
};

}  // namespace natgrad::cuda

// Those that exist for one precision T, with its suffix.
#define NATGRAD_KERNELS_OF(X, T, S)                                                                            \
  X(diagonalStatistics##S, const T* const*, const int64_t*, const int64_t*, double*)                           \
  X(normPartials##S, int64_t, const T* const*, const int64_t*, const double*, double*)                         \
  X(identityDistance##S, int64_t, int64_t, const T*, double*)                                                  \
  X(invertSmall##S, int64_t, const T* const*, T* const*, const double*, const double*, const double*, double*) \
  X(polynomial##S, int64_t, int64_t, const T*, const double*, const double*, T*)                               \
  X(identity##S, int64_t, int64_t, double, T*)                                                                 \
  X(scaleLower##S, int64_t, double, T*)                                                                        \
  X(scaleByDiagonals##S, int64_t, int64_t, const T*, const T*, const T*, T*)                                   \
  X(dotPartials##S, int64_t, const T*, const T*, double*)                                                      \
  X(multiply##S, int64_t, const T*, const T*, double, T*, double*)                                             \
  X(divide##S, int64_t, const T*, const T*, double, T*, double*)                                               \
  X(update##S, int64_t, T*, const T*, T*, double, double, double)                                              \
  X(combine##S, int64_t, int64_t, const T* const*, const double*, T*)                                          \
  X(columnMoments##S, int64_t, int64_t, const T*, int32_t, double*)                                            \
  X(addColumns##S, int64_t, int64_t, const double*, double, double, T*)                                        \
  X(patches##S, const T*, natgrad::cuda::PatchGeometry, int64_t, int64_t, T*)                                  \
  X(markNonFinite##S, int64_t, const T*, int32_t*)                                                             \
  X(reciprocal##S, int64_t, const T*, double, T*)

// Those that read one precision and write another.
#define NATGRAD_KERNELS_BETWEEN(X, S, T, name)                                                       \
  X(mirror##name, int64_t, const S* const*, T* const*, const double*, const double*, const int32_t*) \
  X(transpose##name, int64_t, const S*, T*, const int32_t*)                                          \
  X(convert##name, int64_t, const S*, T*, const int32_t*)

#define NATGRAD_KERNELS(X)                                                               \
  NATGRAD_KERNELS_OF(X, float, F32)                                                      \
  NATGRAD_KERNELS_OF(X, double, F64)                                                     \
  NATGRAD_KERNELS_BETWEEN(X, float, float, F32)                                          \
  NATGRAD_KERNELS_BETWEEN(X, float, double, F32ToF64)                                    \
  NATGRAD_KERNELS_BETWEEN(X, double, float, F64ToF32)                                    \
  NATGRAD_KERNELS_BETWEEN(X, double, double, F64)                                        \
  X(normBounds, int64_t, int64_t, const int64_t*, const double*, const double*, double*) \
  X(sumPartials, int64_t, int64_t, const double*, double, int32_t, double*)              \
  X(accept, int64_t, const int32_t*, double*, const double*, int32_t*)
