// Memory for one task: aligned for the SIMD kernels, not initialised, freed when it goes out of scope.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>

namespace natgrad {

template <class T>
class Buffer {
 public:
  // Throws std::bad_alloc; run() turns that into Status::outOfMemory.
  explicit Buffer(int64_t size)
      : data_(static_cast<T*>(::operator new(static_cast<size_t>(size) * sizeof(T), alignment))) {}

  T* data() { return data_.get(); }
  const T* data() const { return data_.get(); }
  T& operator[](int64_t i) { return data_.get()[i]; }
  const T& operator[](int64_t i) const { return data_.get()[i]; }
  void swap(Buffer& other) noexcept { data_.swap(other.data_); }

 private:
  static constexpr std::align_val_t alignment{64};
  struct Free {
    void operator()(T* p) const { ::operator delete(p, alignment); }
  };
  std::unique_ptr<T, Free> data_;
};

}  // namespace natgrad
