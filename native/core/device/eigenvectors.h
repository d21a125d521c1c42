// Symmetric eigendecompositions on a device.
#pragma once

#include <optional>

#include "core/device/attempts.h"
#include "core/jobs.h"

namespace natgrad {

// eigenRoot of core/eigenRoot.h, at once.
template <class S>
Attempt eigenRoot(const Queue& queue, const Target<S>& target, int32_t p, bool clip);

// A decomposition in precision T of a matrix in precision S.
template <class T, class S>
class Eigenvectors {
 public:
  // Loads the matrix and looks for what is not finite, which LAPACK's kind would answer with numbers that look right.
  Eigenvectors(const Queue& queue, Results& results, const EighJob<S>& job);
  // Once that is known: the decomposition, if there is one to be made.
  void start();
  Report report() const;

 private:
  bool finite() const { return *bad_.host == 0; }

  const Queue& queue_;
  EighJob<S> job_;
  std::optional<DeviceArray<T>> rows_;  // until the decomposition is on the queue
  Results& results_;
  Results::Numbers bad_, least_{nullptr, nullptr};
};

}  // namespace natgrad
