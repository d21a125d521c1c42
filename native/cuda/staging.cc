#include "cuda/staging.h"

#include <algorithm>
#include <cstring>

namespace natgrad::cuda {

namespace {

constexpr size_t alignment = 256;

}  // namespace

void Staging::Slot::deliver() {
  for (const Arrival& arrival : arrivals) std::memcpy(arrival.to, arrival.from, arrival.bytes);
  arrivals.clear();
  used = 0;
}

int Staging::open(const Driver& driver) {
  for (Slot& slot : slots_) {
    void* memory = nullptr;
    if (const int status = driver.cuMemHostAlloc(&memory, slotBytes, 0); status != cudaSuccess) return status;
    slot.memory = static_cast<char*>(memory);
    if (const int status = driver.cuEventCreate(&slot.event, eventDisableTiming); status != cudaSuccess) return status;
  }
  return cudaSuccess;
}

void Staging::close(const Driver& driver) {
  for (Slot& slot : slots_) {
    if (slot.memory != nullptr) driver.cuMemFreeHost(slot.memory);
    if (slot.event != nullptr) driver.cuEventDestroy_v2(slot.event);
    slot = Slot();
  }
}

int Staging::reserve(const Driver& driver, void* stream, size_t& bytes, char*& memory) {
  // A piece that a slot can hold is not cut in two.
  if (slots_[current_].used + std::min(bytes, slotBytes) > slotBytes) {
    if (const int status = driver.cuEventRecord(slots_[current_].event, stream); status != cudaSuccess) return status;
    current_ = (current_ + 1) % slotCount;
    Slot& next = slots_[current_];
    // An event that was never recorded has happened.
    if (const int status = driver.cuEventSynchronize(next.event); status != cudaSuccess) return status;
    next.deliver();
  }
  Slot& slot = slots_[current_];
  bytes = std::min(bytes, slotBytes);
  memory = slot.memory + slot.used;
  slot.used = std::min(slotBytes, (slot.used + bytes + alignment - 1) / alignment * alignment);
  return cudaSuccess;
}

int Staging::upload(const Driver& driver, void* stream, const void* host, void* pointer, size_t bytes) {
  const char* from = static_cast<const char*>(host);
  char* to = static_cast<char*>(pointer);
  while (bytes > 0) {
    size_t piece = bytes;
    char* memory = nullptr;
    if (const int status = reserve(driver, stream, piece, memory); status != cudaSuccess) return status;
    std::memcpy(memory, from, piece);
    if (const int status = driver.cuMemcpyHtoDAsync_v2(addressOf(to), memory, piece, stream); status != cudaSuccess)
      return status;
    from += piece;
    to += piece;
    bytes -= piece;
  }
  return cudaSuccess;
}

int Staging::download(const Driver& driver, void* stream, const void* pointer, void* host, size_t bytes) {
  const char* from = static_cast<const char*>(pointer);
  char* to = static_cast<char*>(host);
  while (bytes > 0) {
    size_t piece = bytes;
    char* memory = nullptr;
    if (const int status = reserve(driver, stream, piece, memory); status != cudaSuccess) return status;
    slots_[current_].arrivals.push_back({memory, to, piece});
    if (const int status = driver.cuMemcpyDtoHAsync_v2(memory, addressOf(from), piece, stream); status != cudaSuccess) {
      slots_[current_].arrivals.pop_back();
      return status;
    }
    from += piece;
    to += piece;
    bytes -= piece;
  }
  return cudaSuccess;
}

void Staging::finish() {
  for (Slot& slot : slots_) slot.deliver();
}

}  // namespace natgrad::cuda
