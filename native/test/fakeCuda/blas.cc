// libcublas.
#include "blasProducts.h"
#include "blasTriangles.h"

using namespace natgrad::fakeCuda;

// A library of CUDA n does not work with a driver older than CUDA n.
int cublasCreate_v2(void** handle) {
  const Call call("cublasCreate_v2", Library::blas);
  if (call.fault() != 0) return call.fault();
  if (settings().driverVersion < FAKE_CUDA_MAJOR * 1000) return blasNotInitialized;
  openblas_set_num_threads(1);
  *handle = makeForever<BlasHandle>();
  addObject(*handle, Kind::blasHandle);
  return 0;
}

int cublasDestroy_v2(void* handle) {
  const Call call("cublasDestroy_v2", Library::blas);
  if (call.fault() == blasNotInitialized) return call.fault();
  if (!removeObject(handle, Kind::blasHandle)) return blasNotInitialized;
  finishAllStreams();
  return call.fault();
}

int cublasGetVersion_v2(void* handle, int* version) {
  const Call call("cublasGetVersion_v2", Library::blas);
  if (call.fault() != 0) return call.fault();
  if (findHandle(handle) == nullptr) return blasNotInitialized;
  *version = FAKE_CUDA_MAJOR * 10000 + 100;
  return 0;
}

// As in cuBLAS, the workspace that was given before is given up.
int cublasSetStream_v2(void* handle, void* stream) {
  const Call call("cublasSetStream_v2", Library::blas);
  if (call.fault() != 0) return call.fault();
  BlasHandle* const own = findHandle(handle);
  if (own == nullptr) return blasNotInitialized;
  if (!checkObject(stream, Kind::stream)) return blasInvalidValue;
  own->stream = stream;
  own->workspace = nullptr;
  own->workspaceBytes = 0;
  return 0;
}

int cublasSetWorkspace_v2(void* handle, void* workspace, size_t bytes) {
  const Call call("cublasSetWorkspace_v2", Library::blas);
  if (call.fault() != 0) return call.fault();
  BlasHandle* const own = findHandle(handle);
  if (own == nullptr) return blasNotInitialized;
  if (reinterpret_cast<uintptr_t>(workspace) % 256 != 0) {
    violation("the workspace is not aligned to 256 bytes");
    return blasInvalidValue;
  }
  if (!checkDevice(workspace, bytes, "workspace")) return blasInvalidValue;
  own->workspace = workspace;
  own->workspaceBytes = bytes;
  return 0;
}

int cublasSetMathMode(void* handle, int mode) {
  const Call call("cublasSetMathMode", Library::blas);
  if (call.fault() != 0) return call.fault();
  BlasHandle* const own = findHandle(handle);
  if (own == nullptr) return blasNotInitialized;
  Arguments arguments;
  arguments.option("the math mode", mode, {mathDefault, mathPedantic, mathTensorFloat32});
  if (!arguments.good()) return blasInvalidValue;
  own->mathMode = mode;
  return 0;
}

