// libcublas. Products of float32 matrices are accumulated in float64 and rounded once.
#include <memory>
#include <vector>

#include "arguments.h"
#include "functions.h"
#include "lapack.h"
#include "matrix.h"
#include "memory.h"
#include "state.h"
#include "stream.h"

namespace natgrad::fakeCuda {
namespace {

struct Handle {
  void* stream = nullptr;
  int mathMode = mathDefault;
  void* workspace = nullptr;
  size_t workspaceBytes = 0;
};

Handle* find(void* handle) {
  return checkObject(handle, Kind::blasHandle) ? static_cast<Handle*>(handle) : nullptr;
}

Reading readingOf(const Handle& handle) { return {handle.mathMode == mathTensorFloat32}; }

// Work as cuBLAS does it: in the workspace of the handle, which afterwards holds what nobody can use.
int enqueueProduct(const Handle& handle, std::function<void()> work) {
  static constexpr size_t spoiled = 4096;
  const bool done = enqueue(handle.stream, [handle, work = std::move(work)] {
    if (handle.workspaceBytes > 0 && checkDevice(handle.workspace, handle.workspaceBytes, "workspace")) {
      std::memset(handle.workspace, 0xff, std::min(handle.workspaceBytes, spoiled));
    }
    work();
  });
  return done ? 0 : blasExecutionFailed;
}

const char* letterOf(int transpose) { return transpose == notTransposed ? "N" : "T"; }

// C = alpha op(A) op(B) + beta C in place of C.
void multiply(int transposeA, int transposeB, double alpha, Packed& a, Packed& b, double beta, Packed& c) {
  const int m = c.rows();
  const int n = c.columns();
  const int k = transposeA == notTransposed ? a.columns() : a.rows();
  if (m == 0 || n == 0) return;
  const int lda = std::max(1, a.rows());
  const int ldb = std::max(1, b.rows());
  dgemm_(letterOf(transposeA), letterOf(transposeB), &m, &n, &k, &alpha, a.data(), &lda, b.data(), &ldb, &beta, c.data(), &m);
}

template <class T>
Extent extent(const T* data, int64_t rows, int64_t columns, int64_t ld, int64_t count = 1, int64_t stride = 0) {
  return {data, rows, columns, ld, sizeof(T), count, stride};
}

template <class T>
struct Gemm {
  int transposeA, transposeB, m, n, k;
  const T* alpha;
  const T* a;
  int lda;
  long long strideA;
  const T* b;
  int ldb;
  long long strideB;
  const T* beta;
  T* c;
  int ldc;
  long long strideC;
  int count;
};

template <class T>
int gemm(void* handle, const Gemm<T>& g, bool tensorFloat32 = false) {
  const Handle* const own = find(handle);
  if (own == nullptr) return blasNotInitialized;
  const bool plainA = g.transposeA == notTransposed;
  const bool plainB = g.transposeB == notTransposed;
  const int rowsA = plainA ? g.m : g.k, columnsA = plainA ? g.k : g.m;
  const int rowsB = plainB ? g.k : g.n, columnsB = plainB ? g.n : g.k;
  const Extent a = extent(g.a, rowsA, columnsA, g.lda, g.count, g.strideA);
  const Extent b = extent(g.b, rowsB, columnsB, g.ldb, g.count, g.strideB);
  const Extent c = extent(g.c, g.m, g.n, g.ldc, g.count, g.strideC);
  Arguments arguments;
  arguments.option("transa", g.transposeA, {notTransposed, transposed, conjugateTransposed});
  arguments.option("transb", g.transposeB, {notTransposed, transposed, conjugateTransposed});
  arguments.size("m", g.m);
  arguments.size("n", g.n);
  arguments.size("k", g.k);
  arguments.size("the number of matrices", g.count);
  arguments.scalar("alpha", g.alpha, sizeof(T));
  arguments.scalar("beta", g.beta, sizeof(T));
  arguments.input("A", a);
  arguments.input("B", b);
  arguments.output("C", c);
  arguments.apart("A", c, a);
  arguments.apart("B", c, b);
  if (!arguments.good()) return blasInvalidValue;
  const double alpha = static_cast<double>(*g.alpha);
  const double beta = static_cast<double>(*g.beta);
  const Reading read{tensorFloat32 || readingOf(*own).tensorFloat32};
  return enqueueProduct(*own, [=] {
    for (int i = 0; i < g.count; ++i) {
      Packed left = Packed::general(rowsA, columnsA, g.a + i * g.strideA, g.lda, read);
      Packed right = Packed::general(rowsB, columnsB, g.b + i * g.strideB, g.ldb, read);
      T* const out = g.c + i * g.strideC;
      Packed product = beta == 0 ? Packed(g.m, g.n) : Packed::general(g.m, g.n, out, g.ldc, {});
      multiply(g.transposeA, g.transposeB, alpha, left, right, beta, product);
      product.store(out, g.ldc);
    }
  });
}

template <class T>
int syrk(void* handle, int triangle, int transpose, int n, int k, const T* alpha, const T* x, int ldx, const T* beta, T* c,
         int ldc) {
  const Handle* const own = find(handle);
  if (own == nullptr) return blasNotInitialized;
  const int rows = transpose == notTransposed ? n : k;
  const int columns = transpose == notTransposed ? k : n;
  Arguments arguments;
  arguments.option("uplo", triangle, {lowerTriangle, upperTriangle});
  arguments.option("trans", transpose, {notTransposed, transposed, conjugateTransposed});
  arguments.size("n", n);
  arguments.size("k", k);
  arguments.scalar("alpha", alpha, sizeof(T));
  arguments.scalar("beta", beta, sizeof(T));
  arguments.input("A", extent(x, rows, columns, ldx));
  arguments.output("C", extent(c, n, n, ldc));
  arguments.apart("A", extent(c, n, n, ldc), extent(x, rows, columns, ldx));
  if (!arguments.good()) return blasInvalidValue;
  return enqueueProduct(*own, [=, alpha = static_cast<double>(*alpha), beta = static_cast<double>(*beta),
                               read = readingOf(*own)] {
    Packed left = Packed::general(rows, columns, x, ldx, read);
    Packed right = left;
    Packed out = beta == 0 ? Packed(n, n) : Packed::triangle(n, triangle, false, false, c, ldc, {});
    const bool plain = transpose == notTransposed;
    multiply(plain ? notTransposed : transposed, plain ? transposed : notTransposed, alpha, left, right, beta, out);
    out.storeTriangle(triangle, c, ldc);
  });
}

template <class T>
int symm(void* handle, int side, int triangle, int m, int n, const T* alpha, const T* a, int lda, const T* b, int ldb,
         const T* beta, T* c, int ldc) {
  const Handle* const own = find(handle);
  if (own == nullptr) return blasNotInitialized;
  const int order = side == leftSide ? m : n;
  Arguments arguments;
  arguments.option("side", side, {leftSide, rightSide});
  arguments.option("uplo", triangle, {lowerTriangle, upperTriangle});
  arguments.size("m", m);
  arguments.size("n", n);
  arguments.scalar("alpha", alpha, sizeof(T));
  arguments.scalar("beta", beta, sizeof(T));
  arguments.input("A", extent(a, order, order, lda));
  arguments.input("B", extent(b, m, n, ldb));
  arguments.output("C", extent(c, m, n, ldc));
  arguments.apart("A", extent(c, m, n, ldc), extent(a, order, order, lda));
  arguments.apart("B", extent(c, m, n, ldc), extent(b, m, n, ldb));
  if (!arguments.good()) return blasInvalidValue;
  return enqueueProduct(*own, [=, alpha = static_cast<double>(*alpha), beta = static_cast<double>(*beta),
                               read = readingOf(*own)] {
    Packed symmetric = Packed::triangle(order, triangle, true, false, a, lda, read);
    Packed other = Packed::general(m, n, b, ldb, read);
    Packed out = beta == 0 ? Packed(m, n) : Packed::general(m, n, c, ldc, {});
    multiply(notTransposed, notTransposed, alpha, side == leftSide ? symmetric : other,
             side == leftSide ? other : symmetric, beta, out);
    out.store(c, ldc);
  });
}

// The arguments that trsm and trmm have in common.
struct Triangular {
  int side, triangle, transpose, diagonal, m, n;

