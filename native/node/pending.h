// The JavaScript object that stands for submitted work: `finished`, `wait()`, `promise()`.
#pragma once

#include <memory>

#include "node/environment.h"

namespace natgrad {

class Pending : public Napi::ObjectWrap<Pending> {
 public:
  static void define(Napi::Env env, Environment& environment);
  static Napi::Object make(Environment& environment, std::shared_ptr<Handed> handed);

  explicit Pending(const Napi::CallbackInfo& info) : Napi::ObjectWrap<Pending>(info) {}

 private:
  Napi::Value finished(const Napi::CallbackInfo& info);
  Napi::Value wait(const Napi::CallbackInfo& info);
  Napi::Value promise(const Napi::CallbackInfo& info);
  const std::shared_ptr<Handed>& handed(Napi::Env env) const;

  std::shared_ptr<Handed> handed_;  // null if JavaScript called the constructor by itself
};

}  // namespace natgrad
