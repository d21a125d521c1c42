#include "cuda/memoryPool.h"

namespace natgrad::cuda {

namespace {

// Sizes are rounded up to four significant bits, so that matrices of nearly one size share memory and an eighth at most
// is wasted.
size_t rounded(size_t bytes) {
  size_t step = 512;
  while (step * 16 <= bytes) step *= 2;
  return (bytes + step - 1) / step * step;
}

void* pointerTo(DeviceAddress address) { return reinterpret_cast<void*>(static_cast<uintptr_t>(address)); }

}  // namespace

int MemoryPool::allocate(const Driver& driver, void* stream, size_t bytes, void** pointer) {
  const size_t size = rounded(bytes > 0 ? bytes : 1);
  std::vector<void*>& blocks = unused_[size];
  if (!blocks.empty()) {
    *pointer = blocks.back();
    blocks.pop_back();
    return cudaSuccess;
  }
  // Room for one more of each before there is anything to lose: free() cannot fail.
  blocks.reserve(sizes_.size() + 1);
  DeviceAddress address = 0;
  int status = driver.cuMemAlloc_v2(&address, size);
  if (status == cudaOutOfMemory) {
    const int waited = giveBackUnused(driver, stream);
    if (waited != cudaSuccess) return waited;
    status = driver.cuMemAlloc_v2(&address, size);
  }
  if (status != cudaSuccess) return status;
  sizes_.emplace(pointerTo(address), size);
  *pointer = pointerTo(address);
  return cudaSuccess;
}

void MemoryPool::free(void* pointer) {
  const auto found = sizes_.find(pointer);
  if (found != sizes_.end()) unused_[found->second].push_back(pointer);
}

int MemoryPool::giveBackUnused(const Driver& driver, void* stream) {
  int status = driver.cuStreamSynchronize(stream);
  for (auto& [size, blocks] : unused_) {
    for (void* block : blocks) {
      const int freed = driver.cuMemFree_v2(addressOf(block));
      if (status == cudaSuccess) status = freed;
      sizes_.erase(block);
    }
    blocks.clear();
  }
  return status;
}

void MemoryPool::close(const Driver& driver) {
  for (const auto& [block, size] : sizes_) driver.cuMemFree_v2(addressOf(block));
  sizes_.clear();
  unused_.clear();
}

}  // namespace natgrad::cuda
