#include "node/tensorflowOp.h"

#include <cstdint>
#include <cstdio>
#include <mutex>
#include <utility>

namespace natgrad::tensorflow {

namespace {

const Api* api = nullptr;
// TensorFlow runs an op of an eager context that is not asynchronous on the thread that asks for it; on any other, nobody collects.
thread_local std::vector<Tensor>* collecting = nullptr;

struct Status {
  std::unique_ptr<TF_Status, void (*)(TF_Status*)> status{api->TF_NewStatus(), api->TF_DeleteStatus};

  TF_Status* get() const { return status.get(); }
  bool ok() const { return api->TF_GetCode(status.get()) == okCode; }
  std::string message() const { return api->TF_Message(status.get()); }
};

void compute(void*, TF_OpKernelContext* context) {
  const Status status;
  TF_Tensor* input = nullptr;
  api->TF_GetInput(context, 0, &input, status.get());
  if (status.ok()) {
    Tensor tensor(*api, input);
    if (collecting) return collecting->push_back(std::move(tensor));
    api->TF_SetStatus(status.get(), internalCode, "natgrad's op was not executed on the thread that asked for it");
  }
  api->TF_OpKernelContext_Failure(context, status.get());
}

// TensorFlow ends the process when a name is registered twice, and several copies of the addon may be loaded into one process, each with
// variables of its own. The address of this copy's kernel makes a name that no other copy has, now or later: the addon stays mapped.
std::string uniqueName() {
  char name[64];
  std::snprintf(name, sizeof name, "NatgradMemory%llx",
                static_cast<unsigned long long>(reinterpret_cast<uintptr_t>(&compute)));
  return name;
}

Registration registration() {
  Registration result;
  const std::string name = uniqueName();
  const Status status;
  TF_OpDefinitionBuilder* op = api->TF_NewOpDefinitionBuilder(name.c_str());
  api->TF_OpDefinitionBuilderAddInput(op, "tensor: float");
  // Whose only effect is not in its outputs: it must not be left out or done once for several.
  api->TF_OpDefinitionBuilderSetIsStateful(op, true);
  api->TF_RegisterOpDefinition(op, status.get());
  if (status.ok()) {
    const auto create = [](TF_OpKernelConstruction*) -> void* { return nullptr; };
    const auto destroy = [](void*) {};
    TF_KernelBuilder* kernel = api->TF_NewKernelBuilder(name.c_str(), "CPU", create, compute, destroy);
    api->TF_RegisterKernelBuilder(name.c_str(), kernel, status.get());
  }
  if (status.ok()) {
    result.name = name;
  } else {
    result.obstacle = "TensorFlow refused the op: " + status.message();
  }
  return result;
}

}  // namespace

Registration registerOp() {
  static std::mutex mutex;
  static Registration result;
  const std::lock_guard<std::mutex> lock(mutex);
  if (!api) {
    api = findApi(result.obstacle);
    if (api) result = registration();
  }
  return result;
}

Collecting::Collecting(std::vector<Tensor>& inputs) { collecting = &inputs; }

Collecting::~Collecting() { collecting = nullptr; }

}  // namespace natgrad::tensorflow
