// The functions of libcuda, libcublas and libcusolver that the CUDA back end may call, with the types that they have on
// the wire: handles are pointers, enumerations are int, device addresses are 64-bit numbers for the driver and pointers
// for the libraries. abiCheck.cc compares them with NVIDIA's headers.
#pragma once

#include <cstddef>

using FakeDeviceAddress = unsigned long long;

// One line per function: X(name, parameters); all return an int that is 0 for success.
#define FAKE_CUDA_DRIVER(X)                                                                               \
  X(cuInit, (unsigned))                                                                                   \
  X(cuDriverGetVersion, (int*))                                                                           \
  X(cuDeviceGetCount, (int*))                                                                             \
  X(cuDeviceGet, (int*, int))                                                                             \
  X(cuDeviceGetName, (char*, int, int))                                                                   \
  X(cuDeviceGetAttribute, (int*, int, int))                                                               \
  X(cuDeviceTotalMem_v2, (size_t*, int))                                                                  \
  X(cuDevicePrimaryCtxRetain, (void**, int))                                                              \
  X(cuDevicePrimaryCtxRelease_v2, (int))                                                                  \
  X(cuCtxSetCurrent, (void*))                                                                             \
  X(cuCtxGetCurrent, (void**))                                                                            \
  X(cuMemGetInfo_v2, (size_t*, size_t*))                                                                  \
  X(cuMemAlloc_v2, (FakeDeviceAddress*, size_t))                                                          \
  X(cuMemFree_v2, (FakeDeviceAddress))                                                                    \
  X(cuMemHostAlloc, (void**, size_t, unsigned))                                                           \
  X(cuMemFreeHost, (void*))                                                                               \
  X(cuMemcpyHtoDAsync_v2, (FakeDeviceAddress, const void*, size_t, void*))                                \
  X(cuMemcpyDtoHAsync_v2, (void*, FakeDeviceAddress, size_t, void*))                                      \
  X(cuMemcpyDtoDAsync_v2, (FakeDeviceAddress, FakeDeviceAddress, size_t, void*))                          \
  X(cuMemsetD8Async, (FakeDeviceAddress, unsigned char, size_t, void*))                                   \
  X(cuStreamCreate, (void**, unsigned))                                                                   \
  X(cuStreamDestroy_v2, (void*))                                                                          \
  X(cuStreamSynchronize, (void*))                                                                         \
  X(cuEventCreate, (void**, unsigned))                                                                    \
  X(cuEventDestroy_v2, (void*))                                                                           \
  X(cuEventRecord, (void*, void*))                                                                        \
  X(cuEventSynchronize, (void*))                                                                          \
  X(cuStreamWaitEvent, (void*, void*, unsigned))                                                          \
  X(cuModuleLoadDataEx, (void**, const void*, unsigned, int*, void**))                                    \
  X(cuModuleUnload, (void*))                                                                              \
  X(cuModuleGetFunction, (void**, void*, const char*))                                                    \
  X(cuLaunchKernel,                                                                                       \
    (void*, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, void*, void**, void**)) \
  X(cuGetErrorName, (int, const char**))                                                                  \
  X(cuGetErrorString, (int, const char**))

