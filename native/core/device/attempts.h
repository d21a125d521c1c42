// Many inverses or roots that are tried at the same time.
#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <new>
#include <vector>

#include "core/dampedMatrix.h"
#include "core/device/queue.h"
#include "core/ladder.h"

namespace natgrad {

// A matrix in precision S, and where its inverse or root goes, both on the device.
template <class S>
struct Target {
  const S* matrix;
  S* out;
  int64_t size;
  DampedMatrix info;
  double damping;  // to try; that of `info` or more
};

// The stacks in which matrices of precision T lie while they are worked on hold at most so many bytes, so that a
// thousand layers do not need the memory of them all at once.
template <class T>
int64_t stackLimit(int64_t n) {
  constexpr int64_t bytes = int64_t{1} << 30;
  return std::max<int64_t>(1, bytes / (n * n * static_cast<int64_t>(sizeof(T))));
}

// Calls enqueue(first, last) for parts of [begin, end), and for halves of a part that the device has no memory for;
// shortOf(i) where there is none for a single one.
template <class Enqueue, class ShortOf>
void inParts(size_t begin, size_t end, size_t limit, const Enqueue& enqueue, const ShortOf& shortOf) {
  for (size_t first = begin; first < end; first += limit) {
    const size_t last = std::min(end, first + limit);
    try {
      enqueue(first, last);
    } catch (const std::bad_alloc&) {
      if (last - first > 1) {
        inParts(first, last, (last - first + 1) / 2, enqueue, shortOf);
      } else {
        shortOf(first);
      }
    }
  }
}

// Addresses of the matrices of a packed stack.
template <class T>
std::vector<T*> stacked(T* first, int64_t n, size_t count) {
  std::vector<T*> addresses;
  for (size_t i = 0; i < count; ++i) addresses.push_back(first + static_cast<int64_t>(i) * n * n);
  return addresses;
}

}  // namespace natgrad
