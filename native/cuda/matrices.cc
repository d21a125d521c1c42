#include <algorithm>

#include "core/backend.h"
#include "cuda/operations.h"

namespace natgrad::cuda {

namespace {

static_assert(sizeof(NumberStatistics) == 4 * sizeof(double), "the kernels write four numbers");
static_assert(smallThreads == smallSize, "one thread for each row");

#define NATGRAD_KERNEL(name) kernelFor<T>(context.kernels.name##F32, context.kernels.name##F64)

template <class T>
DeviceStatus statistics(void* device, int64_t count, const T* const* data, const int64_t* sizes, const int64_t* strides,
                        NumberStatistics* results) {
  return within(device, [&](Context& context) {
    return context.launch(NATGRAD_KERNEL(diagonalStatistics), count, blockThreads, data, sizes, strides,
                          reinterpret_cast<double*>(results));
  });
}

template <class T>
DeviceStatus norms(void* device, int64_t count, int64_t largest, const T* const* matrices, const int64_t* sizes,
                   const NumberStatistics* diagonals, double* bounds) {
  return within(device, [&](Context& context) {
    if (count == 0) return DeviceStatus::ok;
    const int64_t bands = dividedUp(largest, tileSize);
    const double* known = reinterpret_cast<const double*>(diagonals);
    Scratch<double> partials(context);
    NATGRAD_TRY(partials.allocate(2 * count * bands));
    NATGRAD_TRY(context.launch(NATGRAD_KERNEL(normPartials), count * bands, blockThreads, bands, matrices, sizes, known,
                               partials.data()));
    return context.launch(context.kernels.normBounds, blocksFor(count), blockThreads, count, bands, sizes, known,
                          partials.data(), bounds);
  });
}

template <class T>
DeviceStatus identityDistances(void* device, int64_t n, int64_t count, const T* e, double* distances) {
  constexpr int64_t mostChunks = 64;
  return within(device, [&](Context& context) {
    if (n == 0) return DeviceStatus::ok;
    const int64_t chunks = std::min(mostChunks, dividedUp(n * n, 4 * blockThreads));
    Scratch<double> partials(context);
    NATGRAD_TRY(partials.allocate(count * chunks));
    NATGRAD_TRY(
        context.launch(NATGRAD_KERNEL(identityDistance), count * chunks, blockThreads, n, chunks, e, partials.data()));
    return context.launch(context.kernels.sumPartials, blocksFor(count), blockThreads, count, chunks, partials.data(),
                          1 / static_cast<double>(n), 1, distances);
  });
}

template <class T>
DeviceStatus invertSmall(void* device, int64_t n, int64_t count, const T* const* matrices, const double* dampings,
                         const double* scales, const double* limits, T* const* out, double* results) {
  return within(device, [&](Context& context) {
    return context.launch(NATGRAD_KERNEL(invertSmall), count, smallThreads, n, matrices, out, dampings, scales, limits,
                          results);
  });
}

template <class T>
DeviceStatus polynomial(void* device, int64_t n, int64_t count, const T* e, const double* linear, const double* cubic,
                        T* p) {
  return within(device, [&](Context& context) {
    return context.launch(NATGRAD_KERNEL(polynomial), blocksFor(count * n * n), blockThreads, n, count, e, linear,
                          cubic, p);
  });
}

template <class T>
DeviceStatus identity(void* device, int64_t n, double value, T* out) {
  return within(device, [&](Context& context) {
    return context.launch(NATGRAD_KERNEL(identity), blocksFor(n * n), blockThreads, n, 1, value, out);
  });
}

template <class T>
DeviceStatus scaleLower(void* device, int64_t n, double keep, T* a) {
  return within(device, [&](Context& context) {
    return context.launch(NATGRAD_KERNEL(scaleLower), blocksFor(n * n), blockThreads, n, keep, a);
  });
}

template <class T>
DeviceStatus scaleByDiagonals(void* device, int64_t rows, int64_t columns, const T* left, const T* right, const T* in,
                              T* out) {
  return within(device, [&](Context& context) {
    return context.launch(NATGRAD_KERNEL(scaleByDiagonals), blocksFor(rows * columns), blockThreads, rows, columns,
                          left, right, in, out);
  });
}

#undef NATGRAD_KERNEL

}  // namespace

template <class T>
void fillMatrices(DeviceOperations<T>& operations) {
  operations.statistics = statistics<T>;
  operations.norms = norms<T>;
  operations.identityDistances = identityDistances<T>;
  operations.invertSmall = invertSmall<T>;
  operations.polynomial = polynomial<T>;
  operations.identity = identity<T>;
  operations.scaleLower = scaleLower<T>;
  operations.scaleByDiagonals = scaleByDiagonals<T>;
}

template void fillMatrices<float>(DeviceOperations<float>&);
template void fillMatrices<double>(DeviceOperations<double>&);

}  // namespace natgrad::cuda
