// Second moments of rows: the statistics of a Kronecker factor.
#pragma once

#include <mutex>

#include "core/backend.h"
#include "core/jobs.h"

namespace natgrad {

// factor = decay factor + sum over inputs of scale X'X on the lower triangle, with a 1 appended to every row if
// `homogeneous`. An input that is not finite leaves the factor as it was.
//
// A large factor is done in parts, each some of its rows, in any order and on any thread; how many there are depends on
// the job only. The part that comes first examines the inputs for all.
template <class T>
class FactorParts {
 public:
  FactorParts(const Backend& backend, const FactorJob<T>& job);

  int64_t count() const { return count_; }
  Report compute(int64_t part);

 private:
  bool inputsAreFinite();
  int64_t firstRow(int64_t part) const;

  const Operations<T>& ops_;
  const FactorJob<T>& job_;
  int64_t count_;
  std::once_flag examined_;
  bool finite_ = false;
};

// The diagonal of the same, for dense rows, or for rows that are one-hot and given by their indices.
template <class T>
Report compute(const Backend& backend, const DiagonalFactorJob<T>& job);

}  // namespace natgrad
