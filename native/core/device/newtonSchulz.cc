#include "core/device/newtonSchulz.h"

#include <cmath>

#include "core/device/attempts.h"
#include "core/newtonSchulzSchedule.h"

namespace natgrad {

// E = Z Y,   P = linear I + cubic E,   Y <- Y P,   Z <- P Z,   Y_0 = A / u, Z_0 = I; see core/newtonSchulz.cc, which
// also says why Y and Z are made symmetric and E is not.
template <class T>
void iterateRoots(const Queue& queue, const RootStacks<T>& stacks, const std::vector<T*>& matrices,
                  const std::vector<Interval>& intervals, RootSteps how, double* distances) {
  const DeviceOperations<T>& ops = deviceOperations<T>(queue.backend());
  const auto mirror = deviceConversions<T, T>(queue.backend()).mirror;
  const int64_t n = stacks.n, count = stacks.count;
  const size_t size = matrices.size();

  // The coefficients of every step and matrix.
  std::vector<double> linear(static_cast<size_t>(how.steps) * size), cubic(linear.size()), inverseBounds;
  for (size_t i = 0; i < size; ++i) {
    inverseBounds.push_back(1 / intervals[i].upper);
    // The polynomials act on the square roots of the eigenvalues.
    Interval roots{std::sqrt(intervals[i].lower / intervals[i].upper), 1};
    for (size_t step = 0; step < static_cast<size_t>(how.steps); ++step) {
      const Cubic next = nextCubic(roots, how.minimax);
      linear[step * size + i] = next.linear;
      cubic[step * size + i] = next.cubic;
    }
  }
  Parameters parameters(queue);
  const size_t from = parameters.add(matrices), scale = parameters.add(inverseBounds);
  const size_t none = parameters.add(std::vector<double>(size, 0.0)),
               one = parameters.add(std::vector<double>(size, 1.0));
  const size_t yPlaces = parameters.add(stacked(stacks.y.data(), n, size)),
               zPlaces = parameters.add(stacked(stacks.z.data(), n, size));
  const size_t productPlaces = parameters.add(stacked(stacks.product.data(), n, size));
  const size_t linears = parameters.add(linear), cubics = parameters.add(cubic);
  parameters.send();

  // target = left right, which is symmetric but for rounding, and then entirely.
  const auto multiply = [&](const T* left, const T* right, size_t target) {
    queue.call(ops.gemmStack, how.math, false, false, n, n, n, T(1), left, right, T(0), stacks.product.data(), count);
    queue.call(mirror, n, count, parameters.at<T*>(productPlaces), parameters.at<T*>(target),
               parameters.at<double>(one), parameters.at<double>(none), nullptr);
  };
  T *const y = stacks.y.data(), *const z = stacks.z.data(), *const e = stacks.e.data(), *const p = stacks.p.data();
  queue.call(mirror, n, count, parameters.at<T*>(from), parameters.at<T*>(yPlaces), parameters.at<double>(scale),
             parameters.at<double>(none), nullptr);
  for (int64_t step = 0; step < how.steps; ++step) {
    const int64_t offset = step * count;
    // In the first step Z is I, so that E is Y and the new Z is P.
    const bool first = step == 0;
    if (!first) queue.call(ops.gemmStack, how.math, false, false, n, n, n, T(1), z, y, T(0), e, count);
    queue.call(ops.polynomial, n, count, first ? y : e, parameters.at<double>(linears) + offset,
               parameters.at<double>(cubics) + offset, first ? z : p);
    multiply(y, first ? z : p, yPlaces);
    if (!first) multiply(p, z, zPlaces);
  }
  queue.call(ops.gemmStack, how.math, false, false, n, n, n, T(1), z, y, T(0), e, count);
  queue.call(ops.identityDistances, n, count, e, distances);
}

template void iterateRoots<float>(const Queue&, const RootStacks<float>&, const std::vector<float*>&,
                                  const std::vector<Interval>&, RootSteps, double*);
template void iterateRoots<double>(const Queue&, const RootStacks<double>&, const std::vector<double*>&,
                                   const std::vector<Interval>&, RootSteps, double*);

}  // namespace natgrad
