// Included once by each instruction set's file, which defines NATGRAD_SIMD.
#include "cpu/simd/elementwise.h"
#include "cpu/simd/fewRows.h"
#include "cpu/simd/gram.h"
#include "cpu/simd/kernels.h"
#include "cpu/simd/smallInverse.h"
#include "cpu/simd/symmetric.h"

namespace natgrad {
namespace NATGRAD_SIMD {

namespace {

template <class T>
void fill(Operations<T>& operations) {
#if defined(__FMA__)
  operations.gram = gram<T>;
  operations.gramWorkspace = gramWorkspace<T>;
  operations.fewRows = fewRows<T>;
#else
  operations.gram = nullptr;
  operations.gramWorkspace = nullptr;
  operations.fewRows = nullptr;
#endif
  operations.invertSmall = invertSmall<T>;
  operations.invertSmallWorkspace = invertSmallWorkspace<T>;
  operations.invertFactor = invertFactor<T>;
  operations.invertFactorWorkspace = invertFactorWorkspace<T>;
  operations.firstNonFinite = firstNonFinite<T>;
  operations.columnSums = columnSums<T, false>;
  operations.columnSquareSums = columnSums<T, true>;
  operations.sumOfSquares = sumOfSquares<T>;
  operations.norms = norms<T>;
  operations.mirror = mirror<T>;
  operations.dot = dot<T>;
  operations.scale = scale<T>;
  operations.multiply = shiftedPass<T, false>;
  operations.divide = shiftedPass<T, true>;
  operations.update = update<T>;
  operations.combine = combine<T>;
}

}  // namespace

void fillKernels(Operations<float>& operations) { fill(operations); }
void fillKernels(Operations<double>& operations) { fill(operations); }

}  // namespace NATGRAD_SIMD
}  // namespace natgrad
