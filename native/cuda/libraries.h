// The driver, cuBLAS and cuSOLVER, opened by name.
#pragma once

#include <string>

#include "cuda/cublas.h"
#include "cuda/cusolver.h"
#include "cuda/driver.h"
#include "cuda/plugin.h"

namespace natgrad::cuda {

// A library that is open, or not. It is never closed again: those of CUDA do not survive it.
struct Library {
  void* handle = nullptr;
  std::string name, path;
};

struct Libraries {
  Driver driver;
  Cublas blas;
  Cusolver solver;
  Library driverLibrary, blasLibrary, solverLibrary;

  // Opens the driver and starts it; then cuBLAS, preferring a copy that the process has loaded already and then the
  // newest, and the cuSOLVER that goes with it. Returns what is missing, in words, or an empty string. Each step needs
  // the one before it.
  std::string openDriver();
  std::string openMathLibraries();

  // "cuInit: CUDA_ERROR_NO_DEVICE (no CUDA-capable device is detected)"
  std::string describe(const char* call, int error) const;
};

}  // namespace natgrad::cuda
