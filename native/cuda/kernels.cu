// The kernels that cuBLAS and cuSOLVER lack. Plain enough for g++ to compile as well, thread by thread, which is how they are tested where
// there is no GPU.
//
// Sums are in float64 and in an order that depends on the sizes only, so that every run gives the same bits.
#include "kernelList.h"

using natgrad::cuda::blockThreads;
using natgrad::cuda::chunkRows;
using natgrad::cuda::PatchGeometry;
using natgrad::cuda::smallThreads;
using natgrad::cuda::tileSize;

namespace {

__device__ int64_t threadOfGrid() { return static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x; }
__device__ int64_t threadsOfGrid() { return static_cast<int64_t>(gridDim.x) * blockDim.x; }

// NaN and the infinities are what gives no zero when subtracted from itself.
template <class T>
__device__ bool isNumber(T x) {
  return x - x == T(0);
}

__device__ double larger(double a, double b) { return a > b ? a : b; }
__device__ double smaller(double a, double b) { return a < b ? a : b; }
__device__ double magnitude(double x) { return x < 0 ? -x : x; }

// Folds one number of every thread into that of the first, which all get.
template <class Fold>
__device__ double foldBlock(double x, Fold fold) {
  __shared__ double all[blockThreads];
  __syncthreads();
  all[threadIdx.x] = x;
  __syncthreads();
  for (unsigned half = blockDim.x / 2; half > 0; half /= 2) {
    if (threadIdx.x < half) all[threadIdx.x] = fold(all[threadIdx.x], all[threadIdx.x + half]);
    __syncthreads();
  }
  return all[0];
}

struct Sum {
  __device__ double operator()(double a, double b) const { return a + b; }
};
struct Largest {
  __device__ double operator()(double a, double b) const { return larger(a, b); }
};
struct Smallest {
  __device__ double operator()(double a, double b) const { return smaller(a, b); }
};

// The power of two that brings numbers up to `largest` near one, so that their squares neither over- nor underflow.
__device__ double guardOf(double largest) {
  if (!(largest > 0) || !isNumber(largest)) return 1;
  int exponent = 0;
  frexp(largest, &exponent);
  exponent -= 1;
  if (exponent > 1000) exponent = 1000;
  if (exponent < -1000) exponent = -1000;
  return ldexp(1.0, -exponent);
}

// Block (matrix i): sum, least, largest magnitude, and how many are not finite, of sizes[i] numbers strides[i] apart.
template <class T>
__device__ void diagonalStatistics(const T* const* data, const int64_t* sizes, const int64_t* strides, double* out) {
  const int64_t matrix = blockIdx.x;
  double sum = 0, least = 1.0 / 0.0, largest = 0, bad = 0;
  for (int64_t i = threadIdx.x; i < sizes[matrix]; i += blockDim.x) {
    const double x = static_cast<double>(data[matrix][i * strides[matrix]]);
    sum += x;
    least = smaller(x, least);
    largest = larger(magnitude(x), largest);
    bad += isNumber(x) ? 0 : 1;
  }
  sum = foldBlock(sum, Sum());
  least = foldBlock(least, Smallest());
  largest = foldBlock(largest, Largest());
  bad = foldBlock(bad, Sum());
  if (threadIdx.x == 0) {
    out[4 * matrix] = sum;
    out[4 * matrix + 1] = least;
    out[4 * matrix + 2] = largest;
    out[4 * matrix + 3] = bad;
  }
}

// Block (matrix, band of 32 rows): sum of the squares of these rows of the symmetric matrix and the largest sum of magnitudes of one of
// them. Elements left of the diagonal lie in the rows themselves, the others in the columns below.
template <class T>
__device__ void normPartials(int64_t bands, const T* const* matrices, const int64_t* sizes, const double* statistics, double* partials) {
  __shared__ double tile[tileSize][tileSize + 1];
  const int64_t matrix = blockIdx.x / bands, band = blockIdx.x % bands, n = sizes[matrix], first = band * tileSize;
  if (first >= n) return;
  const T* a = matrices[matrix];
  const double guard = statistics == nullptr ? 1.0 : guardOf(statistics[4 * matrix + 2]);
  const int lane = static_cast<int>(threadIdx.x) % tileSize, group = static_cast<int>(threadIdx.x) / tileSize;
  const int groups = static_cast<int>(blockDim.x) / tileSize;
  double squares = 0, magnitudes = 0;
  for (int64_t other = 0; other < n; other += tileSize) {
    // tile[r][c] is the element (first + r, other + c) of the symmetric matrix, whichever triangle it is read from.
    for (int r = group; r < tileSize; r += groups) {
      const bool left = other <= first;
      const int64_t row = (left ? first : other) + r, column = (left ? other : first) + lane;
      const double x = row < n && column <= row ? static_cast<double>(a[row * n + column]) * guard : 0.0;
      if (left) {
        tile[r][lane] = x;
      } else {
        tile[lane][r] = x;
      }
    }
    __syncthreads();
    for (int c = group; c < tileSize; c += groups) {
      const double x = other == first && c > lane ? tile[c][lane] : tile[lane][c];
      squares += x * x;
      magnitudes += magnitude(x);
    }
    __syncthreads();
  }
  const double total = foldBlock(squares, Sum());
  // The row sums: those of the groups of one lane.
  tile[group][lane] = magnitudes;
  __syncthreads();
  double row = 0;
  if (group == 0) {
    for (int g = 0; g < groups; ++g) row += tile[g][lane];
  }
  const double most = foldBlock(row, Largest());
  if (threadIdx.x == 0) {
    partials[2 * blockIdx.x] = total;
    partials[2 * blockIdx.x + 1] = most;
  }
}

// Block (matrix, chunk): sum of the squares of some of the elements of E - I.
template <class T>
__device__ void identityDistance(int64_t n, int64_t chunks, const T* e, double* partials) {
  const int64_t matrix = blockIdx.x / chunks, chunk = blockIdx.x % chunks;
  double sum = 0;
  for (int64_t i = chunk * blockDim.x + threadIdx.x; i < n * n; i += chunks * blockDim.x) {
    const double d = static_cast<double>(e[matrix * n * n + i]) - (i % (n + 1) == 0 ? 1.0 : 0.0);
    sum += d * d;
  }
  sum = foldBlock(sum, Sum());
  if (threadIdx.x == 0) partials[blockIdx.x] = sum;
}

// Block (matrix i): out = scale (scale (A + damping I))^-1, mirrored, by Cholesky in shared memory. norms[i] is its Frobenius norm, NaN
// where a pivot was not positive; out is written only if norms[i] <= limits[i].
template <class T>
__device__ void invertSmall(int64_t size, const T* const* in, T* const* out, const double* dampings, const double* scales,
                            const double* limits, double* norms) {
  __shared__ T a[smallThreads][smallThreads + 1];
  __shared__ T pivots[smallThreads];
  const int64_t matrix = blockIdx.x;
  const int n = static_cast<int>(size), me = static_cast<int>(threadIdx.x);
  const T scale = static_cast<T>(scales[matrix]);
  const T* source = in[matrix];
  for (int i = 0; i < n; ++i) {
    if (me < i) a[i][me] = source[i * n + me] * scale;
    if (me == i) a[i][i] = static_cast<T>((static_cast<double>(source[i * n + i]) + dampings[matrix]) * scales[matrix]);
  }
  __syncthreads();
  // A = LL', column by column.
  bool definite = true;
  for (int k = 0; k < n; ++k) {
    const T pivot = a[k][k];
    definite = definite && pivot > T(0);
    const T root = sqrt(definite ? pivot : T(1));
    __syncthreads();
    if (me == k) a[k][k] = root;
    if (me > k && me < n) a[me][k] /= root;
    __syncthreads();
    if (me > k && me < n) {
      for (int j = k + 1; j <= me; ++j) a[me][j] -= a[me][k] * a[j][k];
    }
    __syncthreads();
  }
  // X = L^-1, column `me` in the part of row `me` right of the diagonal.
  if (me < n) {
    pivots[me] = T(1) / a[me][me];
    for (int i = me + 1; i < n; ++i) {
      T sum = a[i][me] * pivots[me];
      for (int k = me + 1; k < i; ++k) sum += a[i][k] * a[me][k];
      a[me][i] = -sum / a[i][i];
    }
  }
  __syncthreads();
  // A^-1 = X'X, row `me` in the place of L, which is not needed any more.
  double squares = 0;
  if (me < n) {
    for (int j = 0; j <= me; ++j) {
      T sum = pivots[me] * (j == me ? pivots[me] : a[j][me]);
      for (int k = me + 1; k < n; ++k) sum += a[me][k] * a[j][k];
      a[me][j] = sum * scale;
      const double x = static_cast<double>(a[me][j]);
      squares += (j == me ? 1 : 2) * x * x;
    }
  }
  const double norm = definite ? sqrt(foldBlock(squares, Sum())) : 0.0 / 0.0;
  if (me == 0) norms[matrix] = norm;
  if (!(norm <= limits[matrix])) return;
  for (int i = 0; i < n; ++i) {
    if (me < n) out[matrix][i * n + me] = me <= i ? a[i][me] : a[me][i];
  }
}

// P = cubic E + linear I, for each matrix of a stack with its own numbers.
template <class T>
__device__ void polynomial(int64_t n, int64_t count, const T* e, const double* linear, const double* cubic, T* p) {
  for (int64_t i = threadOfGrid(); i < count * n * n; i += threadsOfGrid()) {
    const int64_t matrix = i / (n * n);
    const T x = static_cast<T>(cubic[matrix]) * e[i];
    p[i] = i % (n * n) % (n + 1) == 0 ? x + static_cast<T>(linear[matrix]) : x;
  }
}

// A stack of value I.
template <class T>
__device__ void identity(int64_t n, int64_t count, double value, T* out) {
  for (int64_t i = threadOfGrid(); i < count * n * n; i += threadsOfGrid()) {
    out[i] = i % (n * n) % (n + 1) == 0 ? static_cast<T>(value) : T(0);
  }
}

// The lower triangle times `keep`; with zero, what was there is not read.
template <class T>
__device__ void scaleLower(int64_t n, double keep, T* a) {
  for (int64_t i = threadOfGrid(); i < n * n; i += threadsOfGrid()) {
    if (i % n <= i / n) a[i] = keep == 0 ? T(0) : a[i] * static_cast<T>(keep);
  }
}

// out = diag(left) in diag(right); either may be null. `out` may be `in`.
template <class T>
__device__ void scaleByDiagonals(int64_t rows, int64_t columns, const T* left, const T* right, const T* in, T* out) {
  for (int64_t i = threadOfGrid(); i < rows * columns; i += threadsOfGrid()) {
    T x = in[i];
    if (left != nullptr) x *= left[i / columns];
    if (right != nullptr) x *= right[i % columns];
    out[i] = x;
  }
}

__device__ void storeSum(double sum, double* partials) {
  sum = foldBlock(sum, Sum());
  if (threadIdx.x == 0) partials[blockIdx.x] = sum;
}

template <class T>
__device__ void dotPartials(int64_t size, const T* x, const T* y, double* partials) {
  double sum = 0;
  for (int64_t i = threadOfGrid(); i < size; i += threadsOfGrid()) sum += static_cast<double>(x[i]) * static_cast<double>(y[i]);
  storeSum(sum, partials);
}

// out = left (right + offset), or left / (right + offset); partial sums of left out, with left as it was.
template <class T, bool dividing>
__device__ void scaleElements(int64_t size, const T* left, const T* right, double offset, T* out, double* partials) {
  double sum = 0;
  for (int64_t i = threadOfGrid(); i < size; i += threadsOfGrid()) {
    const T x = left[i], y = right[i] + static_cast<T>(offset);
    const T z = dividing ? x / y : x * y;
    out[i] = z;
    sum += static_cast<double>(x) * static_cast<double>(z);
  }
  storeSum(sum, partials);
}

// velocity = momentum velocity + step direction; weights = shrink weights + velocity. `velocity` may be null.
template <class T>
__device__ void update(int64_t size, T* weights, const T* direction, T* velocity, double momentum, double step, double shrink) {
  for (int64_t i = threadOfGrid(); i < size; i += threadsOfGrid()) {
    T move = static_cast<T>(step) * direction[i];
    if (velocity != nullptr) {
      move += static_cast<T>(momentum) * velocity[i];
      velocity[i] = move;
    }
    weights[i] = static_cast<T>(shrink) * weights[i] + move;
  }
}

// out = sum of scale data over the terms; `out` may be one of them.
template <class T>
__device__ void combine(int64_t size, int64_t terms, const T* const* data, const double* scales, T* out) {
  for (int64_t i = threadOfGrid(); i < size; i += threadsOfGrid()) {
    T sum = 0;
    for (int64_t t = 0; t < terms; ++t) sum += static_cast<T>(scales[t]) * data[t][i];
    out[i] = sum;
  }
}

// Block (strip of 32 columns, chunk of rows): sums over the chunk of x, or of its square. partials[chunk][column].
template <class T>
__device__ void columnMoments(int64_t rows, int64_t columns, const T* x, int32_t squares, double* partials) {
  __shared__ double sums[blockThreads / tileSize][tileSize];
  const int64_t strips = (columns + tileSize - 1) / tileSize;
  const int64_t chunk = blockIdx.x / strips, strip = blockIdx.x % strips;
  const int lane = static_cast<int>(threadIdx.x) % tileSize, group = static_cast<int>(threadIdx.x) / tileSize;
  const int64_t column = strip * tileSize + lane;
  const int64_t begin = chunk * chunkRows, end = begin + chunkRows < rows ? begin + chunkRows : rows;
  double sum = 0;
  if (column < columns) {
    for (int64_t r = begin + group; r < end; r += blockThreads / tileSize) {
      const double value = static_cast<double>(x[r * columns + column]);
      sum += squares ? value * value : value;
    }
  }
  sums[group][lane] = sum;
  __syncthreads();
  if (group != 0 || column >= columns) return;
  for (int g = 1; g < blockThreads / tileSize; ++g) sum += sums[g][lane];
  partials[chunk * columns + column] = sum;
}

// out[j] = keep out[j] + alpha sum over chunks of partials[chunk][j]; with `keep` zero, what was there is not read.
template <class T>
__device__ void addColumns(int64_t columns, int64_t chunks, const double* partials, double alpha, double keep, T* out) {
  for (int64_t j = threadOfGrid(); j < columns; j += threadsOfGrid()) {
    double sum = 0;
    for (int64_t c = 0; c < chunks; ++c) sum += partials[c * columns + j];
    out[j] = static_cast<T>((keep == 0 ? 0.0 : keep * static_cast<double>(out[j])) + alpha * sum);
  }
}

// Patches first .. first + count - 1 of NHWC images as rows in the order (kernel row, kernel column, channel).
template <class T>
__device__ void patches(const T* x, PatchGeometry g, int64_t first, int64_t count, T* out) {
  const int64_t size = g.kernelHeight * g.kernelWidth * g.channels;
  for (int64_t i = threadOfGrid(); i < count * size; i += threadsOfGrid()) {
    const int64_t patch = first + i / size, inside = i % size;
    const int64_t channel = inside % g.channels, kernelColumn = inside / g.channels % g.kernelWidth;
    const int64_t kernelRow = inside / (g.channels * g.kernelWidth);
    const int64_t row = patch / g.outWidth % g.outHeight * g.strideHeight - g.padTop + kernelRow * g.dilationHeight;
    const int64_t column = patch % g.outWidth * g.strideWidth - g.padLeft + kernelColumn * g.dilationWidth;
    const int64_t image = patch / (g.outWidth * g.outHeight);
    const bool inImage = row >= 0 && row < g.inHeight && column >= 0 && column < g.inWidth;
    out[i] = inImage ? x[((image * g.inHeight + row) * g.inWidth + column) * g.channels + channel] : T(0);
  }
}

// Sets the mark if an element is not finite. Several threads may write it, all the same.
template <class T>
__device__ void markNonFinite(int64_t size, const T* x, int32_t* mark) {
  bool good = true;
  for (int64_t i = threadOfGrid(); i < size; i += threadsOfGrid()) good = good && isNumber(x[i]);
  if (!good) *mark = 1;
}

template <class T>
__device__ void reciprocal(int64_t size, const T* in, double damping, T* out) {
  for (int64_t i = threadOfGrid(); i < size; i += threadsOfGrid()) out[i] = static_cast<T>(1 / (static_cast<double>(in[i]) + damping));
}

// Block (matrix, pair of tiles): out = alpha (A + shift I), both triangles, for A given by its lower one; where `accepted` is not null,
// only for the matrices it says so of. `out` may be `in`: no block reads what another writes.
template <class S, class T>
__device__ void mirror(int64_t n, const S* const* in, T* const* out, const double* alphas, const double* shifts, const int32_t* accepted) {
  __shared__ T tile[tileSize][tileSize + 1];
  const int64_t tiles = (n + tileSize - 1) / tileSize, pairs = tiles * (tiles + 1) / 2;
  const int64_t matrix = blockIdx.x / pairs, pair = blockIdx.x % pairs;
  if (accepted != nullptr && accepted[matrix] == 0) return;
  // The row of tiles in which the pair lies: the largest t with t (t + 1) / 2 <= pair.
  int64_t tileRow = static_cast<int64_t>((sqrt(8.0 * static_cast<double>(pair) + 1.0) - 1.0) / 2.0);
  while (tileRow * (tileRow + 1) / 2 > pair) --tileRow;
  while ((tileRow + 1) * (tileRow + 2) / 2 <= pair) ++tileRow;
  const int64_t top = tileRow * tileSize, left = (pair - tileRow * (tileRow + 1) / 2) * tileSize;
  const int lane = static_cast<int>(threadIdx.x) % tileSize, group = static_cast<int>(threadIdx.x) / tileSize;
  const int groups = static_cast<int>(blockDim.x) / tileSize;
  const double alpha = alphas[matrix], shift = shifts[matrix];
  for (int r = group; r < tileSize; r += groups) {
    const int64_t row = top + r, column = left + lane;
    if (row >= n || column > row) continue;
    const double x = static_cast<double>(in[matrix][row * n + column]);
    tile[r][lane] = static_cast<T>((row == column ? x + shift : x) * alpha);
  }
  __syncthreads();
  for (int r = group; r < tileSize; r += groups) {
    if (top + r < n && left + lane <= top + r) out[matrix][(top + r) * n + left + lane] = tile[r][lane];
    if (left + r < n && top + lane < n && top + lane > left + r) out[matrix][(left + r) * n + top + lane] = tile[lane][r];
  }
}

// Block (tile): out = in', n by n, if accepted.
template <class S, class T>
__device__ void transpose(int64_t n, const S* in, T* out, const int32_t* accepted) {
  __shared__ T tile[tileSize][tileSize + 1];
  if (accepted[0] == 0) return;
  const int64_t tiles = (n + tileSize - 1) / tileSize;
  const int64_t top = blockIdx.x / tiles * tileSize, left = blockIdx.x % tiles * tileSize;
  const int lane = static_cast<int>(threadIdx.x) % tileSize, group = static_cast<int>(threadIdx.x) / tileSize;
  const int groups = static_cast<int>(blockDim.x) / tileSize;
  for (int r = group; r < tileSize; r += groups) {
    if (top + r < n && left + lane < n) tile[r][lane] = static_cast<T>(in[(top + r) * n + left + lane]);
  }
  __syncthreads();
  for (int r = group; r < tileSize; r += groups) {
    if (left + r < n && top + lane < n) out[(left + r) * n + top + lane] = tile[lane][r];
  }
}

template <class S, class T>
__device__ void convert(int64_t size, const S* in, T* out, const int32_t* accepted) {
  if (accepted[0] == 0) return;
  for (int64_t i = threadOfGrid(); i < size; i += threadsOfGrid()) out[i] = static_cast<T>(in[i]);
}

}  // namespace

