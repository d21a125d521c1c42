// Inverse square and fourth roots on a device by the Newton-Schulz iteration.
#pragma once

#include <vector>

#include "core/device/attempts.h"
#include "core/device/newtonSchulz.h"

namespace natgrad {

// What is to be done for one matrix.
template <class S>
struct RootTarget : Target<S> {
  const InverseRootJob<S>* job;
};

// The first rung for many matrices: their roots computed in precision T, those of one size and number of steps
// together. A result is written where it is accepted. With `tf32`, matrices that are conditioned well enough are
// multiplied so.
template <class T, class S>
class Roots {
 public:
  // Puts everything on the queue. The answers are there when the results have come down.
  Roots(const Queue& queue, Results& results, std::vector<RootTarget<S>> targets, bool tf32);

  // Throws std::bad_alloc where there was no memory for it; nothing has been written then.
  Attempt attempt(size_t i) const;

 private:
  struct Plan {
    Interval interval, second;  // of the matrix and, for p = 4, of its square root
    int64_t steps = 0, secondSteps = 0;
    double limit = 0, secondLimit = 0;  // of the residuals
    bool minimax = true;
    ProductMath math = ProductMath::full;
    const double* residual = nullptr;  // of both stages and the norm of the result, once they are known
    const double* secondResidual = nullptr;
    const double* norm = nullptr;
  };

  Plan planFor(const RootTarget<S>& target, bool tf32) const;
  bool together(size_t a, size_t b) const;
  bool before(size_t a, size_t b) const;
  void enqueue(Results& results, size_t first, size_t last);
  double rootOfScale(size_t i) const;

  const Queue& queue_;
  std::vector<RootTarget<S>> targets_;
  std::vector<Plan> plans_;
  std::vector<size_t> order_;
};

// One matrix at once, in float32 with full products or in float64.
template <class T, class S>
Attempt tryRoot(const Queue& queue, const RootTarget<S>& target);

}  // namespace natgrad
