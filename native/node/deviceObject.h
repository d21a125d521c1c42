// The JavaScript objects that stand for an open device and for an array that is kept on it.
#pragma once

#include <cstdint>
#include <memory>

#include "node/environment.h"

namespace natgrad {

// openCuda(path, ordinal, precision) gives a DeviceObject.
Napi::Value openCuda(const Napi::CallbackInfo& info);

// `keep(array)`, `room()`.
class DeviceObject : public Napi::ObjectWrap<DeviceObject> {
 public:
  static void define(Napi::Env env, Environment& environment);
  static Napi::Object make(Environment& environment, std::shared_ptr<OpenDevice> device);
  // Of an argument that may be left out; null if it is.
  static std::shared_ptr<OpenDevice> optional(const Napi::Value& value);

  explicit DeviceObject(const Napi::CallbackInfo& info) : Napi::ObjectWrap<DeviceObject>(info) {}

 private:
  Napi::Value keep(const Napi::CallbackInfo& info);
  Napi::Value room(const Napi::CallbackInfo& info);
  const std::shared_ptr<OpenDevice>& device(Napi::Env env) const;

  std::shared_ptr<OpenDevice> device_;  // null if JavaScript called the constructor by itself
};

// `fetch()`, `release()`. The copy ends with the object, and the array lives as long as the copy.
class Kept : public Napi::ObjectWrap<Kept> {
 public:
  static Napi::Object make(Environment& environment, std::shared_ptr<OpenDevice> device, const Napi::Object& array,
                           void* begin, int64_t bytes);

  explicit Kept(const Napi::CallbackInfo& info) : Napi::ObjectWrap<Kept>(info) {}
  ~Kept() override { end(); }

  Napi::Value fetch(const Napi::CallbackInfo& info);
  Napi::Value release(const Napi::CallbackInfo& info);

 private:
  void requireUnused(Napi::Env env) const;
  void end();

  std::shared_ptr<OpenDevice> device_;  // null once released
  Napi::ObjectReference array_;
  void* begin_ = nullptr;
  int64_t bytes_ = 0;
};

}  // namespace natgrad
