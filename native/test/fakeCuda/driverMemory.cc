// libcuda: memory and copies.
#include <cstdint>
#include <cstring>
#include <vector>

#include "functions.h"
#include "memory.h"
#include "state.h"
#include "stream.h"

namespace natgrad::fakeCuda {
namespace {

void* pointer(FakeDeviceAddress address) { return reinterpret_cast<void*>(static_cast<uintptr_t>(address)); }

int enqueued(bool done) { return done ? 0 : driverInvalidHandle; }

}  // namespace
}  // namespace natgrad::fakeCuda

using namespace natgrad::fakeCuda;

int cuMemGetInfo_v2(size_t* free, size_t* total) {
  const Call call("cuMemGetInfo_v2", Library::driver);
  if (call.fault() != 0) return call.fault();
  const size_t memory = settings().memory;
  const size_t used = deviceBytesUsed();
  *free = used < memory ? memory - used : 0;
  *total = memory;
  return 0;
}

int cuMemAlloc_v2(FakeDeviceAddress* address, size_t bytes) {
  const Call call("cuMemAlloc_v2", Library::driver);
  if (call.fault() != 0) return call.fault();
  if (bytes == 0) {
    violation("no bytes are asked for");
    return driverInvalidValue;
  }
  void* const begin = allocateDevice(bytes);
  if (begin == nullptr) return driverOutOfMemory;
  *address = reinterpret_cast<uintptr_t>(begin);
  return 0;
}

// As NVIDIA's, it waits for the device first. What a call that is told to fail should have freed is gone all the same.
int cuMemFree_v2(FakeDeviceAddress address) {
  const Call call("cuMemFree_v2", Library::driver);
  if (call.fault() == driverInvalidContext || address == 0) return call.fault();
  finishAllStreams();
  freeDevice(pointer(address));
  return call.fault();
}

int cuMemHostAlloc(void** begin, size_t bytes, unsigned) {
  const Call call("cuMemHostAlloc", Library::driver);
  if (call.fault() != 0) return call.fault();
  if (bytes == 0) {
    violation("no bytes are asked for");
    return driverInvalidValue;
  }
  *begin = allocatePinned(bytes);
  return *begin == nullptr ? driverOutOfMemory : 0;
}

int cuMemFreeHost(void* begin) {
  const Call call("cuMemFreeHost", Library::driver);
  if (call.fault() == driverInvalidContext) return call.fault();
  if (!deviceLost() && isInFlight(begin, pinnedBytes(begin))) violation("a copy that is not done yet uses this memory");
  freePinned(begin);
  return call.fault();
}

// From ordinary memory the bytes are taken before the call returns, from page-locked memory when the stream gets there.
int cuMemcpyHtoDAsync_v2(FakeDeviceAddress to, const void* from, size_t bytes, void* stream) {
  const Call call("cuMemcpyHtoDAsync_v2", Library::driver);
  if (call.fault() != 0) return call.fault();
  if (!checkDevice(pointer(to), bytes, "target") || !checkHost(from, bytes)) return driverInvalidValue;
  if (isPinned(from)) {
    return enqueued(enqueue(stream, [=] { std::memcpy(pointer(to), from, bytes); }, from, bytes));
  }
  const char* first = static_cast<const char*>(from);
  return enqueued(enqueue(stream, [to, copy = std::vector<char>(first, first + bytes)] {
    if (!copy.empty()) std::memcpy(pointer(to), copy.data(), copy.size());
  }));
}

// To ordinary memory the call returns when the bytes are there, to page-locked memory at once.
int cuMemcpyDtoHAsync_v2(void* to, FakeDeviceAddress from, size_t bytes, void* stream) {
  const Call call("cuMemcpyDtoHAsync_v2", Library::driver);
  if (call.fault() != 0) return call.fault();
  if (!checkDevice(pointer(from), bytes, "source") || !checkHost(to, bytes)) return driverInvalidValue;
  const bool pinned = isPinned(to);
  const auto copy = [=] { std::memcpy(to, pointer(from), bytes); };
  if (!enqueue(stream, copy, pinned ? to : nullptr, pinned ? bytes : 0)) return driverInvalidHandle;
  if (!pinned) finishStream(stream);
  return 0;
}

int cuMemcpyDtoDAsync_v2(FakeDeviceAddress to, FakeDeviceAddress from, size_t bytes, void* stream) {
  const Call call("cuMemcpyDtoDAsync_v2", Library::driver);
  if (call.fault() != 0) return call.fault();
  if (!checkDevice(pointer(to), bytes, "target") || !checkDevice(pointer(from), bytes, "source")) {
    return driverInvalidValue;
  }
  if (to < from + bytes && from < to + bytes && bytes > 0) violation("source and target overlap");
  return enqueued(enqueue(stream, [=] { std::memmove(pointer(to), pointer(from), bytes); }));
}

int cuMemsetD8Async(FakeDeviceAddress to, unsigned char value, size_t bytes, void* stream) {
  const Call call("cuMemsetD8Async", Library::driver);
  if (call.fault() != 0) return call.fault();
  if (!checkDevice(pointer(to), bytes, "target")) return driverInvalidValue;
  return enqueued(enqueue(stream, [=] { std::memset(pointer(to), value, bytes); }));
}
