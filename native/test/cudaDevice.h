// A device of the CUDA plugin, over the test doubles of libcuda, libcublas and libcusolver that the tests are linked
// with.
#pragma once

#include <dlfcn.h>

#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include "check.h"
#include "core/device/device.h"
#include "cpu/cpuBackend.h"
#include "cuda/plugin.h"
#include "fakeCuda/fakeCuda.h"

namespace natgrad::test {

inline const CudaPlugin& cudaPlugin() {
  static const CudaPlugin* const plugin = [] {
    void* const library = dlopen(NATGRAD_CUDA_PLUGIN, RTLD_NOW);
    if (library == nullptr) {
      std::printf("%s\n", dlerror());
      std::abort();
    }
    void* const symbol = dlsym(library, "natgradCudaPlugin");
    return reinterpret_cast<const CudaPlugin* (*)(uint32_t)>(symbol)(cudaPluginAbiVersion);
  }();
  return *plugin;
}

class OpenDevice {
 public:
  explicit OpenDevice(Precision precision = Precision::fp32) {
    char reason[256] = "";
    context_ = cudaPlugin().open(0, reason, sizeof reason);
    if (context_ == nullptr) {
      std::printf("no CUDA device: %s\n", reason);
      std::exit(1);
    }
    device_ = std::make_unique<Device>(cudaPlugin().backend, context_, precision);
  }
  ~OpenDevice() {
    device_.reset();
    cudaPlugin().close(context_);
  }
  OpenDevice(const OpenDevice&) = delete;
  OpenDevice& operator=(const OpenDevice&) = delete;

  Device& operator*() const { return *device_; }
  Device* operator->() const { return device_.get(); }

  // One job in one phase.
  template <class T, class J>
  Report run(const J& job) const {
    return device_->run(cpuBackend(), Phases{{Job(TypedJob<T>(job))}}, 1)[0][0];
  }

 private:
  void* context_ = nullptr;
  std::unique_ptr<Device> device_;
};

template <class T>
bool keep(Device& device, const std::vector<T>& values) {
  return device.keep(values.data(), static_cast<int64_t>(values.size() * sizeof(T)));
}

template <class T>
bool fetch(Device& device, std::vector<T>& values) {
  return device.fetch(values.data(), static_cast<int64_t>(values.size() * sizeof(T)));
}

}  // namespace natgrad::test
