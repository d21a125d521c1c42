// Products with triangular matrices and their undoing.
#pragma once

#include "blasProducts.h"

namespace natgrad::fakeCuda {

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
  dtrsm_(t.side == leftSide ? "L" : "R", t.triangle == lowerTriangle ? "L" : "U", letterOf(t.transpose), "N", &t.m,
         &t.n, &alpha, l.data(), &order, x.data(), &t.m);
  x.store(b, ldb);
}

template <class T>
int trsm(void* handle, const Triangular& t, const T* alpha, const T* a, int lda, T* b, int ldb) {
  const BlasHandle* const own = findHandle(handle);
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
int trsmBatched(void* handle, const Triangular& t, const T* alpha, const T* const* a, int lda, T* const* b, int ldb,
                int count) {
  const BlasHandle* const own = findHandle(handle);
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
  const BlasHandle* const own = findHandle(handle);
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

}  // namespace natgrad::fakeCuda
