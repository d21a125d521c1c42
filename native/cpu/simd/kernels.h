// One table of SIMD kernels per instruction set. The implementation files are compiled several times, each into a
// namespace of its own, and use nothing of the standard library: an inline function of it, compiled here for a newer
// processor, could be the copy that the linker keeps for the whole program.
#pragma once

#include "core/backend.h"

namespace natgrad {

#define NATGRAD_DECLARE_KERNELS(instructionSet)     \
  namespace instructionSet {                        \
  void fillKernels(Operations<float>& operations);  \
  void fillKernels(Operations<double>& operations); \
  }

NATGRAD_DECLARE_KERNELS(baseline)
NATGRAD_DECLARE_KERNELS(avx2)
NATGRAD_DECLARE_KERNELS(avx512)
#undef NATGRAD_DECLARE_KERNELS

}  // namespace natgrad
