// An inverse on a device from an earlier one, by Newton's iteration; see core/newtonInverse.cc. Nothing but products, on
// a device for which Cholesky's many small steps are slow.
#pragma once

#include <optional>

#include "core/device/attempts.h"

namespace natgrad {

// One matrix in precision T, which is given and wanted in precision S. The result is written when it is asked for.
template <class T, class S>
class NewtonInverse {
 public:
  // Waits once, for what decides on the steps, and puts them on the queue. What `attempt` tells is there when the
  // results have come down.
  NewtonInverse(const Queue& queue, Results& results, const Target<S>& target, const S* start);

  Attempt attempt() const;
  // To target.out. Throws std::bad_alloc, and then nothing has been written.
  void store() const;

 private:
  void iterate(const DeviceArray<T>& a, Results& results, const std::vector<double>& scalings);

  const Queue& queue_;
  Target<S> target_;
  DeviceArray<T> x_;
  int64_t steps_ = 0;
  std::optional<Results::Numbers> distance_, norm_;  // none if the start is too far away
};

}  // namespace natgrad
