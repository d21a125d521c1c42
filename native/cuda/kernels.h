// The kernels of the loaded module, each with the types of its parameters.
#pragma once

#include "cuda/driver.h"
#include "cuda/kernelList.h"

namespace natgrad::cuda {

template <class... Parameters>
struct Kernel {
  void* function = nullptr;

  int launch(const Driver& driver, void* stream, int64_t blocks, int threads, Parameters... parameters) const {
    void* arguments[] = {&parameters...};
    return driver.cuLaunchKernel(function, static_cast<unsigned>(blocks), 1, 1, static_cast<unsigned>(threads), 1, 1, 0,
                                 stream, arguments, nullptr);
  }
};

#define NATGRAD_DECLARE(name, ...) Kernel<__VA_ARGS__> name;
struct Kernels {
  NATGRAD_KERNELS(NATGRAD_DECLARE)
};
#undef NATGRAD_DECLARE

}  // namespace natgrad::cuda