#define FAKE_CUDA_DEFINE_BLAS(P, T)                                                                                    \
  int cublas##P##gemm_v2(void* handle, int transposeA, int transposeB, int m, int n, int k, const T* alpha,            \
                         const T* a, int lda, const T* b, int ldb, const T* beta, T* c, int ldc) {                     \
    const Call call("cublas" #P "gemm_v2", Library::blas);                                                             \
    if (call.fault() != 0) return call.fault();                                                                        \
    return gemm<T>(handle, {transposeA, transposeB, m, n, k, alpha, a, lda, 0, b, ldb, 0, beta, c, ldc, 0, 1});        \
  }                                                                                                                    \
  int cublas##P##gemmStridedBatched(void* handle, int transposeA, int transposeB, int m, int n, int k, const T* alpha, \
                                    const T* a, int lda, long long strideA, const T* b, int ldb, long long strideB,    \
                                    const T* beta, T* c, int ldc, long long strideC, int count) {                      \
    const Call call("cublas" #P "gemmStridedBatched", Library::blas);                                                  \
    if (call.fault() != 0) return call.fault();                                                                        \
    return gemm<T>(handle, {transposeA, transposeB, m, n, k, alpha, a, lda, strideA, b, ldb, strideB, beta, c, ldc,    \
                            strideC, count});                                                                          \
  }                                                                                                                    \
  int cublas##P##syrk_v2(void* handle, int triangle, int transpose, int n, int k, const T* alpha, const T* a, int lda, \
                         const T* beta, T* c, int ldc) {                                                               \
    const Call call("cublas" #P "syrk_v2", Library::blas);                                                             \
    if (call.fault() != 0) return call.fault();                                                                        \
    return syrk<T>(handle, triangle, transpose, n, k, alpha, a, lda, beta, c, ldc);                                    \
  }                                                                                                                    \
  int cublas##P##symm_v2(void* handle, int side, int triangle, int m, int n, const T* alpha, const T* a, int lda,      \
                         const T* b, int ldb, const T* beta, T* c, int ldc) {                                          \
    const Call call("cublas" #P "symm_v2", Library::blas);                                                             \
    if (call.fault() != 0) return call.fault();                                                                        \
    return symm<T>(handle, side, triangle, m, n, alpha, a, lda, b, ldb, beta, c, ldc);                                 \
  }                                                                                                                    \
  int cublas##P##trsm_v2(void* handle, int side, int triangle, int transpose, int diagonal, int m, int n,              \
                         const T* alpha, const T* a, int lda, T* b, int ldb) {                                         \
    const Call call("cublas" #P "trsm_v2", Library::blas);                                                             \
    if (call.fault() != 0) return call.fault();                                                                        \
    return trsm<T>(handle, {side, triangle, transpose, diagonal, m, n}, alpha, a, lda, b, ldb);                        \
  }                                                                                                                    \
  int cublas##P##trmm_v2(void* handle, int side, int triangle, int transpose, int diagonal, int m, int n,              \
                         const T* alpha, const T* a, int lda, const T* b, int ldb, T* c, int ldc) {                    \
    const Call call("cublas" #P "trmm_v2", Library::blas);                                                             \
    if (call.fault() != 0) return call.fault();                                                                        \
    return trmm<T>(handle, {side, triangle, transpose, diagonal, m, n}, alpha, a, lda, b, ldb, c, ldc);                \
  }                                                                                                                    \
  int cublas##P##trsmBatched(void* handle, int side, int triangle, int transpose, int diagonal, int m, int n,          \
                             const T* alpha, const T* const* a, int lda, T* const* b, int ldb, int count) {            \
    const Call call("cublas" #P "trsmBatched", Library::blas);                                                         \
    if (call.fault() != 0) return call.fault();                                                                        \
    return trsmBatched<T>(handle, {side, triangle, transpose, diagonal, m, n}, alpha, a, lda, b, ldb, count);          \
  }
FAKE_CUDA_DEFINE_BLAS(S, float)
FAKE_CUDA_DEFINE_BLAS(D, double)

int cublasGemmEx(void* handle, int transposeA, int transposeB, int m, int n, int k, const void* alpha, const void* a,
                 int typeA, int lda, const void* b, int typeB, int ldb, const void* beta, void* c, int typeC, int ldc,
                 int compute, int) {
  const Call call("cublasGemmEx", Library::blas);
  if (call.fault() != 0) return call.fault();
  return gemmOfTypes(handle, {transposeA, transposeB, m, n, k, alpha, a, lda, 0, b, ldb, 0, beta, c, ldc, 0, 1}, typeA,
                     typeB, typeC, compute);
}

int cublasGemmStridedBatchedEx(void* handle, int transposeA, int transposeB, int m, int n, int k, const void* alpha,
                               const void* a, int typeA, int lda, long long strideA, const void* b, int typeB, int ldb,
                               long long strideB, const void* beta, void* c, int typeC, int ldc, long long strideC,
                               int count, int compute, int) {
  const Call call("cublasGemmStridedBatchedEx", Library::blas);
  if (call.fault() != 0) return call.fault();
  return gemmOfTypes(
      handle, {transposeA, transposeB, m, n, k, alpha, a, lda, strideA, b, ldb, strideB, beta, c, ldc, strideC, count},
      typeA, typeB, typeC, compute);
}
