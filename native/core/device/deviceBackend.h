// What the core needs of a device with memory of its own: a table of functions, plain enough to cross a plugin's
// boundary.
//
// All that is called on one device happens on one stream, in the order of the calls, and possibly after the call has
// returned: only `synchronize` waits. Pointers are device addresses unless their names say host; they are never
// followed on the host. No function throws. Calls on one device come from one thread at a time, which need not be the
// same one.
//
// Matrices are row-major, as in core/backend.h; "packed" means without gaps between rows and between the matrices of a
// stack. Scalars that differ from matrix to matrix lie in device arrays, as do arrays of pointers.
#pragma once

#include <cstdint>
#include <type_traits>

#include "core/jobs.h"

namespace natgrad {

constexpr uint32_t deviceAbiVersion = 1;

// After `lost` every call gives it again, and what the memory of the device held is gone.
enum class DeviceStatus : int32_t { ok, outOfMemory, lost };

// How matrix products of float32 are done. `tf32` rounds what is multiplied to 11 significant bits, on devices that
// can; sums stay float32.
enum class ProductMath : int32_t { full, tf32 };

// What `statistics` finds of some numbers.
struct NumberStatistics {
  double sum, least, largestMagnitude;
  double notFinite;  // how many
};

template <class T>
struct DeviceOperations {
  // As in core/backend.h. A stack multiplies matrix i of each of the packed stacks; `lda` and so on follow from the
  // sizes.
  DeviceStatus (*gemm)(void* device, ProductMath math, bool transposeA, bool transposeB, int64_t m, int64_t n,
                       int64_t k, T alpha, const T* a, int64_t lda, const T* b, int64_t ldb, T beta, T* c, int64_t ldc);
  DeviceStatus (*gemmStack)(void* device, ProductMath math, bool transposeA, bool transposeB, int64_t m, int64_t n,
                            int64_t k, T alpha, const T* a, const T* b, T beta, T* c, int64_t count);
  DeviceStatus (*syrk)(void* device, ProductMath math, bool transpose, int64_t n, int64_t k, T alpha, const T* x,
                       int64_t ldx, T beta, T* c, int64_t ldc);
  DeviceStatus (*symm)(void* device, ProductMath math, bool left, int64_t m, int64_t n, const T* a, int64_t lda,
                       const T* b, int64_t ldb, T* c, int64_t ldc);

  // statistics[i] of the sizes[i] numbers that lie strides[i] apart from data[i] on.
  DeviceStatus (*statistics)(void* device, int64_t count, const T* const* data, const int64_t* sizes,
                             const int64_t* strides, NumberStatistics* statistics);

  // bounds[i] of the spectral norm of a symmetric matrix given by its lower triangle, as normBound of core/symmetric.h;
  // not finite if an element is not. `largest` is that of `sizes`. With `diagonals` (or null), the statistics of their
  // diagonals, the squares of matrices of any size neither over- nor underflow.
  DeviceStatus (*norms)(void* device, int64_t count, int64_t largest, const T* const* matrices, const int64_t* sizes,
                        const NumberStatistics* diagonals, double* bounds);

  // distances[i] = |E_i - I|_F / sqrt(n) for a packed stack.
  DeviceStatus (*identityDistances)(void* device, int64_t n, int64_t count, const T* e, double* distances);

  // invertSmall of core/backend.h, n <= smallSize.
  DeviceStatus (*invertSmall)(void* device, int64_t n, int64_t count, const T* const* matrices, const double* dampings,
                              const double* scales, const double* limits, T* const* out, double* norms);

  // Lower triangles of the inverses of a packed stack in its place, by Cholesky; what is above the diagonal is
  // destroyed. info[i] is zero for the matrices that are positive definite.
  DeviceStatus (*invert)(void* device, int64_t n, int64_t count, T* a, int32_t* info);

  // Eigenvalues ascending, and the eigenvector of values[j] in ROW j of `a` (packed), whose lower triangle was the
  // matrix. info is zero if the iteration has converged.
  DeviceStatus (*eigh)(void* device, int64_t n, T* a, T* values, int32_t* info);

  // P_i = cubic[i] E_i + linear[i] I for packed stacks.
  DeviceStatus (*polynomial)(void* device, int64_t n, int64_t count, const T* e, const double* linear,
                             const double* cubic, T* p);

  // value I.
  DeviceStatus (*identity)(void* device, int64_t n, double value, T* out);

  // Lower triangle times `keep`; with zero, what was there does not matter.
  DeviceStatus (*scaleLower)(void* device, int64_t n, double keep, T* a);

  // out = diag(left) in diag(right); either may be null, and out may be `in`.
  DeviceStatus (*scaleByDiagonals)(void* device, int64_t rows, int64_t columns, const T* left, const T* right,
                                   const T* in, T* out);