// Upper bound of the spectral norm from what normPartials left: the Frobenius norm or, beyond 64 rows, the infinity norm if it is smaller;
// as normBound of core/symmetric.h. Not finite if an element is not.
extern "C" __global__ void normBounds(int64_t count, int64_t bands, const int64_t* sizes, const double* statistics, const double* partials,
                                      double* bounds) {
  for (int64_t matrix = threadOfGrid(); matrix < count; matrix += threadsOfGrid()) {
    double squares = 0, most = 0;
    for (int64_t band = 0; band < bands && band * tileSize < sizes[matrix]; ++band) {
      squares += partials[2 * (matrix * bands + band)];
      most = larger(partials[2 * (matrix * bands + band) + 1], most);
    }
    const double guard = statistics == nullptr ? 1.0 : guardOf(statistics[4 * matrix + 2]);
    const double frobenius = sqrt(squares);
    bounds[matrix] = (isNumber(frobenius) && sizes[matrix] > smallThreads ? smaller(frobenius, most) : frobenius) / guard;
  }
}

// sums[i] = scale times the sum of partials[i][0 .. chunks), or its square root.
extern "C" __global__ void sumPartials(int64_t count, int64_t chunks, const double* partials, double scale, int32_t root, double* sums) {
  for (int64_t i = threadOfGrid(); i < count; i += threadsOfGrid()) {
    double sum = 0;
    for (int64_t c = 0; c < chunks; ++c) sum += partials[i * chunks + c];
    sums[i] = root ? sqrt(scale * sum) : scale * sum;
  }
}

