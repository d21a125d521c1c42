// The BLAS and LAPACK routines we call, by their Fortran names, so that no header of OpenBLAS is needed to build.
// Column-major; every argument by reference; a length for every character argument at the end.
#pragma once

#include <cstddef>

extern "C" {

void openblas_set_num_threads(int threads);

#define NATGRAD_DECLARE_BLAS(T, p)                                                                                   \
  void p##gemm_(const char* transA, const char* transB, const int* m, const int* n, const int* k, const T* alpha,    \
                const T* a, const int* lda, const T* b, const int* ldb, const T* beta, T* c, const int* ldc, size_t, \
                size_t);                                                                                             \
  void p##syrk_(const char* uplo, const char* trans, const int* n, const int* k, const T* alpha, const T* a,         \
                const int* lda, const T* beta, T* c, const int* ldc, size_t, size_t);                                \
  void p##symm_(const char* side, const char* uplo, const int* m, const int* n, const T* alpha, const T* a,          \
                const int* lda, const T* b, const int* ldb, const T* beta, T* c, const int* ldc, size_t, size_t);    \
  void p##trmm_(const char* side, const char* uplo, const char* trans, const char* diag, const int* m, const int* n, \
                const T* alpha, const T* a, const int* lda, T* b, const int* ldb, size_t, size_t, size_t, size_t);   \
  void p##lauum_(const char* uplo, const int* n, T* a, const int* lda, int* info, size_t);                           \
  void p##syevd_(const char* jobz, const char* uplo, const int* n, T* a, const int* lda, T* w, T* work,              \
                 const int* lwork, int* iwork, const int* liwork, int* info, size_t, size_t);

NATGRAD_DECLARE_BLAS(float, s)
NATGRAD_DECLARE_BLAS(double, d)
#undef NATGRAD_DECLARE_BLAS

}  // extern "C"
