// The kernels that cuBLAS and cuSOLVER lack. Plain enough for g++ to compile as well, thread by thread, which is how
// they are tested where there is no GPU.
//
// Sums are in float64 and in an order that depends on the sizes only, so that every run gives the same bits.
#include "kernels/blocks.h"
#include "kernels/matrices.h"
#include "kernels/norms.h"
#include "kernels/passes.h"
#include "kernels/smallInverse.h"

// Upper bound of the spectral norm from what normPartials left: the Frobenius norm or, beyond 64 rows, the infinity
// norm if it is smaller; as normBound of core/symmetric.h. Not finite if an element is not.
extern "C" __global__ void normBounds(int64_t count, int64_t bands, const int64_t* sizes, const double* statistics,
                                      const double* partials, double* bounds) {
  for (int64_t matrix = threadOfGrid(); matrix < count; matrix += threadsOfGrid()) {
    double squares = 0, most = 0;
    for (int64_t band = 0; band < bands && band * tileSize < sizes[matrix]; ++band) {
      squares += partials[2 * (matrix * bands + band)];
      most = larger(partials[2 * (matrix * bands + band) + 1], most);
    }
    const double guard = statistics == nullptr ? 1.0 : guardOf(statistics[4 * matrix + 2]);
    const double frobenius = sqrt(squares);
    bounds[matrix] =
        (isNumber(frobenius) && sizes[matrix] > smallThreads ? smaller(frobenius, most) : frobenius) / guard;
  }
}

// sums[i] = scale times the sum of partials[i][0 .. chunks), or its square root.
extern "C" __global__ void sumPartials(int64_t count, int64_t chunks, const double* partials, double scale,
                                       int32_t root, double* sums) {
  for (int64_t i = threadOfGrid(); i < count; i += threadsOfGrid()) {
    double sum = 0;
    for (int64_t c = 0; c < chunks; ++c) sum += partials[i * chunks + c];
    sums[i] = root ? sqrt(scale * sum) : scale * sum;
  }
}

// Withdraws what was accepted from where a value passes its limit or is NaN. A value is NaN where `info` (which may be
// null) is not zero.
extern "C" __global__ void accept(int64_t count, const int32_t* info, double* values, const double* limits,
                                  int32_t* accepted) {
  for (int64_t i = threadOfGrid(); i < count; i += threadsOfGrid()) {
    if (info != nullptr && info[i] != 0) values[i] = 0.0 / 0.0;
    if (!(values[i] <= limits[i])) accepted[i] = 0;
  }
}

