// Second moments of rows, weighted for every output unit by its own gradients.
#pragma once

#include <mutex>

#include "core/backend.h"
#include "core/jobs.h"

namespace natgrad {

// factors[j] = decay factors[j] + sum over inputs of scale sum_r g[r][j]^2 x_r x_r' on the lower triangles, with a 1
// appended to every row x_r if `homogeneous`. An input that is not finite leaves the factors as they were.
//
// Many units are done in parts, each some of them, in any order and on any thread; how many parts there are depends on
// the sizes only. The part that comes first examines the inputs for all.
template <class T>
class UnitFactorsParts {
 public:
  UnitFactorsParts(const Backend& backend, const UnitFactorsJob<T>& job);

  int64_t count() const { return count_; }
  Report compute(int64_t part);

 private:
  bool inputsAreFinite();
  int64_t weigh(const T* x, const T* weights, int64_t rows, T* weighted) const;
  void add(int64_t unit, const T* x, int64_t rows, T scale, T beta, T* packed) const;
  bool usesGram() const { return ops_.gram != nullptr && job_.size <= gramSize; }

  const Operations<T>& ops_;
  const UnitFactorsJob<T>& job_;
  int64_t count_;
  std::once_flag examined_;
  bool finite_ = false;
};

}  // namespace natgrad
