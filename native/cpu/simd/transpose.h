// Transposes a square of as many registers as a register has lanes.
#pragma once

#include <utility>

#include "cpu/simd/lanes.h"

namespace natgrad {
namespace NATGRAD_SIMD {
namespace {

// The lanes of two registers alternating: of their first halves, or of their second halves.
template <class T, size_t... lane>
inline LanesOf<T> interleaveLow(LanesOf<T> a, LanesOf<T> b, std::index_sequence<lane...>) {
  return __builtin_shufflevector(a, b, static_cast<int>(lane / 2 + lane % 2 * width<T>)...);
}
template <class T, size_t... lane>
inline LanesOf<T> interleaveHigh(LanesOf<T> a, LanesOf<T> b, std::index_sequence<lane...>) {
  return __builtin_shufflevector(a, b, static_cast<int>(width<T> / 2 + lane / 2 + lane % 2 * width<T>)...);
}

// Interleaving the first half of the rows with the second rotates the bits of (row, lane) by one; after log2(width)
// such shuffles the bits of the row and those of the lane have changed places.
template <class T>
inline void transpose(LanesOf<T>* rows) {
  constexpr int64_t w = width<T>;
  constexpr auto lanes = std::make_index_sequence<static_cast<size_t>(w)>{};
  for (int64_t step = 1; step < w; step *= 2) {
    LanesOf<T> shuffled[w];
    for (int64_t i = 0; i < w / 2; ++i) {
      shuffled[2 * i] = interleaveLow<T>(rows[i], rows[i + w / 2], lanes);
      shuffled[2 * i + 1] = interleaveHigh<T>(rows[i], rows[i + w / 2], lanes);
    }
    for (int64_t i = 0; i < w; ++i) rows[i] = shuffled[i];
  }
}

}  // namespace
}  // namespace NATGRAD_SIMD
}  // namespace natgrad
