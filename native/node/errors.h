// Errors of the glue: JavaScript Errors with a `code` of src/errors.ts, which TypeScript turns into NatgradErrors.
#pragma once

#include <string>

#include "node/napiSetup.h"

namespace natgrad {

constexpr const char* errArgument = "ERR_NATGRAD_ARGUMENT";
constexpr const char* errType = "ERR_NATGRAD_TYPE";
constexpr const char* errShape = "ERR_NATGRAD_SHAPE";
constexpr const char* errBuffer = "ERR_NATGRAD_BUFFER";
constexpr const char* errNotFinite = "ERR_NATGRAD_NOT_FINITE";
constexpr const char* errNoCuda = "ERR_NATGRAD_NO_CUDA";
constexpr const char* errDevice = "ERR_NATGRAD_DEVICE";
constexpr const char* errNoMemory = "ERR_NATGRAD_NO_MEMORY";

[[noreturn]] void fail(Napi::Env env, const char* code, const std::string& message);

// Throws the pending JavaScript exception, or what Node-API says went wrong, unless the status is napi_ok.
void check(Napi::Env env, napi_status status);

}  // namespace natgrad
