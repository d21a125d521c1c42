// Which host memory has a copy on the device.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>

#include "core/device/queue.h"

namespace natgrad {

// A range of host memory and its copy.
struct Mirror {
  uintptr_t begin;
  int64_t bytes;
  DeviceArray<std::byte> memory;
  int64_t keepers = 1;

  bool holds(uintptr_t address, int64_t size) const {
    return address >= begin && address + static_cast<uintptr_t>(size) <= begin + static_cast<uintptr_t>(bytes);
  }
  std::byte* at(uintptr_t address) const { return memory.data() + (address - begin); }
};

class Mirrors {
 public:
  void add(Mirror mirror) { mirrors_.emplace(mirror.begin, std::move(mirror)); }

  // Takes away one keeper of the one that begins there; with the last it is gone.
  void release(Mirror& mirror) {
    if (--mirror.keepers == 0) mirrors_.erase(mirror.begin);
  }

  // The one that holds this range, or null.
  Mirror* find(uintptr_t address, int64_t bytes) {
    auto after = mirrors_.upper_bound(address);
    if (after == mirrors_.begin()) return nullptr;
    Mirror& mirror = std::prev(after)->second;
    return mirror.holds(address, bytes) ? &mirror : nullptr;
  }

 private:
  std::map<uintptr_t, Mirror> mirrors_;  // by where they begin; they do not overlap
};

}  // namespace natgrad
