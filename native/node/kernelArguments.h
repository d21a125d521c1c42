// Checked access to the positional arguments of one call of a tfjs kernel.
//
// Kernels are called dozens of times in a training step with tensors of a few kilobytes, so every check here is a
// comparison or two; the words of an error are put together only once there is one. A call runs to its end before
// JavaScript goes on, so memory that submitted work must refuse (shared, resizable) is safe here; only what such work
// has leased is not.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>

#include "core/activation.h"
#include "core/jobs.h"
#include "node/errors.h"

namespace natgrad {

// Product of sizes, or -1 where it exceeds what an array can hold and BLAS can count.
int64_t elementCount(std::initializer_list<int64_t> sizes);

class KernelArguments {
 public:
  KernelArguments(const Napi::CallbackInfo& info, const char* function) : info_(info), function_(function) {}

  // The next argument, whatever it is asked to be. Each throws a JavaScript error with a `code` that names the
  // argument.
  bool flag(const char* name);
  int64_t size(const char* name);  // an integer from 0 to 2^31 - 1
  float number(const char* name);
  ConvGeometry geometry();
  const float* input(const char* name, std::initializer_list<int64_t> sizes);
  float* output(const char* name, std::initializer_list<int64_t> sizes);
  // Arrays whose length is up to the caller, and is handed back.
  const float* input(const char* name, int64_t& length);
  const int32_t* indices(const char* name, int64_t& length);
  float* output(const char* name, int64_t& length);
  // A vector that repeats itself over `count` elements.
  Repeated repeated(const char* name, int64_t count);
  Epilogue epilogue(int64_t count);  // the last four arguments

  int threads() const;  // how many may work on this call

  [[noreturn]] void fail(const char* code, const char* name, const std::string& problem) const;

 private:
  struct Region {
    const char* name;
    uintptr_t begin, end;
    bool written;
  };

  Napi::Value next(const char* name);
  void* array(const char* name, napi_typedarray_type type, int64_t length, bool written);
  void* anyLength(const char* name, napi_typedarray_type type, int64_t& length, bool written);
  void* view(const char* name, napi_typedarray_type type, Napi::Value value, size_t& length);
  Repeated repeat(const char* name, Napi::Value value, int64_t count);
  void claim(const char* name, const void* data, int64_t bytes, bool written);

  const Napi::CallbackInfo& info_;
  const char* function_;
  size_t next_ = 0;
  Region regions_[8];
  size_t regionCount_ = 0;
};

}  // namespace natgrad
