// Where the memory that the jobs of one run name lies on the device: in kept arrays, or staged for the time of the run.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <vector>

#include "core/device/arrays.h"
#include "core/device/mirrors.h"

namespace natgrad {

class RunMemory {
 public:
  RunMemory(const Queue& queue, Mirrors& kept) : queue_(queue), kept_(kept) {}
  ~RunMemory();
  RunMemory(const RunMemory&) = delete;
  RunMemory& operator=(const RunMemory&) = delete;

  // All that may be staged is to be announced before anything is: ranges that overlap share their memory.
  void announce(const Job& job);
  void announced();

  bool usesKept(const Job& job) const;

  // Stages what the job uses and is not on the device. Throws std::bad_alloc, and then what is there stays there.
  void prepare(const Job& job);
  // The address on the device of memory that was prepared.
  template <class Element>
  Element* place(Element* host) const {
    return reinterpret_cast<Element*>(find(reinterpret_cast<uintptr_t>(host)));
  }

  // For a job that runs on the host: what it uses comes down (it is there after the next `synchronize`), and afterwards
  // what it has written goes up.
  void bringDown(const Job& job) const;
  void bringUp(const Job& job) const;

  // Brings down what was staged and may have been written; it is there after the next `synchronize`.
  void finish() const;

 private:
  struct Range {
    uintptr_t begin, end;
    std::optional<DeviceArray<std::byte>> memory;
    bool written = false;

    std::byte* at(uintptr_t address) const { return memory->data() + (address - begin); }
    int64_t bytes() const { return static_cast<int64_t>(end - begin); }
  };

  const Mirror* keptAt(uintptr_t address, int64_t bytes) const;
  Range* stagedAt(uintptr_t address);
  const Range* stagedAt(uintptr_t address) const;
  std::byte* find(uintptr_t host) const;

  const Queue& queue_;
  Mirrors& kept_;
  std::map<uintptr_t, Mirror*> used_;  // of the kept arrays, by where they begin; this run is one of their keepers
  std::vector<Range> staged_;  // by where they begin, without overlaps once all is announced
};

}  // namespace natgrad
