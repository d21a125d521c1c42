// Passes over vectors, rows and images.
#pragma once

#include "blocks.h"

namespace {

__device__ void storeSum(double sum, double* partials) {
  sum = foldBlock(sum, Sum());
  if (threadIdx.x == 0) partials[blockIdx.x] = sum;
}

template <class T>
__device__ void dotPartials(int64_t size, const T* x, const T* y, double* partials) {
  double sum = 0;
  for (int64_t i = threadOfGrid(); i < size; i += threadsOfGrid())
    sum += static_cast<double>(x[i]) * static_cast<double>(y[i]);
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
__device__ void update(int64_t size, T* weights, const T* direction, T* velocity, double momentum, double step,
                       double shrink) {
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
  for (int64_t i = threadOfGrid(); i < size; i += threadsOfGrid())
    out[i] = static_cast<T>(1 / (static_cast<double>(in[i]) + damping));
}

}  // namespace
