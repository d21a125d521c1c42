#include "node/openDevice.h"

#ifndef _WIN32
#include <dlfcn.h>
#endif

#include <iterator>

namespace natgrad {

LoadedPlugin loadPlugin(const std::string& path) {
#ifdef _WIN32
  return {nullptr, "the CUDA back end is not made for Windows (" + path + ")"};
#else
  void* library = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) return {nullptr, std::string("the CUDA back end does not load: ") + dlerror()};
  const auto plugin = reinterpret_cast<decltype(&natgradCudaPlugin)>(dlsym(library, "natgradCudaPlugin"));
  const CudaPlugin* found = plugin == nullptr ? nullptr : plugin(cudaPluginAbiVersion);
  if (found == nullptr || found->abiVersion != cudaPluginAbiVersion || found->backend.abiVersion != deviceAbiVersion) {
    return {nullptr, path + " belongs to another version of natgrad"};
  }
  return {found, ""};
#endif
}

std::shared_ptr<OpenDevice> OpenDevice::open(const CudaPlugin& plugin, int32_t ordinal, Precision precision,
                                             std::string& reason) {
  char words[512] = "";
  void* context = plugin.open(ordinal, words, sizeof words);
  if (context == nullptr) {
    reason = words;
    return nullptr;
  }
  return std::make_shared<OpenDevice>(plugin, context, precision);
}

bool OpenDevice::keepsAnyOf(uintptr_t begin, uintptr_t end) const {
  const auto after = kept_.lower_bound(end);
  return after != kept_.begin() && std::prev(after)->second > begin;
}

bool OpenDevice::keep(void* begin, int64_t bytes) {
  if (!device_.keep(begin, bytes)) return false;
  const auto first = reinterpret_cast<uintptr_t>(begin);
  kept_.emplace(first, first + static_cast<uintptr_t>(bytes));
  return true;
}

void OpenDevice::release(void* begin) {
  device_.release(begin);
  kept_.erase(reinterpret_cast<uintptr_t>(begin));
}

}  // namespace natgrad