#define NATGRAD_OF(T, S)                                                                                               \
  extern "C" __global__ void diagonalStatistics##S(const T* const* data, const int64_t* sizes, const int64_t* strides, \
                                                   double* out) {                                                      \
    diagonalStatistics<T>(data, sizes, strides, out);                                                                  \
  }                                                                                                                    \
  extern "C" __global__ void normPartials##S(int64_t bands, const T* const* matrices, const int64_t* sizes,            \
                                             const double* statistics, double* partials) {                             \
    normPartials<T>(bands, matrices, sizes, statistics, partials);                                                     \
  }                                                                                                                    \
  extern "C" __global__ void identityDistance##S(int64_t n, int64_t chunks, const T* e, double* partials) {            \
    identityDistance<T>(n, chunks, e, partials);                                                                       \
  }                                                                                                                    \
  extern "C" __global__ void invertSmall##S(int64_t n, const T* const* in, T* const* out, const double* dampings,      \
                                            const double* scales, const double* limits, double* norms) {               \
    invertSmall<T>(n, in, out, dampings, scales, limits, norms);                                                       \
  }                                                                                                                    \
  extern "C" __global__ void polynomial##S(int64_t n, int64_t count, const T* e, const double* linear,                 \
                                           const double* cubic, T* p) {                                                \
    polynomial<T>(n, count, e, linear, cubic, p);                                                                      \
  }                                                                                                                    \
  extern "C" __global__ void identity##S(int64_t n, int64_t count, double value, T* out) {                             \
    identity<T>(n, count, value, out);                                                                                 \
  }                                                                                                                    \
  extern "C" __global__ void scaleLower##S(int64_t n, double keep, T* a) { scaleLower<T>(n, keep, a); }                \
  extern "C" __global__ void scaleByDiagonals##S(int64_t rows, int64_t columns, const T* left, const T* right,         \
                                                 const T* in, T* out) {                                                \
    scaleByDiagonals<T>(rows, columns, left, right, in, out);                                                          \
  }                                                                                                                    \
  extern "C" __global__ void dotPartials##S(int64_t size, const T* x, const T* y, double* partials) {                  \
    dotPartials<T>(size, x, y, partials);                                                                              \
  }                                                                                                                    \
  extern "C" __global__ void multiply##S(int64_t size, const T* left, const T* right, double offset, T* out,           \
                                         double* partials) {                                                           \
    scaleElements<T, false>(size, left, right, offset, out, partials);                                                 \
  }                                                                                                                    \
  extern "C" __global__ void divide##S(int64_t size, const T* left, const T* right, double offset, T* out,             \
                                       double* partials) {                                                             \
    scaleElements<T, true>(size, left, right, offset, out, partials);                                                  \
  }                                                                                                                    \
  extern "C" __global__ void update##S(int64_t size, T* weights, const T* direction, T* velocity, double momentum,     \
                                       double step, double shrink) {                                                   \
    update<T>(size, weights, direction, velocity, momentum, step, shrink);                                             \
  }                                                                                                                    \
  extern "C" __global__ void combine##S(int64_t size, int64_t terms, const T* const* data, const double* scales,       \
                                        T* out) {                                                                      \
    combine<T>(size, terms, data, scales, out);                                                                        \
  }                                                                                                                    \
  extern "C" __global__ void columnMoments##S(int64_t rows, int64_t columns, const T* x, int32_t squares,              \
                                              double* partials) {                                                      \
    columnMoments<T>(rows, columns, x, squares, partials);                                                             \
  }                                                                                                                    \
  extern "C" __global__ void addColumns##S(int64_t columns, int64_t chunks, const double* partials, double alpha,      \
                                           double keep, T* out) {                                                      \
    addColumns<T>(columns, chunks, partials, alpha, keep, out);                                                        \
  }                                                                                                                    \
  extern "C" __global__ void patches##S(const T* x, PatchGeometry g, int64_t first, int64_t count, T* out) {           \
    patches<T>(x, g, first, count, out);                                                                               \
  }                                                                                                                    \
  extern "C" __global__ void markNonFinite##S(int64_t size, const T* x, int32_t* mark) {                               \
    markNonFinite<T>(size, x, mark);                                                                                   \
  }                                                                                                                    \
  extern "C" __global__ void reciprocal##S(int64_t size, const T* in, double damping, T* out) {                        \
    reciprocal<T>(size, in, damping, out);                                                                             \
  }
NATGRAD_OF(float, F32)
NATGRAD_OF(double, F64)

#define NATGRAD_BETWEEN(S, T, name)                                                                           \
  extern "C" __global__ void mirror##name(int64_t n, const S* const* in, T* const* out, const double* alphas, \
                                          const double* shifts, const int32_t* accepted) {                    \
    mirror<S, T>(n, in, out, alphas, shifts, accepted);                                                       \
  }                                                                                                           \
  extern "C" __global__ void transpose##name(int64_t n, const S* in, T* out, const int32_t* accepted) {       \
    transpose<S, T>(n, in, out, accepted);                                                                    \
  }                                                                                                           \
  extern "C" __global__ void convert##name(int64_t size, const S* in, T* out, const int32_t* accepted) {      \
    convert<S, T>(size, in, out, accepted);                                                                   \
  }
NATGRAD_BETWEEN(float, float, F32)
NATGRAD_BETWEEN(float, double, F32ToF64)
NATGRAD_BETWEEN(double, float, F64ToF32)
NATGRAD_BETWEEN(double, double, F64)