  int order() const { return side == leftSide ? m : n; }

  template <class T>
  void check(Arguments& arguments, const T* alpha) const {
    arguments.option("side", side, {leftSide, rightSide});
    arguments.option("uplo", triangle, {lowerTriangle, upperTriangle});
    arguments.option("trans", transpose, {notTransposed, transposed, conjugateTransposed});
    arguments.option("diag", diagonal, {generalDiagonal, unitDiagonal});
    arguments.size("m", m);
    arguments.size("n", n);
    arguments.scalar("alpha", alpha, sizeof(T));
  }

  template <class T>
  Packed matrix(const T* a, int lda, Reading read) const {
    return Packed::triangle(order(), triangle, false, diagonal == unitDiagonal, a, lda, read);
  }
};

template <class T>
void solve(const Triangular& t, double alpha, const T* a, int lda, T* b, int ldb, Reading read) {
  if (t.m == 0 || t.n == 0) return;
  Packed l = t.matrix(a, lda, read);
  Packed x = Packed::general(t.m, t.n, b, ldb, {});
  const int order = t.order();
  dtrsm_(t.side == leftSide ? "L" : "R", t.triangle == lowerTriangle ? "L" : "U", letterOf(t.transpose), "N", &t.m, &t.n,
         &alpha, l.data(), &order, x.data(), &t.m);
  x.store(b, ldb);
}

template <class T>
int trsm(void* handle, const Triangular& t, const T* alpha, const T* a, int lda, T* b, int ldb) {
  const Handle* const own = find(handle);
  if (own == nullptr) return blasNotInitialized;
  Arguments arguments;
  t.check(arguments, alpha);
  arguments.input("A", extent(a, t.order(), t.order(), lda));
  arguments.output("B", extent(b, t.m, t.n, ldb));
  arguments.apart("A", extent(b, t.m, t.n, ldb), extent(a, t.order(), t.order(), lda));
  if (!arguments.good()) return blasInvalidValue;
  return enqueueProduct(*own, [=, alpha = static_cast<double>(*alpha), read = readingOf(*own)] {
    solve(t, alpha, a, lda, b, ldb, read);
  });
}

template <class T>
int trsmBatched(void* handle, const Triangular& t, const T* alpha, const T* const* a, int lda, T* const* b, int ldb, int count) {
  const Handle* const own = find(handle);
  if (own == nullptr) return blasNotInitialized;
  Arguments arguments;
  t.check(arguments, alpha);
  arguments.size("the number of matrices", count);
  arguments.array("A", a, count, sizeof(T*));
  arguments.array("B", b, count, sizeof(T*));
  if (!arguments.good()) return blasInvalidValue;
  return enqueueProduct(*own, [=, alpha = static_cast<double>(*alpha), read = readingOf(*own)] {
    for (int i = 0; i < count; ++i) {
      Arguments matrices;
      matrices.input("a matrix of A", extent(a[i], t.order(), t.order(), lda));
      matrices.output("a matrix of B", extent(b[i], t.m, t.n, ldb));
      matrices.apart("a matrix of A", extent(b[i], t.m, t.n, ldb), extent(a[i], t.order(), t.order(), lda));
      if (matrices.good()) solve(t, alpha, a[i], lda, b[i], ldb, read);
    }
  });
}

template <class T>
int trmm(void* handle, const Triangular& t, const T* alpha, const T* a, int lda, const T* b, int ldb, T* c, int ldc) {
  const Handle* const own = find(handle);
  if (own == nullptr) return blasNotInitialized;
  Arguments arguments;
  t.check(arguments, alpha);
  arguments.input("A", extent(a, t.order(), t.order(), lda));
  arguments.input("B", extent(b, t.m, t.n, ldb));
  arguments.output("C", extent(c, t.m, t.n, ldc));
  arguments.apart("A", extent(c, t.m, t.n, ldc), extent(a, t.order(), t.order(), lda));
  if (b != c || ldb != ldc) arguments.apart("B", extent(c, t.m, t.n, ldc), extent(b, t.m, t.n, ldb));
  if (!arguments.good()) return blasInvalidValue;
  return enqueueProduct(*own, [=, alpha = static_cast<double>(*alpha), read = readingOf(*own)] {
    Packed l = t.matrix(a, lda, read);
    Packed other = Packed::general(t.m, t.n, b, ldb, read);
    Packed out(t.m, t.n);
    if (t.side == leftSide) {
      multiply(t.transpose, notTransposed, alpha, l, other, 0, out);
    } else {
      multiply(notTransposed, t.transpose, alpha, other, l, 0, out);
    }
    out.store(c, ldc);
  });
}

// Of the combinations of types that cuBLAS knows, those of the back end.
int gemmOfTypes(void* handle, const Gemm<void>& g, int typeA, int typeB, int typeC, int compute);

template <>
struct Gemm<void> {
  int transposeA, transposeB, m, n, k;
  const void* alpha;
  const void* a;
  int lda;
  long long strideA;
  const void* b;
  int ldb;
  long long strideB;
  const void* beta;
  void* c;
  int ldc;
  long long strideC;
  int count;

