// An open device: everything that lives as long as it is used.
#pragma once

#include <memory>
#include <new>
#include <string>

#include "core/device/deviceBackend.h"
#include "cuda/kernels.h"
#include "cuda/libraries.h"
#include "cuda/memoryPool.h"
#include "cuda/staging.h"

// Goes on only if that went well.
#define NATGRAD_TRY(expression) \
  if (const natgrad::DeviceStatus tried = (expression); tried != natgrad::DeviceStatus::ok) return tried

namespace natgrad::cuda {

class Context {
 public:
  // Null where it cannot be opened, with the reason.
  static std::unique_ptr<Context> open(int ordinal, std::string& reason);
  ~Context();
  Context(const Context&) = delete;
  Context& operator=(const Context&) = delete;

  // The meaning of a status of each library; notes the reason of what went wrong.
  DeviceStatus checkDriver(const char* call, int status);
  DeviceStatus checkBlas(const char* call, int status);
  DeviceStatus checkSolver(const char* call, int status);

  DeviceStatus allocate(size_t bytes, void** pointer);
  DeviceStatus synchronize();
  DeviceStatus setMath(ProductMath math);

  template <class... Parameters, class... Arguments>
  DeviceStatus launch(const Kernel<Parameters...>& kernel, int64_t blocks, int threads, Arguments... arguments) {
    if (blocks == 0) return DeviceStatus::ok;
    return checkDriver("cuLaunchKernel", kernel.launch(libraries.driver, stream, blocks, threads, arguments...));
  }

  Libraries libraries;
  Kernels kernels;
  MemoryPool pool;
  Staging staging;
  void* stream = nullptr;
  void* blas = nullptr;
  void* solver = nullptr;
  std::string reason;

 private:
  friend class Entered;

  Context() = default;
  DeviceStatus start(int ordinal);
  DeviceStatus loadKernels();
  DeviceStatus startMathLibraries();

  int device_ = -1;  // whose primary context is held
  void* context_ = nullptr;
  void* module_ = nullptr;
  int math_ = mathDefault;
};

// Makes the context current in this thread, and afterwards the one that was.
class Entered {
 public:
  explicit Entered(Context& context);
  ~Entered();
  Entered(const Entered&) = delete;
  Entered& operator=(const Entered&) = delete;

  DeviceStatus status = DeviceStatus::ok;

 private:
  const Driver& driver_;
  void* before_ = nullptr;
  bool changed_ = false;
};

// Every function of the back end: in the context of the device, and without exceptions.
template <class Body>
DeviceStatus within(void* device, const Body& body) {
  Context& context = *static_cast<Context*>(device);
  const Entered entered(context);
  if (entered.status != DeviceStatus::ok) return entered.status;
  try {
    return body(context);
  } catch (const std::bad_alloc&) {
    return DeviceStatus::outOfMemory;
  }
}

// Device memory for the time of a call; what is on the stream already may go on using it.
template <class T>
class Scratch {
 public:
  explicit Scratch(Context& context) : context_(context) {}
  ~Scratch() {
    if (pointer_ != nullptr) context_.pool.free(pointer_);
  }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;

  DeviceStatus allocate(int64_t size) { return context_.allocate(static_cast<size_t>(size) * sizeof(T), &pointer_); }
  T* data() const { return static_cast<T*>(pointer_); }

 private:
  Context& context_;
  void* pointer_ = nullptr;
};

}  // namespace natgrad::cuda