// Those that exist for each precision: S with float, D with double.
#define FAKE_CUDA_BLAS_TYPED(X, P, T)                                                                                  \
  X(cublas##P##gemm_v2, (void*, int, int, int, int, int, const T*, const T*, int, const T*, int, const T*, T*, int))   \
  X(cublas##P##gemmStridedBatched, (void*, int, int, int, int, int, const T*, const T*, int, long long, const T*, int, \
                                    long long, const T*, T*, int, long long, int))                                     \
  X(cublas##P##syrk_v2, (void*, int, int, int, int, const T*, const T*, int, const T*, T*, int))                       \
  X(cublas##P##symm_v2, (void*, int, int, int, int, const T*, const T*, int, const T*, int, const T*, T*, int))        \
  X(cublas##P##trsm_v2, (void*, int, int, int, int, int, int, const T*, const T*, int, T*, int))                       \
  X(cublas##P##trmm_v2, (void*, int, int, int, int, int, int, const T*, const T*, int, const T*, int, T*, int))        \
  X(cublas##P##trsmBatched, (void*, int, int, int, int, int, int, const T*, const T* const*, int, T* const*, int, int))

#define FAKE_CUDA_BLAS(X)                          \
  X(cublasCreate_v2, (void**))                     \
  X(cublasDestroy_v2, (void*))                     \
  X(cublasGetVersion_v2, (void*, int*))            \
  X(cublasSetStream_v2, (void*, void*))            \
  X(cublasSetWorkspace_v2, (void*, void*, size_t)) \
  X(cublasSetMathMode, (void*, int))               \
  FAKE_CUDA_BLAS_TYPED(X, S, float)                \
  FAKE_CUDA_BLAS_TYPED(X, D, double)

// Those that are told the types of their matrices.
#define FAKE_CUDA_BLAS_MIXED(X)                                                                                       \
  X(cublasGemmEx, (void*, int, int, int, int, int, const void*, const void*, int, int, const void*, int, int,         \
                   const void*, void*, int, int, int, int))                                                           \
  X(cublasGemmStridedBatchedEx,                                                                                       \
    (void*, int, int, int, int, int, const void*, const void*, int, int, long long, const void*, int, int, long long, \
     const void*, void*, int, int, long long, int, int, int))

#define FAKE_CUDA_SOLVER_TYPED(X, P, T)                                                     \
  X(cusolverDn##P##potrf_bufferSize, (void*, int, int, T*, int, int*))                      \
  X(cusolverDn##P##potrf, (void*, int, int, T*, int, T*, int, int*))                        \
  X(cusolverDn##P##potri_bufferSize, (void*, int, int, T*, int, int*))                      \
  X(cusolverDn##P##potri, (void*, int, int, T*, int, T*, int, int*))                        \
  X(cusolverDn##P##potrfBatched, (void*, int, int, T**, int, int*, int))                    \
  X(cusolverDn##P##syevd_bufferSize, (void*, int, int, int, const T*, int, const T*, int*)) \
  X(cusolverDn##P##syevd, (void*, int, int, int, T*, int, T*, T*, int, int*))

#define FAKE_CUDA_SOLVER(X)              \
  X(cusolverDnCreate, (void**))          \
  X(cusolverDnDestroy, (void*))          \
  X(cusolverDnSetStream, (void*, void*)) \
  X(cusolverGetProperty, (int, int*))    \
  FAKE_CUDA_SOLVER_TYPED(X, S, float)    \
  FAKE_CUDA_SOLVER_TYPED(X, D, double)

#ifndef FAKE_CUDA_LISTS_ONLY
#define FAKE_CUDA_DECLARE(name, parameters) extern "C" int name parameters;
FAKE_CUDA_DRIVER(FAKE_CUDA_DECLARE)
FAKE_CUDA_BLAS(FAKE_CUDA_DECLARE)
FAKE_CUDA_BLAS_MIXED(FAKE_CUDA_DECLARE)
FAKE_CUDA_SOLVER(FAKE_CUDA_DECLARE)
#undef FAKE_CUDA_DECLARE
#endif

namespace natgrad::fakeCuda {

// NVIDIA's numbers, as far as the fakes use them.
enum DriverStatus {
  driverInvalidValue = 1,
  driverOutOfMemory = 2,
  driverNotInitialized = 3,
  driverNoDevice = 100,
  driverInvalidDevice = 101,
  driverInvalidContext = 201,
  driverNoBinaryForGpu = 209,
  driverInvalidPtx = 218,
  driverUnsupportedPtxVersion = 222,
  driverInvalidHandle = 400,
  driverNotFound = 500,
  driverIllegalAddress = 700
};
enum BlasStatus { blasNotInitialized = 1, blasInvalidValue = 7, blasExecutionFailed = 13, blasNotSupported = 15 };
enum SolverStatus { solverNotInitialized = 1, solverInvalidValue = 3, solverExecutionFailed = 6 };

enum Triangle { lowerTriangle = 0, upperTriangle = 1 };
enum Side { leftSide = 0, rightSide = 1 };
enum Transpose { notTransposed = 0, transposed = 1, conjugateTransposed = 2 };
enum Diagonal { generalDiagonal = 0, unitDiagonal = 1 };
enum DataType { dataFloat32 = 0, dataFloat64 = 1 };
enum ComputeType { computeFloat32 = 68, computeFloat64 = 70, computeTensorFloat32 = 77 };
enum MathMode { mathDefault = 0, mathPedantic = 2, mathTensorFloat32 = 3 };

}  // namespace natgrad::fakeCuda
