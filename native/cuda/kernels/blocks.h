// Threads, blocks, and numbers that all threads of a block share.
#pragma once

#include "../kernelList.h"

using natgrad::cuda::blockThreads;
using natgrad::cuda::chunkRows;
using natgrad::cuda::PatchGeometry;
using natgrad::cuda::smallThreads;
using natgrad::cuda::tileSize;

namespace {

__device__ int64_t threadOfGrid() { return static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x; }
__device__ int64_t threadsOfGrid() { return static_cast<int64_t>(gridDim.x) * blockDim.x; }

// NaN and the infinities are what gives no zero when subtracted from itself.
template <class T>
__device__ bool isNumber(T x) {
  return x - x == T(0);
}

__device__ double larger(double a, double b) { return a > b ? a : b; }
__device__ double smaller(double a, double b) { return a < b ? a : b; }
__device__ double magnitude(double x) { return x < 0 ? -x : x; }

// Folds one number of every thread into that of the first, which all get.
template <class Fold>
__device__ double foldBlock(double x, Fold fold) {
  __shared__ double all[blockThreads];
  __syncthreads();
  all[threadIdx.x] = x;
  __syncthreads();
  for (unsigned half = blockDim.x / 2; half > 0; half /= 2) {
    if (threadIdx.x < half) all[threadIdx.x] = fold(all[threadIdx.x], all[threadIdx.x + half]);
    __syncthreads();
  }
  return all[0];
}

struct Sum {
  __device__ double operator()(double a, double b) const { return a + b; }
};
struct Largest {
  __device__ double operator()(double a, double b) const { return larger(a, b); }
};
struct Smallest {
  __device__ double operator()(double a, double b) const { return smaller(a, b); }
};

}  // namespace
