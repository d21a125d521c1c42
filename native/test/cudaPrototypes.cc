// Compared with NVIDIA's headers, nothing to run: that the functions of driver.h, cublas.h and cusolver.h have the
// parameters that they have there, as far as a caller in machine code can tell, and the constants their values.
#include <cublas_v2.h>
#include <cuda.h>
#include <cusolverDn.h>

#include "cuda/cublas.h"
#include "cuda/cusolver.h"
#include "cuda/driver.h"
#include "fakeCuda/passedAlike.h"

namespace natgrad::cuda {

namespace {

using test::Alike;

#define NATGRAD_COMPARE(name, ...) static_assert(Alike<int(__VA_ARGS__), decltype(::name)>::value, #name);
NATGRAD_DRIVER(NATGRAD_COMPARE)
NATGRAD_CUBLAS(NATGRAD_COMPARE)
NATGRAD_CUSOLVER(NATGRAD_COMPARE)
#undef NATGRAD_COMPARE

static_assert(cudaSuccess == CUDA_SUCCESS && cudaOutOfMemory == CUDA_ERROR_OUT_OF_MEMORY);
static_assert(streamNonBlocking == CU_STREAM_NON_BLOCKING && eventDisableTiming == CU_EVENT_DISABLE_TIMING);
static_assert(computeCapabilityMajor == CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR);
static_assert(computeCapabilityMinor == CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR);
static_assert(sizeof(DeviceAddress) == sizeof(CUdeviceptr));
static_assert(blasSuccess == CUBLAS_STATUS_SUCCESS && blasAllocationFailed == CUBLAS_STATUS_ALLOC_FAILED);
static_assert(fillUpper == CUBLAS_FILL_MODE_UPPER);
static_assert(sideLeft == CUBLAS_SIDE_LEFT && sideRight == CUBLAS_SIDE_RIGHT);
static_assert(plain == CUBLAS_OP_N && transposed == CUBLAS_OP_T && diagonalStored == CUBLAS_DIAG_NON_UNIT);
static_assert(mathDefault == CUBLAS_DEFAULT_MATH && mathTf32 == CUBLAS_TF32_TENSOR_OP_MATH);
static_assert(solverSuccess == CUSOLVER_STATUS_SUCCESS && solverAllocationFailed == CUSOLVER_STATUS_ALLOC_FAILED);
static_assert(withVectors == CUSOLVER_EIG_MODE_VECTOR);

}  // namespace

}  // namespace natgrad::cuda
