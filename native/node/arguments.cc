#include "node/arguments.h"

namespace natgrad {

std::string describe(Napi::Env env, napi_value value) {
  napi_valuetype type = napi_undefined;
  check(env, napi_typeof(env, value, &type));
  switch (type) {
    case napi_undefined:
      return "undefined";
    case napi_null:
      return "null";
    case napi_number:
      return Napi::Value(env, value).ToString().Utf8Value();
    case napi_string:
      return '"' + Napi::String(env, value).Utf8Value().substr(0, 80) + '"';
    case napi_boolean:
      return "a boolean";
    case napi_function:
      return "a function";
    case napi_symbol:
      return "a symbol";
    case napi_bigint:
      return "a bigint";
    default:
      break;
  }
  // The class of the object; a getter of the user's that throws is no reason to hide the error at hand.
  try {
    const Napi::Value constructor = Napi::Object(env, value).Get("constructor");
    if (constructor.IsFunction()) {
      const Napi::Value name = constructor.As<Napi::Object>().Get("name");
      if (name.IsString() && !name.As<Napi::String>().Utf8Value().empty()) return name.As<Napi::String>().Utf8Value();
    }
  } catch (const Napi::Error&) {
  }
  return "an object";
}

const char* unusable(Napi::Env env, napi_value buffer) {
  bool yes = false;
  check(env, napi_is_arraybuffer(env, buffer, &yes));
  if (!yes) return " lies in a SharedArrayBuffer, which other threads may write; copy it";
  check(env, napi_is_detached_arraybuffer(env, buffer, &yes));
  if (yes) return " lies in an ArrayBuffer that was detached";
  // Node-API cannot tell, so JavaScript is asked. Older engines have no such property and no such buffers.
  napi_value resizable = nullptr;
  check(env, napi_get_named_property(env, buffer, "resizable", &resizable));
  napi_valuetype type = napi_undefined;
  check(env, napi_typeof(env, resizable, &type));
  if (type == napi_boolean) {
    check(env, napi_get_value_bool(env, resizable, &yes));
    if (yes) return " lies in a resizable ArrayBuffer; copy it into one of fixed size";
  }
  return nullptr;
}

}  // namespace natgrad
