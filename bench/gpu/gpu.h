// A device of the CUDA back end, opened as the addon opens it.
#pragma once

#include <memory>
#include <string>

#include "core/device/device.h"
#include "cuda/plugin.h"

namespace natgrad::bench {

class Gpu {
 public:
  // `plugin` is the path of natgrad-cuda.so. Throws std::runtime_error with the reason if there is no device to be had.
  Gpu(const std::string& plugin, Precision precision);
  ~Gpu();
  Gpu(const Gpu&) = delete;
  Gpu& operator=(const Gpu&) = delete;

  Device& device() { return *device_; }

  // Device, driver and libraries, in one line.
  std::string describe() const;

 private:
  const CudaPlugin* plugin_ = nullptr;
  void* context_ = nullptr;
  std::unique_ptr<Device> device_;
};

// By the names fp32, tf32 and fp64; throws std::runtime_error for others.
Precision precisionNamed(const std::string& name);

}  // namespace natgrad::bench
