#include "node/pending.h"

#include <utility>

#include "node/arguments.h"

namespace natgrad {

void Pending::define(Napi::Env env, Environment& environment) {
  environment.pendingConstructor = Napi::Persistent(DefineClass(
      env, "Pending",
      {InstanceAccessor<&Pending::finished>("finished"), InstanceMethod<&Pending::wait>("wait"),
       InstanceMethod<&Pending::promise>("promise")}));
}

Napi::Object Pending::make(Environment& environment, std::shared_ptr<Handed> handed) {
  Napi::Object object = environment.pendingConstructor.New({});
  Unwrap(object)->handed_ = std::move(handed);
  return object;
}

const std::shared_ptr<Handed>& Pending::handed(Napi::Env env) const {
  if (!handed_) fail(env, errType, "this Pending stands for no work; only submit makes one");
  return handed_;
}

Napi::Value Pending::finished(const Napi::CallbackInfo& info) {
  return Napi::Boolean::New(info.Env(), Environment::of(info.Env()).finished(handed(info.Env())));
}

Napi::Value Pending::wait(const Napi::CallbackInfo& info) {
  return Environment::of(info.Env()).wait(handed(info.Env()));
}

Napi::Value Pending::promise(const Napi::CallbackInfo& info) {
  return Environment::of(info.Env()).promise(handed(info.Env()));
}

}  // namespace natgrad
