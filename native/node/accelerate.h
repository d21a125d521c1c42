// The native kernels behind tfjs's, as the property `accelerate` of the addon's exports.
#pragma once

#include "node/napiSetup.h"

namespace natgrad {

void registerAccelerate(Napi::Env env, Napi::Object exports);

}  // namespace natgrad
