#include "core/device/factors.h"

#include <algorithm>

#include "core/patches.h"
#include "core/rows.h"

namespace natgrad {

namespace {

// Patches are formed in panels of at most so many bytes; more rows than fit in one only share what is already done.
constexpr int64_t panelBytes = int64_t{256} << 20;
// cuBLAS and its kind count in 32 bits.
constexpr int64_t mostRows = int64_t{1} << 24;

template <class T>
int64_t panelRowsOf(const Rows<T>& rows) {
  if (!formsPatches(rows)) return mostRows;
  const int64_t rowBytes = std::max<int64_t>(1, columnCount(rows)) * static_cast<int64_t>(sizeof(T));
  return std::clamp<int64_t>(panelBytes / rowBytes, 1, mostRows);
}

// Calls add(x, rows) for the panels of the rows, in order. With `formed`, the only panel lies in `memory` already.
template <class T, class Add>
void eachDevicePanel(const Queue& queue, const Rows<T>& rows, T* memory, bool formed, const Add& add) {
  const int64_t count = rowCount(rows), step = panelRowsOf(rows), columns = columnCount(rows);
  for (int64_t first = 0; first < count; first += step) {
    const int64_t some = std::min(step, count - first);
    if (formsPatches(rows)) {
      if (!formed)
        queue.finish(deviceOperations<T>(queue.backend()).formPatches, rows.data, &rows.geometry, first, some, memory);
      add(static_cast<const T*>(memory), some);
    } else {
      add(rows.data + first * columns, some);
    }
  }
}

}  // namespace

template <class T>
void examineInputs(const Queue& queue, const FactorJob<T>& job, int32_t* bad) {
  for (const FactorInput<T>& input : job.inputs) {
    const ConvGeometry& g = input.geometry;
    const int64_t size = input.patches ? g.batch * g.inHeight * g.inWidth * g.channels : input.rows * input.columns;
    queue.call(deviceOperations<T>(queue.backend()).markNonFinite, input.data, size, bad);
  }
}

template <class T>
void examineInputs(const Queue& queue, const DiagonalFactorJob<T>& job, int32_t* bad) {
  for (const DiagonalFactorInput<T>& input : job.inputs) {
    queue.call(deviceOperations<T>(queue.backend()).markNonFinite, input.data, input.rows * job.size, bad);
  }
}

// As Accumulator of core/factor.cc: X'X in the first rows, and below them the column sums of X and the number of rows.
// What needs memory comes first; after that nothing may fail but the device itself.
template <class T>
void enqueueFactor(const Queue& queue, const FactorJob<T>& job, ProductMath math) {
  const DeviceOperations<T>& ops = deviceOperations<T>(queue.backend());
  const int64_t n = job.size, columns = job.homogeneous ? n - 1 : n;
  if (n == 0) return;
  int64_t panel = 0, panels = 0;
  double weight = 0;
  for (const FactorInput<T>& input : job.inputs) {
    const int64_t rows = rowCount(input);
    if (rows == 0) continue;
    weight += input.scale * static_cast<double>(rows);
    panels += (rows + panelRowsOf(input) - 1) / panelRowsOf(input);
    if (formsPatches(input)) panel = std::max(panel, std::min(panelRowsOf(input), rows) * columns);
  }
  if (panels == 0) return queue.call(ops.scaleLower, n, job.decay, job.factor);

  const DeviceArray<T> patches(queue, panel);
  T* const last = job.homogeneous ? job.factor + columns * n : nullptr;
  // Collected beside the factor, because adding up columns takes memory.
  const DeviceArray<T> sums(queue, n);
  if (last != nullptr) {
    queue.call(queue.backend().clear, sums.data(), n * static_cast<int64_t>(sizeof(T)));
    for (const FactorInput<T>& input : job.inputs) {
      eachDevicePanel(queue, input, patches.data(), false, [&](const T* x, int64_t rows) {
        queue.call(ops.columnMoments, rows, columns, x, false, input.scale, 1.0, sums.data());
      });
    }
    const T total = static_cast<T>(weight);
    queue.upload(&total, sums.data() + columns, static_cast<int64_t>(sizeof(T)));
    queue.call(ops.columnMoments, int64_t{1}, n, sums.data(), false, 1.0, job.decay, last);
  }
  double keep = job.decay;
  for (const FactorInput<T>& input : job.inputs) {
    eachDevicePanel(queue, input, patches.data(), last != nullptr && panels == 1, [&](const T* x, int64_t rows) {
      queue.finish(ops.syrk, math, true, columns, rows, static_cast<T>(input.scale), x, columns, static_cast<T>(keep),
                   job.factor, n);
      keep = 1;
    });
  }
}

template <class T>
void enqueueFactor(const Queue& queue, const DiagonalFactorJob<T>& job) {
  const DeviceOperations<T>& ops = deviceOperations<T>(queue.backend());
  const DeviceArray<T> sums(queue, job.size);
  queue.call(queue.backend().clear, sums.data(), job.size * static_cast<int64_t>(sizeof(T)));
  for (const DiagonalFactorInput<T>& input : job.inputs) {
    queue.call(ops.columnMoments, input.rows, job.size, input.data, true, input.scale, 1.0, sums.data());
  }
  queue.call(ops.columnMoments, int64_t{1}, job.size, sums.data(), false, 1.0, job.decay, job.factor);
}

#define NATGRAD_INSTANTIATE(T)                                                         \
  template void examineInputs<T>(const Queue&, const FactorJob<T>&, int32_t*);         \
  template void examineInputs<T>(const Queue&, const DiagonalFactorJob<T>&, int32_t*); \
  template void enqueueFactor<T>(const Queue&, const FactorJob<T>&, ProductMath);      \
  template void enqueueFactor<T>(const Queue&, const DiagonalFactorJob<T>&);
NATGRAD_INSTANTIATE(float)
NATGRAD_INSTANTIATE(double)
#undef NATGRAD_INSTANTIATE

}  // namespace natgrad
