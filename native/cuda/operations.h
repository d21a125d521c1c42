// The functions of the back end, by what they are made of.
#pragma once

#include "cuda/context.h"

namespace natgrad::cuda {

DeviceBackend deviceBackend();

// Products by cuBLAS.
template <class T>
void fillProducts(DeviceOperations<T>& operations);

// Factorisations by cuSOLVER.
template <class T>
void fillFactorizations(DeviceOperations<T>& operations);

// Examinations of matrices, and what is done to stacks of small ones, by kernels.h.
template <class T>
void fillMatrices(DeviceOperations<T>& operations);

// Single passes over memory, by kernels.h.
template <class T>
void fillPasses(DeviceOperations<T>& operations);

template <class S, class T>
void fillConversions(DeviceConversions<S, T>& conversions);

// The kernel for T of the two that there are.
template <class T, class Single, class Twice>
const auto& kernelFor(const Single& single, const Twice& twice) {
  if constexpr (std::is_same_v<T, float>) {
    return single;
  } else {
    return twice;
  }
}

// Blocks for a pass over so many elements: enough to fill the largest devices several times over.
inline int64_t blocksFor(int64_t elements) {
  constexpr int64_t most = 4096;
  const int64_t needed = (elements + blockThreads - 1) / blockThreads;
  return needed < most ? needed : most;
}

inline int64_t dividedUp(int64_t a, int64_t b) { return (a + b - 1) / b; }

}  // namespace natgrad::cuda
