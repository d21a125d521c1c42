// Memory for one task: aligned for the SIMD kernels, not initialised, freed when it goes out of scope.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <utility>

namespace natgrad {

// The alignment is made within an ordinary block, because glibc before 2.38 seldom reuses what aligned allocations free:
// a program that mixes them with others, as training does, would grow with every step.
template <class T>
class Buffer {
 public:
  // Throws std::bad_alloc; run() turns that into Status::outOfMemory.
  explicit Buffer(int64_t size) {
    size_t space = static_cast<size_t>(size) * sizeof(T) + alignment;
    void* begin = ::operator new(space);
    block_.reset(begin);
    data_ = static_cast<T*>(std::align(alignment, space - alignment, begin, space));
  }

  T* data() { return data_; }
  const T* data() const { return data_; }
  T& operator[](int64_t i) { return data_[i]; }
  const T& operator[](int64_t i) const { return data_[i]; }
  void swap(Buffer& other) noexcept {
    block_.swap(other.block_);
    std::swap(data_, other.data_);
  }

 private:
  static constexpr size_t alignment = 64;
  struct Free {
    void operator()(void* p) const { ::operator delete(p); }
  };
  std::unique_ptr<void, Free> block_;
  T* data_;
};

}  // namespace natgrad
