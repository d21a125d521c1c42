// Memory of TensorFlow's tensors as typed arrays, as the property `tensorflow` of the addon's exports; see src/host/tensorflowOp.ts.
#pragma once

#include <vector>

#include "node/environment.h"
#include "node/tensorflowOp.h"

namespace natgrad {

// What JavaScript has lent: arrays on memory of TensorFlow's, which are detached, and the memory given back, when this goes out of
// scope. Not left to the garbage collector, which knows neither how much memory there is nor that a loop without a pause is running.
class Lending {
 public:
  Lending(Environment& environment, Napi::Env env);
  ~Lending();
  Lending(const Lending&) = delete;
  Lending& operator=(const Lending&) = delete;

  // A Float32Array on the memory of a tensor.
  Napi::Value view(tensorflow::Tensor tensor);

  // Throws ERR_NATGRAD_BUFFER if work that outlives the lending would use lent memory.
  void refuse(const std::vector<Access>& accesses) const;

 private:
  Environment& environment_;
  Napi::Env env_;
  std::vector<tensorflow::Tensor> tensors_;
  Napi::Array buffers_;  // one ArrayBuffer per tensor
};

void registerTensorMemory(Napi::Env env, Napi::Object exports);

}  // namespace natgrad
