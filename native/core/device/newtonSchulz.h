// The coupled Newton-Schulz iteration for a stack of matrices: products only, a fixed number of steps, nothing to wait
// for.
#pragma once

#include <cstdint>
#include <vector>

#include "core/device/queue.h"
#include "core/rootInterval.h"

namespace natgrad {

// What the iteration needs and all its stages share: five stacks of `count` matrices of n by n.
template <class T>
struct RootStacks {
  RootStacks(const Queue& queue, int64_t size, int64_t number)
      : n(size),
        count(number),
        y(queue, number * size * size),
        z(queue, number * size * size),
        e(queue, number * size * size),
        p(queue, number * size * size),
        product(queue, number * size * size) {}

  int64_t n, count;
  DeviceArray<T> y, z, e, p, product;
};

struct RootSteps {
  int64_t steps;
  bool minimax;
  ProductMath math;
};

// stacks.z[i] = sqrt(u_i) A_i^(-1/2) for the symmetric A_i at matrices[i] (packed, lower triangle), whose eigenvalues
// lie in intervals[i] = [l_i, u_i]. distances[i] becomes the residual |Z Y - I|_F / sqrt(n).
template <class T>
void iterateRoots(const Queue& queue, const RootStacks<T>& stacks, const std::vector<T*>& matrices,
                  const std::vector<Interval>& intervals, RootSteps how, double* distances);

}  // namespace natgrad
