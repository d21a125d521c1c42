#include "node/cudaProbe.h"

#include <memory>
#include <string>

#include "node/arguments.h"
#include "node/openDevice.h"

namespace natgrad {

namespace {

std::string driverName(int32_t version) {
  return version == 0 ? "" : std::to_string(version / 1000) + "." + std::to_string(version % 1000 / 10);
}

Napi::Array libraries(Napi::Env env, const CudaProbe& probe) {
  Napi::Array list = Napi::Array::New(env);
  for (const CudaLibrary* library : {&probe.driver, &probe.blas, &probe.solver}) {
    if (library->name[0] == '\0') continue;
    Napi::Object object = Napi::Object::New(env);
    object.Set("name", library->name);
    object.Set("version", library->version);
    object.Set("path", library->path);
    list.Set(list.Length(), object);
  }
  return list;
}

Napi::Array devices(Napi::Env env, const CudaProbe& probe) {
  Napi::Array list = Napi::Array::New(env);
  for (int32_t i = 0; i < probe.deviceCount; ++i) {
    const CudaDevice& device = probe.devices[i];
    Napi::Object object = Napi::Object::New(env);
    object.Set("name", device.name);
    object.Set("computeCapability", std::to_string(device.major) + "." + std::to_string(device.minor));
    object.Set("freeBytes", static_cast<double>(device.freeBytes));
    object.Set("totalBytes", static_cast<double>(device.totalBytes));
    list.Set(list.Length(), object);
  }
  return list;
}

}  // namespace

Napi::Value probeCuda(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const std::string path = readText(env, info[0], [] { return std::string("plugin"); });
  const LoadedPlugin loaded = loadPlugin(path);
  const auto probe = std::make_unique<CudaProbe>();
  if (loaded.plugin) loaded.plugin->probe(probe.get());
  Napi::Object report = Napi::Object::New(env);
  report.Set("reason", loaded.plugin == nullptr ? loaded.reason : probe->usable ? "" : std::string(probe->reason));
  report.Set("driver", driverName(probe->driverVersion));
  report.Set("libraries", libraries(env, *probe));
  report.Set("devices", devices(env, *probe));
  return report;
}

}  // namespace natgrad
