// The CUDA plugin and the devices it opens. Knows nothing of JavaScript.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>

#include "core/device/device.h"
#include "cuda/plugin.h"

namespace natgrad {

// A plugin, which stays open to the end of the process, or why there is none.
struct LoadedPlugin {
  const CudaPlugin* plugin;
  std::string reason;
};

LoadedPlugin loadPlugin(const std::string& path);

// A context of the plugin on one of its devices.
class Context {
 public:
  Context(const CudaPlugin& plugin, void* device) : plugin_(plugin), device_(device) {}
  ~Context() { plugin_.close(device_); }
  Context(const Context&) = delete;
  Context& operator=(const Context&) = delete;

  void* device() const { return device_; }

 private:
  const CudaPlugin& plugin_;
  void* device_;
};

// A device with the arrays that JavaScript keeps on it. All but `device` is used on the thread of one environment.
class OpenDevice {
 public:
  // Null, with the reason, if it cannot be had.
  static std::shared_ptr<OpenDevice> open(const CudaPlugin& plugin, int32_t ordinal, Precision precision, std::string& reason);

  OpenDevice(const CudaPlugin& plugin, void* device, Precision precision)
      : context_(plugin, device), device_(plugin.backend, device, precision) {}

  Device& device() { return device_; }

  // Whether an array with a copy on the device has memory in common with these bytes.
  bool keepsAnyOf(uintptr_t begin, uintptr_t end) const;
  // False if there is no room. The bytes must overlap none that are kept.
  bool keep(void* begin, int64_t bytes);
  void release(void* begin);

 private:
  Context context_;  // first, so that it is closed last
  Device device_;
  std::map<uintptr_t, uintptr_t> kept_;  // ends by beginnings
};

}  // namespace natgrad
