// Compared with NVIDIA's headers, nothing to run: that the functions of functions.h have the parameters that they have
// there, as far as a caller in machine code can tell.
#include <cublas_v2.h>
#include <cuda.h>
#include <cusolverDn.h>

// The lists are wanted, the declarations would contradict NVIDIA's.
#define FAKE_CUDA_LISTS_ONLY
#include "functions.h"
#include "passedAlike.h"

namespace natgrad::fakeCuda {
namespace {

using test::Alike;

#define FAKE_CUDA_COMPARE(name, parameters) static_assert(Alike<int parameters, decltype(::name)>::value, #name);
FAKE_CUDA_DRIVER(FAKE_CUDA_COMPARE)
FAKE_CUDA_BLAS(FAKE_CUDA_COMPARE)
FAKE_CUDA_SOLVER(FAKE_CUDA_COMPARE)

// In C++, NVIDIA overloads these two for an older type of their last but one parameter.
using Products = cublasStatus_t(cublasHandle_t, cublasOperation_t, cublasOperation_t, int, int, int, const void*,
                                const void*, cudaDataType, int, const void*, cudaDataType, int, const void*, void*,
                                cudaDataType, int, cublasComputeType_t, cublasGemmAlgo_t);
using StackedProducts = cublasStatus_t(cublasHandle_t, cublasOperation_t, cublasOperation_t, int, int, int, const void*,
                                       const void*, cudaDataType, int, long long, const void*, cudaDataType, int,
                                       long long, const void*, void*, cudaDataType, int, long long, int,
                                       cublasComputeType_t, cublasGemmAlgo_t);
static_assert(std::is_pointer_v<decltype(static_cast<Products*>(&::cublasGemmEx))>);
static_assert(std::is_pointer_v<decltype(static_cast<StackedProducts*>(&::cublasGemmStridedBatchedEx))>);
#define FAKE_CUDA_TYPE(name, parameters) using name##Type = int parameters;
FAKE_CUDA_BLAS_MIXED(FAKE_CUDA_TYPE)
static_assert(Alike<cublasGemmExType, Products>::value &&
              Alike<cublasGemmStridedBatchedExType, StackedProducts>::value);

#define FAKE_CUDA_SAME(ours, theirs) static_assert(static_cast<int>(ours) == static_cast<int>(theirs), #ours);
FAKE_CUDA_SAME(driverInvalidValue, CUDA_ERROR_INVALID_VALUE)
FAKE_CUDA_SAME(driverOutOfMemory, CUDA_ERROR_OUT_OF_MEMORY)
FAKE_CUDA_SAME(driverNotInitialized, CUDA_ERROR_NOT_INITIALIZED)
FAKE_CUDA_SAME(driverNoDevice, CUDA_ERROR_NO_DEVICE)
FAKE_CUDA_SAME(driverInvalidDevice, CUDA_ERROR_INVALID_DEVICE)
FAKE_CUDA_SAME(driverInvalidContext, CUDA_ERROR_INVALID_CONTEXT)
FAKE_CUDA_SAME(driverNoBinaryForGpu, CUDA_ERROR_NO_BINARY_FOR_GPU)
FAKE_CUDA_SAME(driverInvalidPtx, CUDA_ERROR_INVALID_PTX)
FAKE_CUDA_SAME(driverUnsupportedPtxVersion, CUDA_ERROR_UNSUPPORTED_PTX_VERSION)
FAKE_CUDA_SAME(driverNotFound, CUDA_ERROR_NOT_FOUND)
FAKE_CUDA_SAME(driverInvalidHandle, CUDA_ERROR_INVALID_HANDLE)
FAKE_CUDA_SAME(driverIllegalAddress, CUDA_ERROR_ILLEGAL_ADDRESS)
FAKE_CUDA_SAME(blasNotInitialized, CUBLAS_STATUS_NOT_INITIALIZED)
FAKE_CUDA_SAME(blasInvalidValue, CUBLAS_STATUS_INVALID_VALUE)
FAKE_CUDA_SAME(blasExecutionFailed, CUBLAS_STATUS_EXECUTION_FAILED)
FAKE_CUDA_SAME(blasNotSupported, CUBLAS_STATUS_NOT_SUPPORTED)
FAKE_CUDA_SAME(solverNotInitialized, CUSOLVER_STATUS_NOT_INITIALIZED)
FAKE_CUDA_SAME(solverInvalidValue, CUSOLVER_STATUS_INVALID_VALUE)
FAKE_CUDA_SAME(solverExecutionFailed, CUSOLVER_STATUS_EXECUTION_FAILED)
FAKE_CUDA_SAME(lowerTriangle, CUBLAS_FILL_MODE_LOWER)
FAKE_CUDA_SAME(upperTriangle, CUBLAS_FILL_MODE_UPPER)
FAKE_CUDA_SAME(leftSide, CUBLAS_SIDE_LEFT)
FAKE_CUDA_SAME(rightSide, CUBLAS_SIDE_RIGHT)
FAKE_CUDA_SAME(notTransposed, CUBLAS_OP_N)
FAKE_CUDA_SAME(transposed, CUBLAS_OP_T)
FAKE_CUDA_SAME(conjugateTransposed, CUBLAS_OP_C)
FAKE_CUDA_SAME(generalDiagonal, CUBLAS_DIAG_NON_UNIT)
FAKE_CUDA_SAME(unitDiagonal, CUBLAS_DIAG_UNIT)
FAKE_CUDA_SAME(dataFloat32, CUDA_R_32F)
FAKE_CUDA_SAME(dataFloat64, CUDA_R_64F)
FAKE_CUDA_SAME(computeFloat32, CUBLAS_COMPUTE_32F)
FAKE_CUDA_SAME(computeFloat64, CUBLAS_COMPUTE_64F)
FAKE_CUDA_SAME(computeTensorFloat32, CUBLAS_COMPUTE_32F_FAST_TF32)
FAKE_CUDA_SAME(mathDefault, CUBLAS_DEFAULT_MATH)
FAKE_CUDA_SAME(mathPedantic, CUBLAS_PEDANTIC_MATH)
FAKE_CUDA_SAME(mathTensorFloat32, CUBLAS_TF32_TENSOR_OP_MATH)

}  // namespace
}  // namespace natgrad::fakeCuda
