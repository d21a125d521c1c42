// Memory: what becomes of jobs when there is none, and that none is left behind.
#include <algorithm>
#include <atomic>
#include <cstddef>
#include <new>
#include <string>

#include "alignedMemory.h"
#include "check.h"
#include "gallery.h"
#include "inverses.h"

using namespace natgrad;
using namespace natgrad::test;

namespace {

std::atomic<int64_t> liveAllocations{0};
std::atomic<int64_t> refuseAbove{INT64_MAX};

void* allocate(size_t size, size_t alignment) {
  if (static_cast<int64_t>(size) > refuseAbove) throw std::bad_alloc();
  void* p = allocateAligned(alignment, (std::max<size_t>(size, 1) + alignment - 1) / alignment * alignment);
  if (p == nullptr) throw std::bad_alloc();
  ++liveAllocations;
  return p;
}

void release(void* p) {
  if (p == nullptr) return;
  --liveAllocations;
  freeAligned(p);
}

}  // namespace

void* operator new(size_t size) { return allocate(size, alignof(std::max_align_t)); }
void* operator new(size_t size, std::align_val_t alignment) { return allocate(size, static_cast<size_t>(alignment)); }
void operator delete(void* p) noexcept { release(p); }
void operator delete(void* p, size_t) noexcept { release(p); }
void operator delete(void* p, std::align_val_t) noexcept { release(p); }
void operator delete(void* p, size_t, std::align_val_t) noexcept { release(p); }

TEST("memory that runs out is reported for the job that asked for it, and the others go on") {
  Inverses<float> set;
  set.add(withSpectrum(geometric(200, 10), 1), 200, 0.1);
  set.add(withSpectrum(geometric(10, 10), 1), 10, 0.1);
  const Phases phases{set.phase()};
  run(cpuBackend(), phases, 1);
  std::fill(set.outs[0].begin(), set.outs[0].end(), 7.0f);
  refuseAbove = 100000;
  const Reports reports = run(cpuBackend(), phases, 2);
  refuseAbove = INT64_MAX;
  CHECK(reports[0][0].status == Status::outOfMemory);
  CHECK(set.outs[0][0] == 7.0f);
  CHECK(reports[0][1].status == Status::ok);
}

TEST("ten thousand calls leave no memory behind") {
  Inverses<float> set;
  for (unsigned k = 0; k < 4; ++k) set.add(withSpectrum(geometric(9, 10), k), 9, 0.1);
  const Phases phases{set.phase()};
  run(cpuBackend(), phases, 2);
  const int64_t before = liveAllocations;
  for (int i = 0; i < 10000; ++i) run(cpuBackend(), phases, 2);
  // Fewer, where a thread of the pool had not yet let go of an earlier test's batch.
  CHECK_THAT(liveAllocations <= before, std::to_string(liveAllocations - before));
}

int main() { return runTests(); }
