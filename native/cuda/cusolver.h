// The functions of cuSOLVER that are used, in our own words; see driver.h. They have kept these prototypes from CUDA 11
// to 13.
#pragma once

namespace natgrad::cuda {

constexpr int solverSuccess = 0;
constexpr int solverAllocationFailed = 2;
constexpr int withVectors = 1;

#define NATGRAD_CUSOLVER_OF(X, S, T)                                                      \
  X(cusolverDn##S##potrf_bufferSize, void*, int, int, T*, int, int*)                      \
  X(cusolverDn##S##potrf, void*, int, int, T*, int, T*, int, int*)                        \
  X(cusolverDn##S##potri_bufferSize, void*, int, int, T*, int, int*)                      \
  X(cusolverDn##S##potri, void*, int, int, T*, int, T*, int, int*)                        \
  X(cusolverDn##S##potrfBatched, void*, int, int, T**, int, int*, int)                    \
  X(cusolverDn##S##syevd_bufferSize, void*, int, int, int, const T*, int, const T*, int*) \
  X(cusolverDn##S##syevd, void*, int, int, int, T*, int, T*, T*, int, int*)

#define NATGRAD_CUSOLVER(X)            \
  X(cusolverDnCreate, void**)          \
  X(cusolverDnDestroy, void*)          \
  X(cusolverDnSetStream, void*, void*) \
  X(cusolverGetProperty, int, int*)    \
  NATGRAD_CUSOLVER_OF(X, S, float)     \
  NATGRAD_CUSOLVER_OF(X, D, double)

#define NATGRAD_DECLARE(name, ...) int (*name)(__VA_ARGS__) = nullptr;
struct Cusolver {
  NATGRAD_CUSOLVER(NATGRAD_DECLARE)
};
#undef NATGRAD_DECLARE

}  // namespace natgrad::cuda
