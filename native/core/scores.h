// The gradient of every example by itself.
#pragma once

#include "core/backend.h"
#include "core/jobs.h"

namespace natgrad {

// out[n] = keep out[n] + scale sum over the rows r of example n of [x_r; 1] g_r', the 1 only if `homogeneous`.
//
// Many examples are done in parts, each some of them, in any order and on any thread; how many parts there are depends
// on the sizes only.
template <class T>
class ScoresParts {
 public:
  ScoresParts(const Backend& backend, const ScoresJob<T>& job);

  int64_t count() const { return count_; }
  Report compute(int64_t part) const;

 private:
  void addRows(const T* x, const T* g, int64_t rows, T share, T* score) const;
  void addOnes(const T* g, int64_t rows, T share, T* score) const;

  const Operations<T>& ops_;
  const ScoresJob<T>& job_;
  int64_t count_;
};

}  // namespace natgrad
