#include "gpu.h"

#include <dlfcn.h>

#include <stdexcept>

namespace natgrad::bench {
namespace {

const CudaPlugin& openPlugin(const std::string& path) {
  void* const library = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) throw std::runtime_error(dlerror());
  void* const symbol = dlsym(library, "natgradCudaPlugin");
  if (symbol == nullptr) throw std::runtime_error(path + " is no CUDA back end of natgrad");
  const CudaPlugin* const plugin = reinterpret_cast<decltype(&natgradCudaPlugin)>(symbol)(cudaPluginAbiVersion);
  if (plugin == nullptr) throw std::runtime_error(path + " is of another version");
  return *plugin;
}

std::string nameOf(const CudaLibrary& library) { return std::string(library.name) + " " + library.version; }

}  // namespace

Gpu::Gpu(const std::string& plugin, Precision precision) : plugin_(&openPlugin(plugin)) {
  char reason[512] = "";
  context_ = plugin_->open(0, reason, sizeof reason);
  if (context_ == nullptr) throw std::runtime_error(reason);
  device_ = std::make_unique<Device>(plugin_->backend, context_, precision);
}

Gpu::~Gpu() {
  device_.reset();
  plugin_->close(context_);
}

std::string Gpu::describe() const {
  auto probe = std::make_unique<CudaProbe>();
  plugin_->probe(probe.get());
  return std::string(probe->devices[0].name) + ", driver " + std::to_string(probe->driverVersion) + ", " +
         nameOf(probe->blas) + ", " + nameOf(probe->solver);
}

Precision precisionNamed(const std::string& name) {
  if (name == "fp32") return Precision::fp32;
  if (name == "tf32") return Precision::tf32;
  if (name == "fp64") return Precision::fp64;
  throw std::runtime_error("'" + name + "' is no precision: fp32, tf32 or fp64");
}

}  // namespace natgrad::bench
