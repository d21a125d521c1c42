// Products of two matrices, or of the matrices of two stacks.
#pragma once

#include "core/backend.h"
#include "core/jobs.h"

namespace natgrad {

// out = scale left right + keep out, for each matrix of a stack; the last row of a single one may lie apart. With `keep` zero, what was in
// `out` is not read.
//
// A large product is done in parts, a stack by its matrices and a single product by the longer side of its result, in
// any order and on any thread; how many there are depends on the sizes only.
template <class T>
class ProductParts {
 public:
  ProductParts(const Backend& backend, const ProductJob<T>& job);

  int64_t count() const { return count_; }
  Report compute(int64_t part) const;

 private:
  // The rows [top, bottom) and columns [first, last) of product `i` of the stack.
  void multiply(int64_t i, int64_t top, int64_t bottom, int64_t first, int64_t last) const;
  // The same of rows that lie together, `out` being where the first of their elements goes.
  void multiplyTo(T* out, int64_t i, int64_t top, int64_t bottom, int64_t first, int64_t last) const;

  const Operations<T>& ops_;
  const ProductJob<T>& job_;
  int64_t count_;
};

}  // namespace natgrad
