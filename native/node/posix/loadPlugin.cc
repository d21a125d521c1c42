#include <dlfcn.h>

#include "node/openDevice.h"

namespace natgrad {

LoadedPlugin loadPlugin(const std::string& path) {
  void* library = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) return {nullptr, std::string("the CUDA back end does not load: ") + dlerror()};
  const auto plugin = reinterpret_cast<decltype(&natgradCudaPlugin)>(dlsym(library, "natgradCudaPlugin"));
  const CudaPlugin* found = plugin == nullptr ? nullptr : plugin(cudaPluginAbiVersion);
  if (found == nullptr || found->abiVersion != cudaPluginAbiVersion || found->backend.abiVersion != deviceAbiVersion) {
    return {nullptr, path + " belongs to another version of natgrad"};
  }
  return {found, ""};
}

}  // namespace natgrad
