// What has to be known of matrices before their inverses and roots can be computed: examine() of core/dampedMatrix.h on
// a device, for many at once.
#pragma once

#include <cstdint>
#include <vector>

#include "core/dampedMatrix.h"
#include "core/device/queue.h"
#include "core/jobs.h"

namespace natgrad {

template <class T>
class Examination {
 public:
  explicit Examination(const Queue& queue) : queue_(queue) {}

  // A matrix (n by n, packed, given by its lower triangle), or numbers that lie `stride` apart. Returns what to ask for
  // it by.
  size_t addMatrix(const T* matrix, int64_t n);
  size_t addNumbers(const T* data, int64_t size, int64_t stride);
  // The partner of a matrix, if there is one.
  size_t addPartner(const Damped<T>& damped);
  static constexpr size_t none = static_cast<size_t>(-1);

  // When all are added. The answers are there when the results have come down.
  void start(Results& results);

  NumberStatistics numbers(size_t i) const;
  // Of matrix `i`, the root of which is wanted.
  DampedMatrix matrix(size_t i, size_t partner, const Damped<T>& damped, int32_t p) const;
  double damping(const Damped<T>& damped, double trace, int64_t size, size_t partner) const;

 private:
  struct List {
    std::vector<const T*> data;
    std::vector<int64_t> sizes, strides;

    size_t add(const T* first, int64_t size, int64_t stride) {
      data.push_back(first);
      sizes.push_back(size);
      strides.push_back(stride);
      return data.size() - 1;
    }
  };

  Results::Numbers statistics(const List& list, Results& results);
  static NumberStatistics read(const double* host, size_t i);

  const Queue& queue_;
  List matrices_, numbers_;
  Results::Numbers diagonals_{nullptr, nullptr}, bounds_{nullptr, nullptr}, others_{nullptr, nullptr};
};

}  // namespace natgrad
