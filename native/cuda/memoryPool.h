// Device memory that is freed is kept for the next who asks for as much: the driver's own allocation waits for the
// whole device.
#pragma once

#include <cstddef>
#include <map>
#include <unordered_map>
#include <vector>

#include "cuda/driver.h"

namespace natgrad::cuda {

class MemoryPool {
 public:
  // Statuses are the driver's. When there is no memory left, what lies unused is given back first, after the stream is
  // done with it.
  int allocate(const Driver& driver, void* stream, size_t bytes, void** pointer);
  void free(void* pointer);

  // Gives everything back, used or not.
  void close(const Driver& driver);

 private:
  int giveBackUnused(const Driver& driver, void* stream);

  std::map<size_t, std::vector<void*>> unused_;  // by size
  std::unordered_map<void*, size_t> sizes_;      // of all there is
};

}  // namespace natgrad::cuda
