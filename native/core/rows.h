// The rows that statistics are taken of, one panel after the other.
#pragma once

#include <algorithm>
#include <cstdint>

#include "core/backend.h"
#include "core/jobs.h"
#include "core/patches.h"

namespace natgrad {

// Long sums in the precision of their terms are split, so that rounding does not grow with the number of rows.
constexpr int64_t summedRows = 512;

template <class T>
bool formsPatches(const Rows<T>& x) {
  return x.patches && !patchesAreInput(x.geometry);
}

template <class T>
int64_t rowCount(const Rows<T>& x) {
  return x.patches ? x.geometry.patches() : x.rows;
}

template <class T>
int64_t columnCount(const Rows<T>& x) {
  return x.patches ? x.geometry.patchSize() : x.columns;
}

template <class T>
bool isFinite(const Operations<T>& ops, const Rows<T>& x) {
  const ConvGeometry& g = x.geometry;
  const int64_t elements = x.patches ? g.batch * g.inHeight * g.inWidth * g.channels : x.rows * x.columns;
  return ops.firstNonFinite(x.data, elements) < 0;
}

// Rows are taken in panels: patches because they are formed one panel at a time and should still be in the second-level
// cache when they are multiplied, dense rows because BLAS counts in 32 bits.
template <class T>
int64_t panelRows(const Rows<T>& x) {
  constexpr int64_t denseRows = int64_t{1} << 20;
  constexpr int64_t cacheBytes = int64_t{1} << 20;
  if (!formsPatches(x)) return denseRows;
  const int64_t rowBytes = columnCount(x) * static_cast<int64_t>(sizeof(T));
  return std::clamp<int64_t>(cacheBytes / std::max<int64_t>(1, rowBytes), 256, 2048);
}

// Elements that a panel of these rows takes where it has to be formed.
template <class T>
int64_t panelElements(const Rows<T>& x, int64_t rows) {
  return formsPatches(x) ? columnCount(x) * std::min(panelRows(x), rows) : 0;
}

// Calls `add` with the address of every panel of the rows [begin, end), the number of its first row and how many it
// has. `memory` holds panelElements(x, end - begin).
template <class T, class Add>
void eachPanel(const Rows<T>& x, int64_t begin, int64_t end, T* memory, const Add& add) {
  const int64_t columns = columnCount(x);
  const int64_t step = panelRows(x);
  for (int64_t first = begin; first < end; first += step) {
    const int64_t count = std::min(step, end - first);
    if (formsPatches(x)) {
      formPatches(x.data, x.geometry, first, count, memory, columns);
      add(static_cast<const T*>(memory), first, count);
    } else {
      add(x.data + first * columns, first, count);
    }
  }
}

}  // namespace natgrad
