// Page-locked host memory through which everything goes up and comes down: only from there does the device copy while
// the host goes on.
#pragma once

#include <array>
#include <cstddef>
#include <vector>

#include "cuda/driver.h"

namespace natgrad::cuda {

// Some slots that are filled one after the other, small pieces side by side; a slot is used again when the device is
// done with it. Statuses are the driver's.
class Staging {
 public:
  int open(const Driver& driver);
  void close(const Driver& driver);

  int upload(const Driver& driver, void* stream, const void* host, void* pointer, size_t bytes);
  // What is downloaded is in `host` after `finish` at the latest.
  int download(const Driver& driver, void* stream, const void* pointer, void* host, size_t bytes);
  // After the stream has been waited for.
  void finish();

 private:
  static constexpr size_t slotCount = 4;
  static constexpr size_t slotBytes = size_t{2} << 20;

  struct Arrival {
    const void* from;
    void* to;
    size_t bytes;
  };
  struct Slot {
    char* memory = nullptr;
    void* event = nullptr;
    size_t used = 0;
    std::vector<Arrival> arrivals;

    void deliver();
  };

  // Room for up to `bytes` bytes in the current slot or the next.
  int reserve(const Driver& driver, void* stream, size_t& bytes, char*& memory);

  std::array<Slot, slotCount> slots_;
  size_t current_ = 0;
};

}  // namespace natgrad::cuda
