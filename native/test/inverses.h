#pragma once

#include <cstdint>
#include <vector>

#include "gallery.h"

namespace natgrad::test {

// Inverse jobs with storage of their own.
template <class T>
class Inverses {
 public:
  void add(const Matrix& a, int64_t n, double damping) {
    sizes_.push_back(n);
    matrices_.push_back(lowerOf<T>(a, n));
    outs.emplace_back(static_cast<size_t>(n * n), T(7));
    damping_.push_back(damping);
  }
  Phase phase() {
    Phase jobs;
    for (size_t i = 0; i < sizes_.size(); ++i) {
      jobs.push_back(TypedJob<T>(InverseJob<T>{matrices_[i].data(), sizes_[i], damp<T>(damping_[i]), outs[i].data()}));
    }
    return jobs;
  }
  std::vector<std::vector<T>> outs;

 private:
  std::vector<int64_t> sizes_;
  std::vector<std::vector<T>> matrices_;
  std::vector<double> damping_;
};

}  // namespace natgrad::test