  template <class T>
  Gemm<T> as() const {
    return {transposeA, transposeB, m, n, k, static_cast<const T*>(alpha), static_cast<const T*>(a), lda, strideA,
            static_cast<const T*>(b), ldb, strideB, static_cast<const T*>(beta), static_cast<T*>(c), ldc, strideC, count};
  }
};

int gemmOfTypes(void* handle, const Gemm<void>& g, int typeA, int typeB, int typeC, int compute) {
  const auto all = [&](int type) { return typeA == type && typeB == type && typeC == type; };
  if (all(dataFloat32) && compute == computeFloat32) return gemm(handle, g.as<float>());
  if (all(dataFloat32) && compute == computeTensorFloat32) return gemm(handle, g.as<float>(), true);
  if (all(dataFloat64) && compute == computeFloat64) return gemm(handle, g.as<double>());
  violation("matrices of types %d, %d and %d do not go with compute type %d", typeA, typeB, typeC, compute);
  return blasNotSupported;
}

}  // namespace
}  // namespace natgrad::fakeCuda

using namespace natgrad::fakeCuda;

// A library of CUDA n does not work with a driver older than CUDA n.
int cublasCreate_v2(void** handle) {
  const Call call("cublasCreate_v2", Library::blas);
  if (call.fault() != 0) return call.fault();
  if (settings().driverVersion < FAKE_CUDA_MAJOR * 1000) return blasNotInitialized;
  openblas_set_num_threads(1);
  *handle = new Handle;  // never freed, so that its address is not used again
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
  if (find(handle) == nullptr) return blasNotInitialized;
  *version = FAKE_CUDA_MAJOR * 10000 + 100;
  return 0;
}

