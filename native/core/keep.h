// What is left of a result that more is added to.
#pragma once

#include <algorithm>
#include <cstdint>

namespace natgrad {

// x = share x. As in BLAS, zero means that what was there does not matter.
template <class T>
void keep(T* x, int64_t size, T share) {
  if (share == T(0)) {
    std::fill(x, x + size, T(0));
  } else {
    for (int64_t i = 0; i < size; ++i) x[i] *= share;
  }
}

}  // namespace natgrad
