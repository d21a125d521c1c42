// The functions of the CUDA driver (libcuda.so.1) that are used, in our own words, so that no CUDA header is needed.
// Enumerations are ints, handles are void pointers, device addresses are integers of 64 bits. Names with _v2 are those
// of CUDA 4 to 13.
#pragma once

#include <cstddef>
#include <cstdint>

namespace natgrad::cuda {

using DeviceAddress = unsigned long long;

constexpr int cudaSuccess = 0;
constexpr int cudaOutOfMemory = 2;
constexpr unsigned streamNonBlocking = 1;
constexpr unsigned eventDisableTiming = 2;
constexpr int computeCapabilityMajor = 75;
constexpr int computeCapabilityMinor = 76;

// name, then the types of its parameters; every one returns a status.
#define NATGRAD_DRIVER(X)                                                                                       \
  X(cuInit, unsigned)                                                                                           \
  X(cuDriverGetVersion, int*)                                                                                   \
  X(cuDeviceGetCount, int*)                                                                                     \
  X(cuDeviceGet, int*, int)                                                                                     \
  X(cuDeviceGetName, char*, int, int)                                                                           \
  X(cuDeviceGetAttribute, int*, int, int)                                                                       \
  X(cuDeviceTotalMem_v2, size_t*, int)                                                                          \
  X(cuDevicePrimaryCtxRetain, void**, int)                                                                      \
  X(cuDevicePrimaryCtxRelease_v2, int)                                                                          \
  X(cuCtxSetCurrent, void*)                                                                                     \
  X(cuCtxGetCurrent, void**)                                                                                    \
  X(cuMemGetInfo_v2, size_t*, size_t*)                                                                          \
  X(cuMemAlloc_v2, natgrad::cuda::DeviceAddress*, size_t)                                                       \
  X(cuMemFree_v2, natgrad::cuda::DeviceAddress)                                                                 \
  X(cuMemHostAlloc, void**, size_t, unsigned)                                                                   \
  X(cuMemFreeHost, void*)                                                                                       \
  X(cuMemcpyHtoDAsync_v2, natgrad::cuda::DeviceAddress, const void*, size_t, void*)                             \
  X(cuMemcpyDtoHAsync_v2, void*, natgrad::cuda::DeviceAddress, size_t, void*)                                   \
  X(cuMemcpyDtoDAsync_v2, natgrad::cuda::DeviceAddress, natgrad::cuda::DeviceAddress, size_t, void*)            \
  X(cuMemsetD8Async, natgrad::cuda::DeviceAddress, unsigned char, size_t, void*)                                \
  X(cuStreamCreate, void**, unsigned)                                                                           \
  X(cuStreamDestroy_v2, void*)                                                                                  \
  X(cuStreamSynchronize, void*)                                                                                 \
  X(cuEventCreate, void**, unsigned)                                                                            \
  X(cuEventDestroy_v2, void*)                                                                                   \
  X(cuEventRecord, void*, void*)                                                                                \
  X(cuEventSynchronize, void*)                                                                                  \
  X(cuModuleLoadDataEx, void**, const void*, unsigned, int*, void**)                                            \
  X(cuModuleUnload, void*)                                                                                      \
  X(cuModuleGetFunction, void**, void*, const char*)                                                            \
  X(cuLaunchKernel, void*, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, void*, void**, \
    void**)                                                                                                     \
  X(cuGetErrorName, int, const char**)                                                                          \
  X(cuGetErrorString, int, const char**)

#define NATGRAD_DECLARE(name, ...) int (*name)(__VA_ARGS__) = nullptr;
struct Driver {
  NATGRAD_DRIVER(NATGRAD_DECLARE)
};
#undef NATGRAD_DECLARE

inline DeviceAddress addressOf(const void* pointer) {
  return static_cast<DeviceAddress>(reinterpret_cast<uintptr_t>(pointer));
}

}  // namespace natgrad::cuda
