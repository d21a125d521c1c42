// An op of our own, registered with the TensorFlow that tfjs-node has loaded. It computes nothing: its kernel sees the memory of its
// input and hands out a reference to it, which tfjs-node's binding has no way to do.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "node/tensorflow.h"

namespace natgrad::tensorflow {

// A reference to the memory of a tensor, which TensorFlow neither frees nor reuses as long as it is held.
class Tensor {
 public:
  Tensor(const Api& api, TF_Tensor* tensor) : tensor_(tensor, api.TF_DeleteTensor), api_(&api) {}

  void* data() const { return api_->TF_TensorData(tensor_.get()); }
  size_t bytes() const { return api_->TF_TensorByteSize(tensor_.get()); }

 private:
  std::unique_ptr<TF_Tensor, void (*)(TF_Tensor*)> tensor_;
  const Api* api_;
};

struct Registration {
  std::string name;      // of the op, with one input `tensor: float` and no output; empty if there is none
  std::string obstacle;  // why there is none
};

// Registers the op on the first call that finds TensorFlow in the process. May be called from every thread.
Registration registerOp();

// While one of these exists, inputs of the op that is executed on this thread are appended to `inputs`.
class Collecting {
 public:
  explicit Collecting(std::vector<Tensor>& inputs);
  ~Collecting();
  Collecting(const Collecting&) = delete;
  Collecting& operator=(const Collecting&) = delete;
};

}  // namespace natgrad::tensorflow
