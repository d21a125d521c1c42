// Included before the source of the kernels, so that a C++ compiler takes it for functions of one thread each.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>

#include "grid.h"

#define __global__
#define __device__
#define __host__
#define __forceinline__ inline
#define __launch_bounds__(...)
// One block runs at a time, so that one copy is enough.
#define __shared__ static
#define __syncthreads() natgrad::fakeCuda::barrier(__LINE__)

using natgrad::fakeCuda::blockDim;
using natgrad::fakeCuda::blockIdx;
using natgrad::fakeCuda::gridDim;
using natgrad::fakeCuda::threadIdx;
// In CUDA these are overloaded for float and double.
using std::fabs;
using std::frexp;
using std::ldexp;
using std::max;
using std::min;
using std::sqrt;

template <class T>
T rsqrt(T x) {
  return 1 / std::sqrt(x);
}

template <class T>
T atomicAdd(T* sum, T x) {
  const T before = *sum;
  *sum += x;
  return before;
}
