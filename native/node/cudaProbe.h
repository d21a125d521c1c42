// What there is for the CUDA back end, for JavaScript.
#pragma once

#include "node/napiSetup.h"

namespace natgrad {

// probeCuda(path) gives a CudaReport of src/linalg/addon.ts.
Napi::Value probeCuda(const Napi::CallbackInfo& info);

}  // namespace natgrad
