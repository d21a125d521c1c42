// Matrices of given sizes and the jobs that are timed and checked on them, in float32.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "core/device/device.h"
#include "core/jobs.h"

namespace natgrad::bench {

// factor        F = 0.95 F + 0.05 X'X / rows, lower triangle, X of 4096 rows on the device
// factorUpload  the same with X in host memory
// inverse       (A + 1e-3 I)^-1
// root2, root4  (A + 1e-3 I)^-1/2, (A + 1e-3 I)^-1/4
// eigh          eigenvalues and eigenvectors of A
// precondition  G V A, n by n all
enum class Operation { factor, factorUpload, inverse, root2, root4, eigh, precondition };

Operation operationNamed(const std::string& name);  // throws std::runtime_error

struct Size {
  int64_t n;
  int64_t count;
};

// "576*3,64*4" or "512"; throws std::runtime_error.
std::vector<Size> sizesOf(const std::string& text);

// One of the problems of a workload, after the work is done.
struct Problem {
  int64_t n, rows;
  std::vector<float> first, second, third;  // what goes in: A; X and F; G, V and A
  std::vector<float> out, values;
};

constexpr double damping = 1e-3;
constexpr double decay = 0.95;

class Workload {
 public:
  // `rows` of X. Throws std::bad_alloc where the device has too little memory.
  Workload(Device& device, Operation operation, const std::vector<Size>& sizes, int64_t rows);
  ~Workload();
  Workload(const Workload&) = delete;
  Workload& operator=(const Workload&) = delete;

  // Does all the work once, and waits. Throws std::runtime_error if a job fails. Returns the largest number of
  // iterations of a job.
  int64_t run();

  // With the results.
  const std::vector<std::unique_ptr<Problem>>& fetch();

  Operation operation() const { return operation_; }

 private:
  void add(int64_t n, int64_t rows);
  void keep(std::vector<float>& array);

  Device& device_;
  Operation operation_;
  std::vector<std::unique_ptr<Problem>> problems_;
  std::vector<std::vector<float>*> kept_;
  Phases phases_{1};
};

}  // namespace natgrad::bench
