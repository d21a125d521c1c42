#include <algorithm>

#include "cuda/operations.h"

namespace natgrad::cuda {

namespace {

#define NATGRAD_KERNEL(name) kernelFor<T>(context.kernels.name##F32, context.kernels.name##F64)

// Runs a pass that leaves a partial sum for every block, and adds them up.
template <class Pass>
DeviceStatus summed(void* device, int64_t size, double* result, const Pass& pass) {
  constexpr int64_t mostBlocks = 256;
  return within(device, [&](Context& context) {
    const int64_t blocks = std::clamp<int64_t>(blocksFor(size), 1, mostBlocks);
    Scratch<double> partials(context);
    NATGRAD_TRY(partials.allocate(blocks));
    NATGRAD_TRY(pass(context, blocks, partials.data()));
    return context.launch(context.kernels.sumPartials, 1, blockThreads, 1, blocks, partials.data(), 1.0, 0, result);
  });
}

template <class T>
DeviceStatus dot(void* device, const T* x, const T* y, int64_t size, double* result) {
  return summed(device, size, result, [&](Context& context, int64_t blocks, double* partials) {
    return context.launch(NATGRAD_KERNEL(dotPartials), blocks, blockThreads, size, x, y, partials);
  });
}

template <class T>
DeviceStatus multiply(void* device, const T* left, const T* right, double offset, T* out, int64_t size,
                      double* result) {
  return summed(device, size, result, [&](Context& context, int64_t blocks, double* partials) {
    return context.launch(NATGRAD_KERNEL(multiply), blocks, blockThreads, size, left, right, offset, out, partials);
  });
}

template <class T>
DeviceStatus divide(void* device, const T* left, const T* right, double offset, T* out, int64_t size, double* result) {
  return summed(device, size, result, [&](Context& context, int64_t blocks, double* partials) {
    return context.launch(NATGRAD_KERNEL(divide), blocks, blockThreads, size, left, right, offset, out, partials);
  });
}

template <class T>
DeviceStatus update(void* device, T* weights, const T* direction, T* velocity, int64_t size, double momentum,
                    double step, double shrink) {
  return within(device, [&](Context& context) {
    return context.launch(NATGRAD_KERNEL(update), blocksFor(size), blockThreads, size, weights, direction, velocity,
                          momentum, step, shrink);
  });
}

template <class T>
DeviceStatus combine(void* device, int64_t terms, const T* const* data, const double* scales, T* out, int64_t size) {
  return within(device, [&](Context& context) {
    return context.launch(NATGRAD_KERNEL(combine), blocksFor(size), blockThreads, size, terms, data, scales, out);
  });
}

template <class T>
DeviceStatus columnMoments(void* device, int64_t rows, int64_t columns, const T* x, bool squares, double alpha,
                           double keep, T* out) {
  return within(device, [&](Context& context) {
    if (columns == 0) return DeviceStatus::ok;
    const int64_t chunks = dividedUp(rows, chunkRows);
    Scratch<double> partials(context);
    NATGRAD_TRY(partials.allocate(std::max<int64_t>(1, chunks * columns)));
    NATGRAD_TRY(context.launch(NATGRAD_KERNEL(columnMoments), chunks * dividedUp(columns, tileSize), blockThreads, rows,
                               columns, x, squares ? 1 : 0, partials.data()));
    return context.launch(NATGRAD_KERNEL(addColumns), blocksFor(columns), blockThreads, columns, chunks,
                          partials.data(), alpha, keep, out);
  });
}

template <class T>
DeviceStatus formPatches(void* device, const T* x, const ConvGeometry* g, int64_t first, int64_t count, T* out) {
  const PatchGeometry geometry{g->inHeight,     g->inWidth,     g->channels,       g->kernelHeight,  g->kernelWidth,
                               g->strideHeight, g->strideWidth, g->dilationHeight, g->dilationWidth, g->padTop,
                               g->padLeft,      g->outHeight,   g->outWidth};
  return within(device, [&](Context& context) {
    return context.launch(NATGRAD_KERNEL(patches), blocksFor(count * g->patchSize()), blockThreads, x, geometry, first,
                          count, out);
  });
}

template <class T>
DeviceStatus markNonFinite(void* device, const T* x, int64_t size, int32_t* mark) {
  return within(device, [&](Context& context) {
    return context.launch(NATGRAD_KERNEL(markNonFinite), blocksFor(size), blockThreads, size, x, mark);
  });
}

template <class T>
DeviceStatus reciprocal(void* device, const T* in, int64_t size, double damping, T* out) {
  return within(device, [&](Context& context) {
    return context.launch(NATGRAD_KERNEL(reciprocal), blocksFor(size), blockThreads, size, in, damping, out);
  });
}

#undef NATGRAD_KERNEL

template <class S, class T, class Same32, class Up, class Down, class Same64>
const auto& conversionFor(const Same32& same32, const Up& up, const Down& down, const Same64& same64) {
  if constexpr (std::is_same_v<S, float>) {
    return kernelFor<T>(same32, up);
  } else {
    return kernelFor<T>(down, same64);
  }
}

#define NATGRAD_KERNEL(name)                                                                                     \
  conversionFor<S, T>(context.kernels.name##F32, context.kernels.name##F32ToF64, context.kernels.name##F64ToF32, \
                      context.kernels.name##F64)

template <class S, class T>
DeviceStatus mirror(void* device, int64_t n, int64_t count, const S* const* in, T* const* out, const double* alphas,
                    const double* shifts, const int32_t* accepted) {
  return within(device, [&](Context& context) {
    const int64_t tiles = dividedUp(n, tileSize);
    return context.launch(NATGRAD_KERNEL(mirror), count * (tiles * (tiles + 1) / 2), blockThreads, n, in, out, alphas,
                          shifts, accepted);
  });
}

template <class S, class T>
DeviceStatus transpose(void* device, int64_t n, const S* in, T* out, const int32_t* accepted) {
  return within(device, [&](Context& context) {
    const int64_t tiles = dividedUp(n, tileSize);
    return context.launch(NATGRAD_KERNEL(transpose), tiles * tiles, blockThreads, n, in, out, accepted);
  });
}

template <class S, class T>
DeviceStatus convert(void* device, int64_t size, const S* in, T* out, const int32_t* accepted) {
  return within(device, [&](Context& context) {
    return context.launch(NATGRAD_KERNEL(convert), blocksFor(size), blockThreads, size, in, out, accepted);
  });
}

#undef NATGRAD_KERNEL

}  // namespace

template <class T>
void fillPasses(DeviceOperations<T>& operations) {
  operations.dot = dot<T>;
  operations.multiply = multiply<T>;
  operations.divide = divide<T>;
  operations.update = update<T>;
  operations.combine = combine<T>;
  operations.columnMoments = columnMoments<T>;
  operations.formPatches = formPatches<T>;
  operations.markNonFinite = markNonFinite<T>;
  operations.reciprocal = reciprocal<T>;
}

template <class S, class T>
void fillConversions(DeviceConversions<S, T>& conversions) {
  conversions.mirror = mirror<S, T>;
  conversions.transpose = transpose<S, T>;
  conversions.convert = convert<S, T>;
}

template void fillPasses<float>(DeviceOperations<float>&);
template void fillPasses<double>(DeviceOperations<double>&);
template void fillConversions<float, float>(DeviceConversions<float, float>&);
template void fillConversions<float, double>(DeviceConversions<float, double>&);
template void fillConversions<double, float>(DeviceConversions<double, float>&);
template void fillConversions<double, double>(DeviceConversions<double, double>&);

}  // namespace natgrad::cuda
