// The face of natgrad-cuda.so: what there is on this machine, and a back end for it. The library links nothing of CUDA;
// the driver, cuBLAS and cuSOLVER are opened by name when they are first asked for.
#pragma once

#include <cstdint>

#include "core/device/deviceBackend.h"

namespace natgrad {

constexpr uint32_t cudaPluginAbiVersion = 1;
constexpr int cudaMaximumDevices = 16;

struct CudaDevice {
  char name[256];
  int32_t major, minor;  // compute capability
  int64_t freeBytes, totalBytes;
};

struct CudaLibrary {
  char name[64];   // soname, empty if it was not found
  char path[512];  // the file it was loaded from
  char version[32];
};

// What was found, as far as the search came.
struct CudaProbe {
  int32_t usable;         // 1 if a device can be opened
  char reason[512];       // why not
  int32_t driverVersion;  // 1000 major + 10 minor of the CUDA it knows; 0 without a driver
  CudaLibrary driver, blas, solver;
  int32_t deviceCount;
  CudaDevice devices[cudaMaximumDevices];
};

struct CudaPlugin {
  uint32_t abiVersion;  // cudaPluginAbiVersion
  DeviceBackend backend;

  // Fills `probe`. With `freeBytes` and `totalBytes` of a device comes a context on it, which takes some memory for as
  // long as this runs.
  void (*probe)(CudaProbe* probe);
  // A device for use with `backend`, or null with the reason in words (at most `size` bytes with the end).
  void* (*open)(int32_t ordinal, char* reason, int64_t size);
  void (*close)(void* device);
};

}  // namespace natgrad

// The only symbol of the library; null if it does not know this version.
extern "C" __attribute__((visibility("default"))) const natgrad::CudaPlugin* natgradCudaPlugin(uint32_t abiVersion);
