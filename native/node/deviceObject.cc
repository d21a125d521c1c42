#include "node/deviceObject.h"

#include <string>
#include <string_view>
#include <utility>

#include "node/arguments.h"

namespace natgrad {

namespace {

Precision readPrecision(Napi::Env env, napi_value value) {
  constexpr std::pair<const char*, Precision> names[] = {
      {"fp32", Precision::fp32}, {"tf32", Precision::tf32}, {"fp64", Precision::fp64}};
  const std::string text = readText(env, value, [] { return std::string("precision"); });
  for (const auto& [name, precision] : names) {
    if (text == name) return precision;
  }
  fail(env, errArgument, "precision must be 'fp32', 'tf32' or 'fp64', got '" + text + "'");
}

// Throws ERR_NATGRAD_BUFFER if submitted work uses the memory.
void checkLeases(Napi::Env env, const void* begin, int64_t bytes) {
  const auto first = reinterpret_cast<uintptr_t>(begin);
  const Access access{first, first + static_cast<uintptr_t>(bytes), true, false, false, Place()};
  Environment::of(env).leases().check(env, access, "array");
}

[[noreturn]] void failLost(Napi::Env env, OpenDevice& device) {
  fail(env, errDevice, "the CUDA device was lost: " + device.device().reason());
}

}  // namespace

Napi::Value openCuda(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const std::string path = readText(env, info[0], [] { return std::string("plugin"); });
  const auto ordinal =
      static_cast<int32_t>(readInteger(env, info[1], 0, maxLength, [] { return std::string("ordinal"); }));
  const Precision precision = readPrecision(env, info[2]);
  LoadedPlugin loaded = loadPlugin(path);
  std::shared_ptr<OpenDevice> device;
  if (loaded.plugin) device = OpenDevice::open(*loaded.plugin, ordinal, precision, loaded.reason);
  if (!device) fail(env, errNoCuda, "no CUDA device can be used: " + loaded.reason);
  return DeviceObject::make(Environment::of(env), std::move(device));
}

void DeviceObject::define(Napi::Env env, Environment& environment) {
  environment.deviceConstructor = Napi::Persistent(DefineClass(
      env, "CudaDevice", {InstanceMethod<&DeviceObject::keep>("keep"), InstanceMethod<&DeviceObject::room>("room")}));
  environment.keptConstructor = Napi::Persistent(
      Kept::DefineClass(env, "Kept", {Kept::InstanceMethod<&Kept::fetch>("fetch"), Kept::InstanceMethod<&Kept::release>("release")}));
}

Napi::Object DeviceObject::make(Environment& environment, std::shared_ptr<OpenDevice> device) {
  Napi::Object object = environment.deviceConstructor.New({});
  Unwrap(object)->device_ = std::move(device);
  return object;
}

std::shared_ptr<OpenDevice> DeviceObject::optional(const Napi::Value& value) {
  const Napi::Env env = value.Env();
  if (value.IsUndefined()) return nullptr;
  const Napi::Function constructor = Environment::of(env).deviceConstructor.Value();
  if (!value.IsObject() || !value.As<Napi::Object>().InstanceOf(constructor)) {
    fail(env, errType, "device must be a CudaDevice, got " + describe(env, value));
  }
  return Unwrap(value.As<Napi::Object>())->device(env);
}

const std::shared_ptr<OpenDevice>& DeviceObject::device(Napi::Env env) const {
  if (!device_) fail(env, errType, "this CudaDevice stands for no device; only openCuda makes one");
  return device_;
}

Napi::Value DeviceObject::keep(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const auto path = [] { return std::string("array"); };
  const View view = readView(env, info[0], {napi_float32_array, napi_float64_array}, path);
  const int64_t bytes = view.length * (view.type == napi_float64_array ? 8 : 4);
  checkLeases(env, view.data, bytes);
  const auto begin = reinterpret_cast<uintptr_t>(view.data);
  OpenDevice& open = *device(env);
  if (open.keepsAnyOf(begin, begin + static_cast<uintptr_t>(bytes))) {
    fail(env, errBuffer, "array has memory in common with one that is kept already");
  }
  if (!open.keep(view.data, bytes)) {
    if (open.device().lost()) failLost(env, open);
    return env.Null();
  }
  return Kept::make(Environment::of(env), device_, info[0].As<Napi::Object>(), view.data, bytes);
}

Napi::Value DeviceObject::room(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  OpenDevice& open = *device(env);
  int64_t freeBytes = 0, totalBytes = 0;
  if (!open.device().memory(freeBytes, totalBytes)) failLost(env, open);
  Napi::Object room = Napi::Object::New(env);
  room.Set("free", static_cast<double>(freeBytes));
  room.Set("total", static_cast<double>(totalBytes));
  return room;
}

Napi::Object Kept::make(Environment& environment, std::shared_ptr<OpenDevice> device, const Napi::Object& array,
                        void* begin, int64_t bytes) {
  Napi::Object object = environment.keptConstructor.New({});
  Kept& kept = *Unwrap(object);
  kept.device_ = std::move(device);
  kept.array_ = Napi::Persistent(array);
  kept.begin_ = begin;
  kept.bytes_ = bytes;
  return object;
}

void Kept::requireUnused(Napi::Env env) const {
  if (!device_) fail(env, errType, "this array is not kept any more");
  checkLeases(env, begin_, bytes_);
}

Napi::Value Kept::fetch(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  requireUnused(env);
  // A buffer that was transferred is no memory of the array's any more.
  const View view = readView(env, array_.Value(), {napi_float32_array, napi_float64_array}, [] { return std::string("array"); });
  if (!device_->device().fetch(view.data, bytes_)) failLost(env, *device_);
  return env.Undefined();
}

Napi::Value Kept::release(const Napi::CallbackInfo& info) {
  if (!device_) return info.Env().Undefined();
  requireUnused(info.Env());
  end();
  return info.Env().Undefined();
}

void Kept::end() {
  if (!device_) return;
  device_->release(begin_);
  device_.reset();
  array_.Reset();
}

}  // namespace natgrad
