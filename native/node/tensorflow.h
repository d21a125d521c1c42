// The part of TensorFlow's C API that an op of our own needs, found in the TensorFlow that the process has loaded already. Declared here
// because the addon is built without TensorFlow and runs without it.
//
// Source: tensorflow/c/tf_status.h, tf_tensor.h, ops.h and kernels.h, which call the last two experimental: a name that is missing means
// that there is no op, and nothing worse.
#pragma once

#include <cstddef>
#include <string>

namespace natgrad::tensorflow {

// Opaque types of the C API.
struct TF_Status;
struct TF_Tensor;
struct TF_OpDefinitionBuilder;
struct TF_KernelBuilder;
struct TF_OpKernelConstruction;
struct TF_OpKernelContext;

// A value of the enumeration TF_Code.
constexpr int okCode = 0, internalCode = 13;

struct Api {
  TF_Status* (*TF_NewStatus)();
  void (*TF_DeleteStatus)(TF_Status*);
  int (*TF_GetCode)(const TF_Status*);
  const char* (*TF_Message)(const TF_Status*);
  void (*TF_SetStatus)(TF_Status*, int code, const char* message);

  TF_OpDefinitionBuilder* (*TF_NewOpDefinitionBuilder)(const char* name);
  void (*TF_OpDefinitionBuilderAddInput)(TF_OpDefinitionBuilder*, const char* specification);
  void (*TF_OpDefinitionBuilderSetIsStateful)(TF_OpDefinitionBuilder*, bool);
  void (*TF_RegisterOpDefinition)(TF_OpDefinitionBuilder*, TF_Status*);  // takes the builder

  TF_KernelBuilder* (*TF_NewKernelBuilder)(const char* op, const char* device, void* (*create)(TF_OpKernelConstruction*),
                                           void (*compute)(void* kernel, TF_OpKernelContext*), void (*destroy)(void* kernel));
  void (*TF_RegisterKernelBuilder)(const char* kernel, TF_KernelBuilder*, TF_Status*);  // takes the builder
  void (*TF_GetInput)(TF_OpKernelContext*, int index, TF_Tensor**, TF_Status*);          // a reference of the caller's own
  void (*TF_OpKernelContext_Failure)(TF_OpKernelContext*, TF_Status*);

  void* (*TF_TensorData)(const TF_Tensor*);
  size_t (*TF_TensorByteSize)(const TF_Tensor*);
  void (*TF_DeleteTensor)(TF_Tensor*);
};

// The functions of the TensorFlow in this process; null, with the reason in `obstacle`, if there is none or it lacks one of them.
const Api* findApi(std::string& obstacle);

}  // namespace natgrad::tensorflow
