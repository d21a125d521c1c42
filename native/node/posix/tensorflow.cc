#include "node/tensorflow.h"

#include <dlfcn.h>

#include <memory>

namespace natgrad::tensorflow {

namespace {

// libtensorflow exports all of it from one library in some versions and from the framework's in others; Python's wheels name the first
// one otherwise. A library's handle also finds what it was linked with.
constexpr const char* libraries[] = {
#ifdef __APPLE__
    "libtensorflow_framework.2.dylib", "libtensorflow.2.dylib", "libtensorflow_cc.2.dylib",
#else
    "libtensorflow_framework.so.2", "libtensorflow.so.2", "libtensorflow_cc.so.2",
#endif
};

template <class Function>
bool find(void* library, const char* name, Function*& function) {
  function = reinterpret_cast<Function*>(dlsym(library, name));
  return function != nullptr;
}

// The first name that the library lacks, or null.
const char* fill(Api& api, void* library) {
#define NATGRAD_FIND(name) \
  if (!find(library, #name, api.name)) return #name
  NATGRAD_FIND(TF_NewStatus);
  NATGRAD_FIND(TF_DeleteStatus);
  NATGRAD_FIND(TF_GetCode);
  NATGRAD_FIND(TF_Message);
  NATGRAD_FIND(TF_SetStatus);
  NATGRAD_FIND(TF_NewOpDefinitionBuilder);
  NATGRAD_FIND(TF_OpDefinitionBuilderAddInput);
  NATGRAD_FIND(TF_OpDefinitionBuilderSetIsStateful);
  NATGRAD_FIND(TF_RegisterOpDefinition);
  NATGRAD_FIND(TF_NewKernelBuilder);
  NATGRAD_FIND(TF_RegisterKernelBuilder);
  NATGRAD_FIND(TF_GetInput);
  NATGRAD_FIND(TF_OpKernelContext_Failure);
  NATGRAD_FIND(TF_TensorData);
  NATGRAD_FIND(TF_TensorByteSize);
  NATGRAD_FIND(TF_DeleteTensor);
#undef NATGRAD_FIND
  return nullptr;
}

}  // namespace

const Api* findApi(std::string& obstacle) {
  obstacle = "TensorFlow is not loaded";
  for (const char* name : libraries) {
    // The handle is never closed: what an op of ours is registered with has to stay.
    void* library = dlopen(name, RTLD_NOW | RTLD_NOLOAD);
    if (!library) continue;
    auto api = std::make_unique<Api>();
    const char* missing = fill(*api, library);
    if (!missing) return api.release();
    obstacle = std::string(name) + " has no " + missing;
  }
  return nullptr;
}

}  // namespace natgrad::tensorflow
