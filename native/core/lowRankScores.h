// The gradient of every example by itself, cut down to its leading singular vectors.
#pragma once

#include <mutex>

#include "core/backend.h"
#include "core/jobs.h"

namespace natgrad {

// left[n]' right[n] is the closest matrix of rank `rank` to S_n = scale sum over the rows r of example n of [x_r; 1] g_r',
// the 1 only if `homogeneous`: its truncated singular value decomposition (C. Eckart and G. Young, "The approximation of
// one matrix by another of lower rank", 1936). With S_n = X'D,
//
//     S'S = V diag(s^2) V',   S ~ (S V_r) V_r'
//
// with the columns V_r of the largest s^2, or the same with SS', whichever is smaller. An example of fewer rows than
// either has columns needs no S: with XX' = P diag(k) P',
//
//     S = Q'C,   Q = diag(k)^-1/2 P'X   (orthonormal rows),   C = diag(k)^1/2 P'D,
//
// and what is cut down is C, which has as many rows. All of it is in float64, as squares have half the digits.
//
// Examples are done in parts, each some of them, in any order and on any thread; how many parts there are depends on the
// sizes only.
template <class T>
class LowRankScoresParts {
 public:
  LowRankScoresParts(const Backend& backend, const LowRankScoresJob<T>& job);

  int64_t count() const { return count_; }
  Report compute(int64_t part);

 private:
  bool inputsAreFinite();

  const Backend& backend_;
  const LowRankScoresJob<T>& job_;
  int64_t count_;
  std::once_flag examined_;
  bool finite_ = false;
};

}  // namespace natgrad
