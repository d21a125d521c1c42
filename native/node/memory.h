// Which memory a piece of work reads and writes, and what of it belongs to work that is still under way.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "node/errors.h"
#include "node/worker.h"

namespace natgrad {

// Names an argument of a job: phases[phase][job].list[item].inner.name, without the parts that are null or -1.
struct Place {
  int64_t phase = 0, job = 0;
  const char* list = nullptr;
  int64_t item = -1;
  const char* inner = nullptr;
  const char* name = nullptr;

  std::string text() const;
};

// A range of memory that a job reads or writes.
struct Access {
  uintptr_t begin, end;
  bool write;
  bool copied;   // the work has its own copy: only the copying itself reads this
  bool inPlace;  // may coincide with what its own job writes
  Place place;
  napi_value buffer = nullptr;  // the ArrayBuffer; valid as long as the caller's handle scope

  bool overlaps(const Access& other) const { return begin < other.end && other.begin < end; }
};

// What a job writes no other job of its phase may read or write, and the job itself may read only what may be worked on in place.
// Throws ERR_NATGRAD_BUFFER. Sorts the accesses of the phase.
void checkOverlaps(Napi::Env env, std::vector<Access>& phase);

// The memory of submitted work, from `submit` until its end was seen from JavaScript. The work of one lane runs in the order it was
// submitted in, so that later submissions to it may use the same memory; what happens at once (`run`, and the copying that `submit` does)
// is checked, and what goes to another lane. Reading what submitted work only reads is harmless and allowed.
class Leases {
 public:
  void add(Lane lane, uint64_t ticket, const std::vector<Access>& accesses);
  // Releases what was leased to a lane under tickets up to and including this one: they were finished before it.
  void releaseUpTo(Lane lane, uint64_t ticket);
  // Throws ERR_NATGRAD_BUFFER if the access, of the argument at `path`, would race with leased memory.
  void check(Napi::Env env, const Access& access, const std::string& path) const;
  // The same for accesses at once or, given a lane, by work that is submitted to it.
  void check(Napi::Env env, const std::vector<Access>& accesses, std::optional<Lane> lane = std::nullopt) const;

  bool empty() const { return leases_.empty(); }

 private:
  struct Lease {
    Lane lane;
    uint64_t ticket;
    Access access;

    bool conflictsWith(const Access& other) const { return (other.write || access.write) && other.overlaps(access); }
  };
  [[noreturn]] static void refuse(Napi::Env env, const std::string& path, const Lease& lease);

  std::vector<Lease> leases_;
};

}  // namespace natgrad