// As in cuBLAS, the workspace that was given before is given up.
int cublasSetStream_v2(void* handle, void* stream) {
  const Call call("cublasSetStream_v2", Library::blas);
  if (call.fault() != 0) return call.fault();
  Handle* const own = find(handle);
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
  Handle* const own = find(handle);
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
  Handle* const own = find(handle);
  if (own == nullptr) return blasNotInitialized;
  Arguments arguments;
  arguments.option("the math mode", mode, {mathDefault, mathPedantic, mathTensorFloat32});
  if (!arguments.good()) return blasInvalidValue;
  own->mathMode = mode;
  return 0;
}

#define FAKE_CUDA_DEFINE_BLAS(P, T)                                                                                       \
  int cublas##P##gemm_v2(void* handle, int transposeA, int transposeB, int m, int n, int k, const T* alpha, const T* a,   \
                         int lda, const T* b, int ldb, const T* beta, T* c, int ldc) {                                    \
    const Call call("cublas" #P "gemm_v2", Library::blas);                                                                \
    if (call.fault() != 0) return call.fault();                                                                           \
    return gemm<T>(handle, {transposeA, transposeB, m, n, k, alpha, a, lda, 0, b, ldb, 0, beta, c, ldc, 0, 1});           \
  }                                                                                                                       \
  int cublas##P##gemmStridedBatched(void* handle, int transposeA, int transposeB, int m, int n, int k, const T* alpha,    \
                                    const T* a, int lda, long long strideA, const T* b, int ldb, long long strideB,       \
                                    const T* beta, T* c, int ldc, long long strideC, int count) {                         \
    const Call call("cublas" #P "gemmStridedBatched", Library::blas);                                                     \
    if (call.fault() != 0) return call.fault();                                                                           \
    return gemm<T>(handle, {transposeA, transposeB, m, n, k, alpha, a, lda, strideA, b, ldb, strideB, beta, c, ldc,       \
                            strideC, count});                                                                             \
  }                                                                                                                       \
  int cublas##P##syrk_v2(void* handle, int triangle, int transpose, int n, int k, const T* alpha, const T* a, int lda,    \
                         const T* beta, T* c, int ldc) {                                                                  \
    const Call call("cublas" #P "syrk_v2", Library::blas);                                                                \
    if (call.fault() != 0) return call.fault();                                                                           \
    return syrk<T>(handle, triangle, transpose, n, k, alpha, a, lda, beta, c, ldc);                                       \
  }                                                                                                                       \
  int cublas##P##symm_v2(void* handle, int side, int triangle, int m, int n, const T* alpha, const T* a, int lda,         \
                         const T* b, int ldb, const T* beta, T* c, int ldc) {                                             \
    const Call call("cublas" #P "symm_v2", Library::blas);                                                                \
    if (call.fault() != 0) return call.fault();                                                                           \
    return symm<T>(handle, side, triangle, m, n, alpha, a, lda, b, ldb, beta, c, ldc);                                    \
  }                                                                                                                       \
  int cublas##P##trsm_v2(void* handle, int side, int triangle, int transpose, int diagonal, int m, int n, const T* alpha, \
                         const T* a, int lda, T* b, int ldb) {                                                            \
    const Call call("cublas" #P "trsm_v2", Library::blas);                                                                \
    if (call.fault() != 0) return call.fault();                                                                           \
    return trsm<T>(handle, {side, triangle, transpose, diagonal, m, n}, alpha, a, lda, b, ldb);                           \
  }                                                                                                                       \
  int cublas##P##trmm_v2(void* handle, int side, int triangle, int transpose, int diagonal, int m, int n, const T* alpha, \
                         const T* a, int lda, const T* b, int ldb, T* c, int ldc) {                                       \
    const Call call("cublas" #P "trmm_v2", Library::blas);                                                                \
    if (call.fault() != 0) return call.fault();                                                                           \
    return trmm<T>(handle, {side, triangle, transpose, diagonal, m, n}, alpha, a, lda, b, ldb, c, ldc);                   \
  }                                                                                                                       \
  int cublas##P##trsmBatched(void* handle, int side, int triangle, int transpose, int diagonal, int m, int n,             \
                             const T* alpha, const T* const* a, int lda, T* const* b, int ldb, int count) {               \
    const Call call("cublas" #P "trsmBatched", Library::blas);                                                            \
    if (call.fault() != 0) return call.fault();                                                                           \
    return trsmBatched<T>(handle, {side, triangle, transpose, diagonal, m, n}, alpha, a, lda, b, ldb, count);             \
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
  return gemmOfTypes(handle,
                     {transposeA, transposeB, m, n, k, alpha, a, lda, strideA, b, ldb, strideB, beta, c, ldc, strideC, count},
                     typeA, typeB, typeC, compute);
}
