// cuSOLVER is column-major: the lower triangle of a row-major matrix is the upper one of the same memory, and A = LL'
// is U'U with U = L'.
#include <limits>
#include <vector>

#include "cuda/operations.h"

namespace natgrad::cuda {

namespace {

#define NATGRAD_ROUTINE(name)                  \
  template <class T>                           \
  auto name##Routine(const Cusolver& solver) { \
    if constexpr (std::is_same_v<T, float>) {  \
      return solver.cusolverDnS##name;         \
    } else {                                   \
      return solver.cusolverDnD##name;         \
    }                                          \
  }
NATGRAD_ROUTINE(potrf_bufferSize)
NATGRAD_ROUTINE(potrf)
NATGRAD_ROUTINE(potri_bufferSize)
NATGRAD_ROUTINE(potri)
NATGRAD_ROUTINE(potrfBatched)
NATGRAD_ROUTINE(syevd_bufferSize)
NATGRAD_ROUTINE(syevd)
#undef NATGRAD_ROUTINE

template <class T>
auto trsmBatchedRoutine(const Cublas& blas) {
  if constexpr (std::is_same_v<T, float>) {
    return blas.cublasStrsmBatched;
  } else {
    return blas.cublasDtrsmBatched;
  }
}

// n^3 operations: what a single large matrix needs least of.
template <class T>
DeviceStatus invertOne(Context& context, int n, T* a, int32_t* info) {
  const Cusolver& solver = context.libraries.solver;
  int forFactor = 0, forInverse = 0;
  NATGRAD_TRY(context.checkSolver("cusolverDnPotrf_bufferSize",
                                  potrf_bufferSizeRoutine<T>(solver)(context.solver, fillUpper, n, a, n, &forFactor)));
  NATGRAD_TRY(context.checkSolver("cusolverDnPotri_bufferSize",
                                  potri_bufferSizeRoutine<T>(solver)(context.solver, fillUpper, n, a, n, &forInverse)));
  Scratch<T> factorWork(context), inverseWork(context);
  Scratch<int32_t> inverseInfo(context);
  NATGRAD_TRY(factorWork.allocate(forFactor));
  NATGRAD_TRY(inverseWork.allocate(forInverse));
  NATGRAD_TRY(inverseInfo.allocate(1));
  NATGRAD_TRY(context.checkSolver("cusolverDnPotrf", potrfRoutine<T>(solver)(context.solver, fillUpper, n, a, n,
                                                                             factorWork.data(), forFactor, info)));
  return context.checkSolver(
      "cusolverDnPotri",
      potriRoutine<T>(solver)(context.solver, fillUpper, n, a, n, inverseWork.data(), forInverse, inverseInfo.data()));
}

// Three calls for any number of matrices: A = LL', X = L^-1 as the solution of L X = I, A^-1 = X'X. Three times the
// operations, but a single matrix of such a size leaves most of a device idle.
template <class T>
DeviceStatus invertStack(Context& context, int n, int count, T* a, int32_t* info) {
  const int64_t size = static_cast<int64_t>(n) * n;
  Scratch<T> x(context);
  Scratch<T*> pointers(context);
  NATGRAD_TRY(x.allocate(count * size));
  NATGRAD_TRY(pointers.allocate(2 * count));
  std::vector<T*> all;
  for (int i = 0; i < count; ++i) all.push_back(a + i * size);
  for (int i = 0; i < count; ++i) all.push_back(x.data() + i * size);
  NATGRAD_TRY(context.checkDriver(
      "cuMemcpyHtoDAsync", context.staging.upload(context.libraries.driver, context.stream, all.data(), pointers.data(),
                                                  all.size() * sizeof(T*))));
  T** const factors = pointers.data();
  T** const solutions = factors + count;
  NATGRAD_TRY(context.launch(kernelFor<T>(context.kernels.identityF32, context.kernels.identityF64),
                             blocksFor(count * size), blockThreads, n, count, 1.0, x.data()));
  NATGRAD_TRY(context.checkSolver(
      "cusolverDnPotrfBatched",
      potrfBatchedRoutine<T>(context.libraries.solver)(context.solver, fillUpper, n, factors, n, info, count)));
  NATGRAD_TRY(context.setMath(ProductMath::full));
  // Column-major U X' = I: what it leaves in row-major is L^-1.
  const T one = 1;
  NATGRAD_TRY(context.checkBlas("cublasTrsmBatched", trsmBatchedRoutine<T>(context.libraries.blas)(
                                                         context.blas, sideLeft, fillUpper, plain, diagonalStored, n, n,
                                                         &one, factors, n, solutions, n, count)));
  DeviceOperations<T> products{};
  fillProducts(products);
  return products.gemmStack(&context, ProductMath::full, true, false, n, n, n, T(1), x.data(), x.data(), T(0), a,
                            count);
}

template <class T>
DeviceStatus invert(void* device, int64_t n, int64_t count, T* a, int32_t* info) {
  // Where the batched calls, which are meant for small matrices, stop to pay. Not measured.
  constexpr int64_t largestInStack = 512;
  return within(device, [&](Context& context) {
    if (n == 0 || count == 0) return DeviceStatus::ok;
    if (n > std::numeric_limits<int>::max() || count > std::numeric_limits<int>::max())
      return DeviceStatus::outOfMemory;
    if (count > 1 && n <= largestInStack)
      return invertStack(context, static_cast<int>(n), static_cast<int>(count), a, info);
    for (int64_t i = 0; i < count; ++i) NATGRAD_TRY(invertOne(context, static_cast<int>(n), a + i * n * n, info + i));
    return DeviceStatus::ok;
  });
}

template <class T>
DeviceStatus eigh(void* device, int64_t n, T* a, T* values, int32_t* info) {
  return within(device, [&](Context& context) {
    if (n == 0) return DeviceStatus::ok;
    if (n > std::numeric_limits<int>::max()) return DeviceStatus::outOfMemory;
    const Cusolver& solver = context.libraries.solver;
    const int size = static_cast<int>(n);
    int length = 0;
    NATGRAD_TRY(context.checkSolver(
        "cusolverDnSyevd_bufferSize",
        syevd_bufferSizeRoutine<T>(solver)(context.solver, withVectors, fillUpper, size, a, size, values, &length)));
    Scratch<T> work(context);
    NATGRAD_TRY(work.allocate(length));
    return context.checkSolver("cusolverDnSyevd", syevdRoutine<T>(solver)(context.solver, withVectors, fillUpper, size,
                                                                          a, size, values, work.data(), length, info));
  });
}

}  // namespace

template <class T>
void fillFactorizations(DeviceOperations<T>& operations) {
  operations.invert = invert<T>;
  operations.eigh = eigh<T>;
}

template void fillFactorizations<float>(DeviceOperations<float>&);
template void fillFactorizations<double>(DeviceOperations<double>&);

}  // namespace natgrad::cuda
