// What the functions of libcublas do once they are called: check, and queue the product. Products of float32 matrices
// are accumulated in float64 and rounded once.
#pragma once

#include <algorithm>
#include <cstring>
#include <functional>
#include <utility>

#include "arguments.h"
#include "functions.h"
#include "lapack.h"
#include "matrix.h"
#include "memory.h"
#include "state.h"
#include "stream.h"

namespace natgrad::fakeCuda {

struct BlasHandle {
  void* stream = nullptr;
  int mathMode = mathDefault;
  void* workspace = nullptr;
  size_t workspaceBytes = 0;
};

inline BlasHandle* findHandle(void* handle) {
  return checkObject(handle, Kind::blasHandle) ? static_cast<BlasHandle*>(handle) : nullptr;
}

inline Reading readingOf(const BlasHandle& handle) { return {handle.mathMode == mathTensorFloat32}; }

// Work as cuBLAS does it: in the workspace of the handle, which afterwards holds what nobody can use.
inline int enqueueProduct(const BlasHandle& handle, std::function<void()> work) {
  static constexpr size_t spoiled = 4096;
  const bool done = enqueue(handle.stream, [handle, work = std::move(work)] {
    if (handle.workspaceBytes > 0 && checkDevice(handle.workspace, handle.workspaceBytes, "workspace")) {
      std::memset(handle.workspace, 0xff, std::min(handle.workspaceBytes, spoiled));
    }
    work();
  });
  return done ? 0 : blasExecutionFailed;
}

inline const char* letterOf(int transpose) { return transpose == notTransposed ? "N" : "T"; }

// C = alpha op(A) op(B) + beta C in place of C.
inline void multiply(int transposeA, int transposeB, double alpha, Packed& a, Packed& b, double beta, Packed& c) {
  const int m = c.rows();
  const int n = c.columns();
  const int k = transposeA == notTransposed ? a.columns() : a.rows();
  if (m == 0 || n == 0) return;
  const int lda = std::max(1, a.rows());
  const int ldb = std::max(1, b.rows());
  dgemm_(letterOf(transposeA), letterOf(transposeB), &m, &n, &k, &alpha, a.data(), &lda, b.data(), &ldb, &beta,
         c.data(), &m);
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

  // With the element type that the pointers are said to have.
  template <class S>
  Gemm<S> as() const {
    return {transposeA,
            transposeB,
            m,
            n,
            k,
            static_cast<const S*>(alpha),
            static_cast<const S*>(a),
            lda,
            strideA,
            static_cast<const S*>(b),
            ldb,
            strideB,
            static_cast<const S*>(beta),
            static_cast<S*>(c),
            ldc,
            strideC,
            count};
  }
};

template <class T>
int gemm(void* handle, const Gemm<T>& g, bool tensorFloat32 = false) {
  const BlasHandle* const own = findHandle(handle);
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
int syrk(void* handle, int triangle, int transpose, int n, int k, const T* alpha, const T* x, int ldx, const T* beta,
         T* c, int ldc) {
  const BlasHandle* const own = findHandle(handle);
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
  return enqueueProduct(
      *own, [=, alpha = static_cast<double>(*alpha), beta = static_cast<double>(*beta), read = readingOf(*own)] {
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
  const BlasHandle* const own = findHandle(handle);
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
  return enqueueProduct(
      *own, [=, alpha = static_cast<double>(*alpha), beta = static_cast<double>(*beta), read = readingOf(*own)] {
        Packed symmetric = Packed::triangle(order, triangle, true, false, a, lda, read);
        Packed other = Packed::general(m, n, b, ldb, read);
        Packed out = beta == 0 ? Packed(m, n) : Packed::general(m, n, c, ldc, {});
        multiply(notTransposed, notTransposed, alpha, side == leftSide ? symmetric : other,
                 side == leftSide ? other : symmetric, beta, out);
        out.store(c, ldc);
      });
}

using UntypedGemm = Gemm<void>;

// Of the combinations of types that cuBLAS knows, those of the back end.
inline int gemmOfTypes(void* handle, const UntypedGemm& g, int typeA, int typeB, int typeC, int compute) {
  const auto all = [&](int type) { return typeA == type && typeB == type && typeC == type; };
  if (all(dataFloat32) && compute == computeFloat32) return gemm(handle, g.as<float>());
  if (all(dataFloat32) && compute == computeTensorFloat32) return gemm(handle, g.as<float>(), true);
  if (all(dataFloat64) && compute == computeFloat64) return gemm(handle, g.as<double>());
  violation("matrices of types %d, %d and %d do not go with compute type %d", typeA, typeB, typeC, compute);
  return blasNotSupported;
}

}  // namespace natgrad::fakeCuda