  // As in core/backend.h, with the inner product going to a device address.
  DeviceStatus (*dot)(void* device, const T* x, const T* y, int64_t size, double* result);
  DeviceStatus (*multiply)(void* device, const T* left, const T* right, double offset, T* out, int64_t size,
                           double* result);
  DeviceStatus (*divide)(void* device, const T* left, const T* right, double offset, T* out, int64_t size,
                         double* result);
  DeviceStatus (*update)(void* device, T* weights, const T* direction, T* velocity, int64_t size, double momentum,
                         double step, double shrink);
  DeviceStatus (*combine)(void* device, int64_t terms, const T* const* data, const double* scales, T* out,
                          int64_t size);

  // out[j] = keep out[j] + alpha times the sum over the rows of x[r][j], or of its square. x is packed.
  DeviceStatus (*columnMoments)(void* device, int64_t rows, int64_t columns, const T* x, bool squares, double alpha,
                                double keep, T* out);

  // formPatches of core/patches.h, packed.
  DeviceStatus (*formPatches)(void* device, const T* x, const ConvGeometry* geometry, int64_t first, int64_t count,
                              T* out);

  // Sets *mark to 1 if an element is not finite.
  DeviceStatus (*markNonFinite)(void* device, const T* x, int64_t size, int32_t* mark);

  // out[i] = 1 / (in[i] + damping).
  DeviceStatus (*reciprocal)(void* device, const T* in, int64_t size, double damping, T* out);
};

// From one precision to another, or to the same. `accepted` is an array of flags, one for each matrix; where one is
// zero, nothing is written.
template <class S, class T>
struct DeviceConversions {
  // out[i] = alphas[i] (A_i + shifts[i] I), both triangles, for packed A_i given by their lower ones. out[i] may be
  // in[i]; `accepted` may be null.
  DeviceStatus (*mirror)(void* device, int64_t n, int64_t count, const S* const* in, T* const* out,
                         const double* alphas, const double* shifts, const int32_t* accepted);
  // out = in', n by n, and out = in.
  DeviceStatus (*transpose)(void* device, int64_t n, const S* in, T* out, const int32_t* accepted);
  DeviceStatus (*convert)(void* device, int64_t size, const S* in, T* out, const int32_t* accepted);
};

struct DeviceBackend {
  uint32_t abiVersion;  // deviceAbiVersion of the back end; whoever opens one refuses any other
  int32_t score;        // of several back ends the one with the highest is taken
  const char* name;

  DeviceStatus (*allocate)(void* device, int64_t bytes, void** pointer);
  // What is freed may be handed out again at once: what happens on the stream later comes after what happened before.
  DeviceStatus (*free)(void* device, void* pointer);
  // The host memory may be used again as soon as `upload` returns; what `download` writes is there after `synchronize`.
  DeviceStatus (*upload)(void* device, const void* host, void* pointer, int64_t bytes);
  DeviceStatus (*download)(void* device, const void* pointer, void* host, int64_t bytes);
  DeviceStatus (*copy)(void* device, const void* from, void* to, int64_t bytes);
  DeviceStatus (*clear)(void* device, void* pointer, int64_t bytes);
  DeviceStatus (*synchronize)(void* device);
  DeviceStatus (*memory)(void* device, int64_t* freeBytes, int64_t* totalBytes);
  // What went wrong last, in words; lives as long as the device.
  const char* (*reason)(void* device);

  // Withdraws accepted[i] where values[i] > limits[i] or is NaN; values[i] becomes NaN where info[i] is not zero.
  // `info` may be null.
  DeviceStatus (*accept)(void* device, int64_t count, const int32_t* info, double* values, const double* limits,
                         int32_t* accepted);

  DeviceOperations<float> f32;
  DeviceOperations<double> f64;
  DeviceConversions<float, float> f32ToF32;
  DeviceConversions<float, double> f32ToF64;
  DeviceConversions<double, float> f64ToF32;
  DeviceConversions<double, double> f64ToF64;
};

static_assert(std::is_standard_layout_v<DeviceBackend> && std::is_trivially_copyable_v<DeviceBackend>);

template <class T>
const DeviceOperations<T>& deviceOperations(const DeviceBackend& backend) {
  if constexpr (std::is_same_v<T, float>) {
    return backend.f32;
  } else {
    return backend.f64;
  }
}

template <class S, class T>
const DeviceConversions<S, T>& deviceConversions(const DeviceBackend& backend) {
  if constexpr (std::is_same_v<S, float>) {
    if constexpr (std::is_same_v<T, float>) {
      return backend.f32ToF32;
    } else {
      return backend.f32ToF64;
    }
  } else if constexpr (std::is_same_v<T, float>) {
    return backend.f64ToF32;
  } else {
    return backend.f64ToF64;
  }
}

}  // namespace natgrad
