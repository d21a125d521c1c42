// What the core needs of a back end: a table of functions for each precision, plain enough to cross a plugin's
// boundary.
//
// Matrices are row-major; `ld` is the distance between rows in elements. "Lower" names a triangle of the row-major
// matrix; the other triangle is neither read nor written. No function throws. All may be called from several threads at
// once.
#pragma once

#include <cstdint>
#include <type_traits>

namespace natgrad {

constexpr uint32_t backendAbiVersion = 3;

// Matrices up to this size are inverted by `invertSmall`.
constexpr int64_t smallSize = 64;

// Triangles up to this size are inverted by `invertFactor`.
constexpr int64_t invertFactorSize = 128;

// Second moments of up to this many columns are computed by `gram`.
constexpr int64_t gramSize = 1024;

// Products with at most so many rows on the left are computed by `fewRows`.
constexpr int64_t fewRowsLimit = 256;

template <class T>
struct Operations {
  // C (m by n) = alpha op(A) op(B) + beta C, with k the inner dimension. With beta = 0, C is not read.
  void (*gemm)(bool transposeA, bool transposeB, int64_t m, int64_t n, int64_t k, T alpha, const T* a, int64_t lda,
               const T* b, int64_t ldb, T beta, T* c, int64_t ldc);

  // Lower triangle of C (n by n) = alpha X'X + beta C with X k by n, if `transpose`, else alpha XX' + beta C with X n
  // by k.
  void (*syrk)(bool transpose, int64_t n, int64_t k, T alpha, const T* x, int64_t ldx, T beta, T* c, int64_t ldc);

  // Rows [begin, end) of the lower triangle of C = alpha X'X + beta C, with X k by at least `end` <= gramSize. With beta = 0, C is not
  // read. `workspace` holds gramWorkspace(begin, end) elements, aligned to 64 bytes. Null where syrk is no slower.
  void (*gram)(int64_t begin, int64_t end, int64_t k, T alpha, const T* x, int64_t ldx, T beta, T* c, int64_t ldc,
               T* workspace);
  int64_t (*gramWorkspace)(int64_t begin, int64_t end);

  // C (m by n) = alpha A B + beta C, with A m by k and B k by n, for m <= fewRowsLimit. With beta = 0, C is not read. Null where gemm is no
  // slower.
  void (*fewRows)(int64_t m, int64_t n, int64_t k, T alpha, const T* a, int64_t lda, const T* b, int64_t ldb, T beta, T* c, int64_t ldc);

  // C (m by n) = A B if `left`, else B A, with A symmetric and given by its lower triangle.
  void (*symm)(bool left, int64_t m, int64_t n, const T* a, int64_t lda, const T* b, int64_t ldb, T* c, int64_t ldc);

  // B (m by n) = alpha op(L) B if `left`, else alpha B op(L), with L lower triangular.
  void (*trmm)(bool left, bool transpose, int64_t m, int64_t n, T alpha, const T* l, int64_t ldl, T* b, int64_t ldb);

  // Inverse of the Cholesky factor L of A = LL', n <= invertFactorSize, in the place of A: lower triangles all. Returns
  // false if A is not positive definite. `workspace` holds invertFactorWorkspace(n) elements, aligned to 64 bytes.
  bool (*invertFactor)(int64_t n, T* a, int64_t lda, T* workspace);
  int64_t (*invertFactorWorkspace)(int64_t n);

  // Lower triangle of L'L in place of L.
  void (*lauum)(int64_t n, T* a, int64_t lda);

  // Eigenvalues ascending, and the eigenvector of values[j] in ROW j of `a`, whose lower triangle was the matrix.
  // Returns 0; > 0 if the iteration did not converge; < 0 if there was no memory.
  int64_t (*syevd)(int64_t n, T* a, int64_t lda, T* values);

  // Inverts `count` matrices of one size n <= smallSize: out[i] = scale[i] * (scale[i] * (matrix[i] + damping[i]
  // I))^-1, full and exactly symmetric, so that with scale a power of two the result is the inverse and nothing over-
  // or underflows on the way. norm[i] is its Frobenius norm, or NaN where a pivot was not positive; out[i] is written
  // only if norm[i] <= limit[i]. The bits of a result depend on its own matrix only. `workspace` holds
  // invertSmallWorkspace(n) elements, aligned to 64 bytes. `out[i]` may be `matrix[i]`.
  void (*invertSmall)(int64_t n, int64_t count, const T* const* matrix, const double* damping, const double* scale,
                      const double* limit, T* const* out, double* norm, T* workspace);
  int64_t (*invertSmallWorkspace)(int64_t n);

  // Index of the first NaN or infinity of x, or -1.
  int64_t (*firstNonFinite)(const T* x, int64_t size);

  // sums[j] += sum over rows of x[r][j], or of its square.
  void (*columnSums)(int64_t rows, int64_t columns, const T* x, int64_t ldx, T* sums);
  void (*columnSquareSums)(int64_t rows, int64_t columns, const T* x, int64_t ldx, T* sums);

  // rowSums[i] = sum over j of |scale a_ij| of the symmetric matrix whose lower triangle is given; returns the sum of
  // the squares of all its elements. In float64. A NaN or an infinity in the triangle gives a result that is not
  // finite. sumOfSquares gives only the latter.
  double (*sumOfSquares)(int64_t n, const T* a, int64_t lda, double scale);
  double (*norms)(int64_t n, const T* a, int64_t lda, double scale, double* rowSums);

  // out (n by n, packed) = alpha times the symmetric matrix whose lower triangle is given; out may be `a` with lda = n.
  void (*mirror)(int64_t n, const T* a, int64_t lda, T alpha, T* out);

  // Inner product, accumulated in float64.
  double (*dot)(const T* x, const T* y, int64_t size);

  // out = diagonal * input, elementwise; returns the inner product of input and out, accumulated in float64.
  double (*scale)(const T* diagonal, const T* input, T* out, int64_t size);

  // out = left * (right + offset), or left / (right + offset), elementwise; returns the inner product of left and out,
  // accumulated in float64. `out` may be `left` or `right`.
  double (*multiply)(const T* left, const T* right, T offset, T* out, int64_t size);
  double (*divide)(const T* left, const T* right, T offset, T* out, int64_t size);

  // velocity = momentum velocity + step direction; weights = shrink weights + velocity. Without a velocity (null), the
  // step is added to the weights directly.
  void (*update)(T* weights, const T* direction, T* velocity, int64_t size, double momentum, double step,
                 double shrink);

  // out = sum over terms of scale * data; out may be one of data.
  void (*combine)(int64_t terms, const T* const* data, const double* scales, T* out, int64_t size);
};

struct Backend {
  uint32_t abiVersion;  // backendAbiVersion of the back end; whoever opens one refuses any other
  int32_t score;        // of several back ends the one with the highest is taken
  const char* name;
  Operations<float> f32;
  Operations<double> f64;
};

static_assert(std::is_standard_layout_v<Backend> && std::is_trivially_copyable_v<Backend>);

template <class T>
const Operations<T>& operations(const Backend& backend) {
  if constexpr (std::is_same_v<T, float>) {
    return backend.f32;
  } else {
    return backend.f64;
  }
}

}  // namespace natgrad
