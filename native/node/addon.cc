// What natgrad.node exports: the functions of src/linalg/addon.ts, `accelerate` and `tensorflow`.
#include <memory>
#include <new>
#include <string>

#include "core/backend.h"
#include "core/processors.h"
#include "cpu/cpuBackend.h"
#include "node/accelerate.h"
#include "node/arguments.h"
#include "node/cudaProbe.h"
#include "node/deviceObject.h"
#include "node/pending.h"
#include "node/pinLibrary.h"
#include "node/tensorMemory.h"

extern "C" {
char* openblas_get_config();
char* openblas_get_corename();
}

namespace natgrad {

namespace {

// Turns what C++ may throw into errors with a code; JavaScript's own errors pass through.
template <Napi::Value (*function)(const Napi::CallbackInfo&)>
Napi::Value guarded(const Napi::CallbackInfo& info) {
  try {
    return function(info);
  } catch (const std::bad_alloc&) {
    fail(info.Env(), errNoMemory, "there is not enough memory for this call");
  }
}

Napi::Value run(const Napi::CallbackInfo& info) {
  return Environment::of(info.Env()).run(info[0], DeviceObject::optional(info[1]));
}

Napi::Value submit(const Napi::CallbackInfo& info) {
  Environment& environment = Environment::of(info.Env());
  const Lane lane = info[2].ToBoolean() ? Lane::soon : Lane::background;
  return Pending::make(environment, environment.submit(info[0], DeviceObject::optional(info[1]), lane));
}

template <class T>
bool finite(const View& view) {
  return operations<T>(cpuBackend()).firstNonFinite(static_cast<const T*>(view.data), view.length) < 0;
}

Napi::Value firstNonFinite(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const uint32_t count = readLength(env, info[0], [] { return std::string("arrays"); });
  const Leases& leases = Environment::of(env).leases();
  const auto path = [](uint32_t i) { return [i] { return "arrays[" + std::to_string(i) + "]"; }; };
  for (uint32_t i = 0; i < count; i++) {
    napi_value item = nullptr;
    check(env, napi_get_element(env, info[0], i, &item));
    const View view = readView(env, item, {napi_float32_array, napi_float64_array}, path(i));
    const auto begin = reinterpret_cast<uintptr_t>(view.data);
    const uintptr_t bytes = static_cast<uintptr_t>(view.length) * (view.type == napi_float64_array ? 8 : 4);
    if (!leases.empty()) leases.check(env, {begin, begin + bytes, false, false, false, Place()}, path(i)());
    const bool isFinite = view.type == napi_float64_array ? finite<double>(view) : finite<float>(view);
    if (!isFinite) return Napi::Number::New(env, i);
  }
  return Napi::Number::New(env, -1);
}

Napi::Value getThreads(const Napi::CallbackInfo& info) {
  return Napi::Number::New(info.Env(), Environment::of(info.Env()).threads);
}

Napi::Value setThreads(const Napi::CallbackInfo& info) {
  const int64_t threads = readInteger(info.Env(), info[0], 1, 1024, [] { return std::string("threads"); });
  Environment::of(info.Env()).threads = static_cast<int>(threads);
  return info.Env().Undefined();
}

Napi::Value describeAddon(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  Napi::Object result = Napi::Object::New(env);
  result.Set("version", NATGRAD_VERSION);
  result.Set("blas", openblas_get_config());
  result.Set("core", openblas_get_corename());
  result.Set("simd", cpuInstructionSet());
  result.Set("threads", Environment::of(env).threads);
  result.Set("processors", availableProcessors());
  return result;
}

Napi::Object initialise(Napi::Env env, Napi::Object exports) {
  pinLibrary();
  cpuBackend();  // settles which kernels OpenBLAS uses before anything asks or computes
  auto environment = std::make_unique<Environment>(env);
  Pending::define(env, *environment);
  DeviceObject::define(env, *environment);
  env.SetInstanceData(environment.release());

  exports.Set("run", Napi::Function::New<guarded<run>>(env, "run"));
  exports.Set("submit", Napi::Function::New<guarded<submit>>(env, "submit"));
  exports.Set("firstNonFinite", Napi::Function::New<guarded<firstNonFinite>>(env, "firstNonFinite"));
  exports.Set("getThreads", Napi::Function::New<guarded<getThreads>>(env, "getThreads"));
  exports.Set("setThreads", Napi::Function::New<guarded<setThreads>>(env, "setThreads"));
  exports.Set("info", Napi::Function::New<guarded<describeAddon>>(env, "info"));
  exports.Set("probeCuda", Napi::Function::New<guarded<probeCuda>>(env, "probeCuda"));
  exports.Set("openCuda", Napi::Function::New<guarded<openCuda>>(env, "openCuda"));
  registerAccelerate(env, exports);
  registerTensorMemory(env, exports);
  return exports;
}

}  // namespace

}  // namespace natgrad

static Napi::Object initialiseAddon(Napi::Env env, Napi::Object exports) { return natgrad::initialise(env, exports); }

NODE_API_MODULE(natgrad, initialiseAddon)
