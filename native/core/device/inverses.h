// Inverses on a device, by Cholesky.
#pragma once

#include <vector>

#include "core/device/attempts.h"

namespace natgrad {

// The first rung for many matrices: their inverses computed in precision T, by size. A result is written where it is
// accepted.
template <class T, class S>
class Inverses {
 public:
  // Puts everything on the queue. The answers are there when the results have come down.
  Inverses(const Queue& queue, Results& results, std::vector<Target<S>> targets);

  // Throws std::bad_alloc where there was no memory for it; nothing has been written then.
  Attempt attempt(size_t i) const;

 private:
  // Where among the parameters the pointers and numbers of some targets are.
  struct Places {
    size_t matrices, out, dampings, scales;
  };

  Places add(Parameters& parameters, size_t first, size_t last) const;
  void enqueue(Results& results, size_t first, size_t last);
  void invertInPlace(Results& results, size_t first, size_t last);
  void invertStack(Results& results, size_t first, size_t last);
  std::vector<double> limits(size_t first, size_t last, bool scaled) const;

  const Queue& queue_;
  std::vector<Target<S>> targets_;
  std::vector<size_t> order_;         // by size
  std::vector<const double*> norms_;  // of the inverses times `unit_`, by target
  std::vector<double> unit_;
};

// One matrix at once.
template <class T, class S>
Attempt tryInverse(const Queue& queue, const Target<S>& target);

}  // namespace natgrad
