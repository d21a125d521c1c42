// The product of a Kronecker pair with a gradient.
#pragma once

#include "core/backend.h"
#include "core/jobs.h"

namespace natgrad {

// out = left V right, and its inner product with V; a Kronecker block's (right (x) left) vec(V) (Martens & Grosse,
// 2015). `out` and `outLast` must not overlap the input.
//
// A large product is done in parts, each some rows of the result, in any order and on any thread; how many there are
// depends on the sizes only. The dots of the parts add up to that of the whole.
template <class T>
class KroneckerParts {
 public:
  KroneckerParts(const Backend& backend, const KroneckerJob<T>& job);

  int64_t count() const { return count_; }
  Report compute(int64_t part) const;

 private:
  void multiplyLeft(int64_t begin, int64_t rows, T* product) const;
  void multiplyRight(const T* product, int64_t rows, T* out) const;

  const Operations<T>& ops_;
  const KroneckerJob<T>& job_;
  int64_t count_;
};

}  // namespace natgrad
