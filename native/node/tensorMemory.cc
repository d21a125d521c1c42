#include "node/tensorMemory.h"

#include <algorithm>
#include <cstdint>
#include <string>
#include <utility>

#include "node/arguments.h"

namespace natgrad {

Lending::Lending(Environment& environment, Napi::Env env)
    : environment_(environment), env_(env), buffers_(Napi::Array::New(env)) {
  environment_.lending = this;
}

Lending::~Lending() {
  environment_.lending = nullptr;
  for (uint32_t i = 0; i < tensors_.size(); i++) {
    // Nothing more can be done where this fails, as it does in a thread that is being terminated and runs no JavaScript any more.
    napi_value buffer = nullptr;
    if (napi_get_element(env_, buffers_, i, &buffer) == napi_ok) napi_detach_arraybuffer(env_, buffer);
  }
}

Napi::Value Lending::view(tensorflow::Tensor tensor) {
  // V8 wants to be told of an address once; tensors that share memory, as a clone and its original do, get one ArrayBuffer.
  const auto same = [&](const tensorflow::Tensor& other) {
    return other.data() == tensor.data() && other.bytes() == tensor.bytes();
  };
  const auto known = std::find_if(tensors_.begin(), tensors_.end(), same);
  const auto index = static_cast<uint32_t>(known - tensors_.begin());
  const size_t bytes = tensor.bytes();
  napi_value buffer = nullptr;
  if (known != tensors_.end()) {
    check(env_, napi_get_element(env_, buffers_, index, &buffer));
  } else {
    const auto nothing = [](napi_env, void*, void*) {};
    check(env_, napi_create_external_arraybuffer(env_, tensor.data(), bytes, nothing, nullptr, &buffer));
    check(env_, napi_set_element(env_, buffers_, index, buffer));
    tensors_.push_back(std::move(tensor));
  }
  return Napi::Float32Array::New(env_, bytes / sizeof(float), Napi::ArrayBuffer(env_, buffer), 0);
}

void Lending::refuse(const std::vector<Access>& accesses) const {
  for (const tensorflow::Tensor& tensor : tensors_) {
    const auto begin = reinterpret_cast<uintptr_t>(tensor.data());
    const Access lent{begin, begin + tensor.bytes(), false, false, false, Place()};
    for (const Access& access : accesses) {
      if (!access.overlaps(lent)) continue;
      fail(env_, errBuffer, access.place.text() + " is memory of a tensor, which is gone when submitted work uses it; copy it");
    }
  }
}

namespace {

Napi::Value describeOp(const Napi::CallbackInfo& info) {
  const tensorflow::Registration registration = tensorflow::registerOp();
  Napi::Object result = Napi::Object::New(info.Env());
  result.Set("op", registration.name);
  result.Set("obstacle", registration.obstacle);
  return result;
}

Napi::Function readFunction(const Napi::CallbackInfo& info, const char* name) {
  if (!info[0].IsFunction()) {
    fail(info.Env(), errType, std::string(name) + " must be a function, got " + describe(info.Env(), info[0]));
  }
  return info[0].As<Napi::Function>();
}

Napi::Value lend(const Napi::CallbackInfo& info) {
  const Napi::Function work = readFunction(info, "work");
  Environment& environment = Environment::of(info.Env());
  if (environment.lending) return work.Call({});
  const Lending lending(environment, info.Env());
  return work.Call({});
}

Napi::Value view(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const Napi::Function execute = readFunction(info, "execute");
  Lending* lending = Environment::of(env).lending;
  if (!lending) fail(env, errBuffer, "view can be called only within lend, at whose end the view is taken back");
  std::vector<tensorflow::Tensor> inputs;
  {
    const tensorflow::Collecting collecting(inputs);
    execute.Call({});
  }
  if (inputs.size() != 1) {
    fail(env, errArgument, "execute must execute natgrad's op once, but did " + std::to_string(inputs.size()) + " times");
  }
  return lending->view(std::move(inputs.front()));
}

// A zero-filled Float32Array whose memory TensorFlow takes over as that of a tensor. It copies what is not aligned as its kernels want it,
// which JavaScript cannot know of its arrays.
Napi::Value aligned(const Napi::CallbackInfo& info) {
  constexpr size_t alignment = 64;
  const auto length = static_cast<size_t>(readInteger(info.Env(), info[0], 0, maxLength, [] { return std::string("length"); }));
  Napi::ArrayBuffer buffer = Napi::ArrayBuffer::New(info.Env(), length * sizeof(float) + alignment);
  const size_t beyond = reinterpret_cast<uintptr_t>(buffer.Data()) % alignment;
  return Napi::Float32Array::New(info.Env(), length, buffer, beyond == 0 ? 0 : alignment - beyond);
}

}  // namespace

void registerTensorMemory(Napi::Env env, Napi::Object exports) {
  Napi::Object tensorflow = Napi::Object::New(env);
  tensorflow.Set("register", Napi::Function::New<describeOp>(env, "register"));
  tensorflow.Set("lend", Napi::Function::New<lend>(env, "lend"));
  tensorflow.Set("view", Napi::Function::New<view>(env, "view"));
  tensorflow.Set("aligned", Napi::Function::New<aligned>(env, "aligned"));
  exports.Set("tensorflow", tensorflow);
}

}  // namespace natgrad
