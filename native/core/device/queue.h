// A device as the runner of jobs sees it: statuses become exceptions, memory frees itself, and numbers travel in
// bundles.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <deque>
#include <new>
#include <vector>

#include "core/device/deviceBackend.h"

namespace natgrad {

struct DeviceLost {};

class Queue {
 public:
  Queue(const DeviceBackend& backend, void* context) : backend_(backend), context_(context) {}

  const DeviceBackend& backend() const { return backend_; }

  // Calls a function of the back end with the device and these arguments. Throws std::bad_alloc or DeviceLost.
  template <class... Parameters, class... Arguments>
  void call(DeviceStatus (*function)(void*, Parameters...), Arguments... arguments) const {
    const DeviceStatus status = function(context_, arguments...);
    if (status == DeviceStatus::outOfMemory) throw std::bad_alloc();
    if (status == DeviceStatus::lost) throw DeviceLost();
  }

  // The same where something has been changed already that cannot be taken back.
  template <class... Parameters, class... Arguments>
  void finish(DeviceStatus (*function)(void*, Parameters...), Arguments... arguments) const {
    if (function(context_, arguments...) != DeviceStatus::ok) throw DeviceLost();
  }

  void upload(const void* host, void* device, int64_t bytes) const { call(backend_.upload, host, device, bytes); }
  // A host that waits for something must not go away while it may still come, so that a failure is final.
  void download(const void* device, void* host, int64_t bytes) const { finish(backend_.download, device, host, bytes); }
  void synchronize() const { call(backend_.synchronize); }
  void free(void* device) const { backend_.free(context_, device); }
  const char* reason() const { return backend_.reason(context_); }

 private:
  const DeviceBackend& backend_;
  void* context_;
};

// Device memory, not initialised.
template <class T>
class DeviceArray {
 public:
  DeviceArray(const Queue& queue, int64_t size) : queue_(&queue) {
    void* pointer = nullptr;
    queue.call(queue.backend().allocate, size * static_cast<int64_t>(sizeof(T)), &pointer);
    data_ = static_cast<T*>(pointer);
  }
  ~DeviceArray() {
    if (data_ != nullptr) queue_->free(data_);
  }
  DeviceArray(DeviceArray&& other) noexcept : queue_(other.queue_), data_(other.data_) { other.data_ = nullptr; }
  DeviceArray& operator=(DeviceArray&& other) noexcept {
    std::swap(queue_, other.queue_);
    std::swap(data_, other.data_);
    return *this;
  }

  T* data() const { return data_; }

 private:
  const Queue* queue_;
  T* data_ = nullptr;
};

// Arrays of the host that go up together.
class Parameters {
 public:
  explicit Parameters(const Queue& queue) : queue_(queue) {}

  // Returns where the array will be, for `at`.
  template <class T>
  size_t add(const std::vector<T>& values) {
    const size_t place = (bytes_.size() + alignment - 1) / alignment * alignment;
    bytes_.resize(place + values.size() * sizeof(T));
    if (!values.empty()) std::memcpy(bytes_.data() + place, values.data(), values.size() * sizeof(T));
    return place;
  }

  void send() {
    const int64_t size = static_cast<int64_t>(bytes_.size());
    sent_.push_back(DeviceArray<std::byte>(queue_, size));
    queue_.upload(bytes_.data(), sent_.back().data(), size);
  }

  template <class T>
  T* at(size_t place) const {
    return reinterpret_cast<T*>(sent_.back().data() + place);
  }

 private:
  static constexpr size_t alignment = 16;
  const Queue& queue_;
  std::vector<std::byte> bytes_;
  std::vector<DeviceArray<std::byte>> sent_;  // one, once it is sent
};

// Numbers of the device that come down together.
class Results {
 public:
  explicit Results(const Queue& queue) : queue_(queue) {}

  // Room for some numbers on the device, and where they will be on the host.
  struct Numbers {
    double* device;
    const double* host;
  };

  Numbers reserve(int64_t count) {
    constexpr int64_t usual = 1024;
    if (chunks_.empty() || chunks_.back().used + count > chunks_.back().size()) {
      const int64_t size = count > usual ? count : usual;
      chunks_.push_back({DeviceArray<double>(queue_, size), std::vector<double>(static_cast<size_t>(size)), 0});
    }
    Chunk& chunk = chunks_.back();
    const Numbers numbers{chunk.device.data() + chunk.used, chunk.host.data() + chunk.used};
    chunk.used += count;
    return numbers;
  }

  // Everything reserved so far is on the host after the next `synchronize` of the queue.
  void download() {
    for (Chunk& chunk : chunks_) {
      if (chunk.used == chunk.sent) continue;
      queue_.download(chunk.device.data() + chunk.sent, chunk.host.data() + chunk.sent,
                      (chunk.used - chunk.sent) * static_cast<int64_t>(sizeof(double)));
      chunk.sent = chunk.used;
    }
  }

 private:
  struct Chunk {
    DeviceArray<double> device;
    std::vector<double> host;
    int64_t used = 0, sent = 0;

    int64_t size() const { return static_cast<int64_t>(host.size()); }
  };
  const Queue& queue_;
  std::deque<Chunk> chunks_;
};

}  // namespace natgrad
