// The back end that is always there: OpenBLAS on one thread per call, and SIMD kernels for what BLAS lacks.
#pragma once

#include "core/backend.h"

namespace natgrad {

// The table is filled on the first call, which also switches OpenBLAS' own threads off for the whole process: we run
// one matrix per thread instead, which is faster and does not stall where other libraries share the cores.
const Backend& cpuBackend();

// Name of the instruction set the SIMD kernels were chosen for: "avx512", "avx2" or "baseline".
const char* cpuInstructionSet();

}  // namespace natgrad