// Withdraws what was accepted from where a value passes its limit or is NaN. A value is NaN where `info` (which may be null) is not zero.
extern "C" __global__ void accept(int64_t count, const int32_t* info, double* values, const double* limits, int32_t* accepted) {
  for (int64_t i = threadOfGrid(); i < count; i += threadsOfGrid()) {
    if (info != nullptr && info[i] != 0) values[i] = 0.0 / 0.0;
    if (!(values[i] <= limits[i])) accepted[i] = 0;
  }
}

#define NATGRAD_OF(T, S)                                                                                                              \
  extern "C" __global__ void diagonalStatistics##S(const T* const* data, const int64_t* sizes, const int64_t* strides, double* out) { \
    diagonalStatistics<T>(data, sizes, strides, out);                                                                                 \
  }                                                                                                                                   \
  extern "C" __global__ void normPartials##S(int64_t bands, const T* const* matrices, const int64_t* sizes, const double* statistics, \
                                             double* partials) {                                                                      \
    normPartials<T>(bands, matrices, sizes, statistics, partials);                                                                    \
  }                                                                                                                                   \
  extern "C" __global__ void identityDistance##S(int64_t n, int64_t chunks, const T* e, double* partials) {                           \
    identityDistance<T>(n, chunks, e, partials);                                                                                      \
  }                                                                                                                                   \
  extern "C" __global__ void invertSmall##S(int64_t n, const T* const* in, T* const* out, const double* dampings,                     \
                                            const double* scales, const double* limits, double* norms) {                              \
    invertSmall<T>(n, in, out, dampings, scales, limits, norms);                                                                      \
  }                                                                                                                                   \
  extern "C" __global__ void polynomial##S(int64_t n, int64_t count, const T* e, const double* linear, const double* cubic, T* p) {   \
    polynomial<T>(n, count, e, linear, cubic, p);                                                                                     \
  }                                                                                                                                   \
  extern "C" __global__ void identity##S(int64_t n, int64_t count, double value, T* out) { identity<T>(n, count, value, out); }       \
  extern "C" __global__ void scaleLower##S(int64_t n, double keep, T* a) { scaleLower<T>(n, keep, a); }                               \
  extern "C" __global__ void scaleByDiagonals##S(int64_t rows, int64_t columns, const T* left, const T* right, const T* in, T* out) { \
    scaleByDiagonals<T>(rows, columns, left, right, in, out);                                                                         \
  }                                                                                                                                   \
  extern "C" __global__ void dotPartials##S(int64_t size, const T* x, const T* y, double* partials) {                                 \
    dotPartials<T>(size, x, y, partials);                                                                                             \
  }                                                                                                                                   \
  extern "C" __global__ void multiply##S(int64_t size, const T* left, const T* right, double offset, T* out, double* partials) {      \
    scaleElements<T, false>(size, left, right, offset, out, partials);                                                                \
  }                                                                                                                                   \
  extern "C" __global__ void divide##S(int64_t size, const T* left, const T* right, double offset, T* out, double* partials) {        \
    scaleElements<T, true>(size, left, right, offset, out, partials);                                                                 \
  }                                                                                                                                   \
  extern "C" __global__ void update##S(int64_t size, T* weights, const T* direction, T* velocity, double momentum, double step,       \
                                       double shrink) {                                                                               \
    update<T>(size, weights, direction, velocity, momentum, step, shrink);                                                            \
  }                                                                                                                                   \
  extern "C" __global__ void combine##S(int64_t size, int64_t terms, const T* const* data, const double* scales, T* out) {            \
    combine<T>(size, terms, data, scales, out);                                                                                       \
  }                                                                                                                                   \
  extern "C" __global__ void columnMoments##S(int64_t rows, int64_t columns, const T* x, int32_t squares, double* partials) {         \
    columnMoments<T>(rows, columns, x, squares, partials);                                                                            \
  }                                                                                                                                   \
  extern "C" __global__ void addColumns##S(int64_t columns, int64_t chunks, const double* partials, double alpha, double keep,        \
                                           T* out) {                                                                                  \
    addColumns<T>(columns, chunks, partials, alpha, keep, out);                                                                       \
  }                                                                                                                                   \
  extern "C" __global__ void patches##S(const T* x, PatchGeometry g, int64_t first, int64_t count, T* out) {                          \
    patches<T>(x, g, first, count, out);                                                                                              \
  }                                                                                                                                   \
  extern "C" __global__ void markNonFinite##S(int64_t size, const T* x, int32_t* mark) { markNonFinite<T>(size, x, mark); }           \
  extern "C" __global__ void reciprocal##S(int64_t size, const T* in, double damping, T* out) { reciprocal<T>(size, in, damping, out); }
NATGRAD_OF(float, F32)
NATGRAD_OF(double, F64)

#define NATGRAD_BETWEEN(S, T, name)                                                                                            \
  extern "C" __global__ void mirror##name(int64_t n, const S* const* in, T* const* out, const double* alphas,                  \
                                          const double* shifts, const int32_t* accepted) {                                     \
    mirror<S, T>(n, in, out, alphas, shifts, accepted);                                                                        \
  }                                                                                                                            \
  extern "C" __global__ void transpose##name(int64_t n, const S* in, T* out, const int32_t* accepted) {                        \
    transpose<S, T>(n, in, out, accepted);                                                                                     \
  }                                                                                                                            \
  extern "C" __global__ void convert##name(int64_t size, const S* in, T* out, const int32_t* accepted) {                       \
    convert<S, T>(size, in, out, accepted);                                                                                    \
  }
NATGRAD_BETWEEN(float, float, F32)
NATGRAD_BETWEEN(float, double, F32ToF64)
NATGRAD_BETWEEN(double, float, F64ToF32)
NATGRAD_BETWEEN(double, double, F64)
