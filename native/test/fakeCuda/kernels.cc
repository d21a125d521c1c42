// The kernels of the back end, from their own source.
#include <cstdint>
#include <type_traits>

#include "cuda/kernelList.h"
#include "deviceCode.h"
#include "kernel.h"

#include "cuda/kernels.cu"

namespace natgrad::fakeCuda {
namespace {

#define FAKE_CUDA_ADD(name, ...)                                         \
  static_assert(std::is_same_v<decltype(&name), void (*)(__VA_ARGS__)>); \
  addKernel(kernelOf(#name, &name));

[[maybe_unused]] const bool added = [] {
  NATGRAD_KERNELS(FAKE_CUDA_ADD)
  return true;
}();

}  // namespace
}  // namespace natgrad::fakeCuda
