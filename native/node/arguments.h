// Reading arguments: every function returns a value that was checked, or throws an error that names the argument's path.
#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <type_traits>

#include "node/errors.h"

namespace natgrad {

// The largest size of a square matrix: LAPACK's divide and conquer needs 1 + 6 n + 2 n^2 elements, counted in 32 bits.
constexpr int64_t maxMatrixSize = 32766;
// BLAS counts rows and columns in 32 bits.
constexpr int64_t maxLength = 2147483647;

// Elements of a typed array that lies in ordinary memory: not detached, not shared, not resizable.
struct View {
  void* data;
  int64_t length;
  napi_typedarray_type type;
  napi_value buffer;
};

template <class T>
constexpr napi_typedarray_type typedArrayType() {
  if constexpr (std::is_same_v<T, float>) {
    return napi_float32_array;
  } else if constexpr (std::is_same_v<T, double>) {
    return napi_float64_array;
  } else {
    static_assert(std::is_same_v<T, int32_t>);
    return napi_int32_array;
  }
}

// What a value is, in the words of an error message.
std::string describe(Napi::Env env, napi_value value);

// Checks one value; `path` is called only where there is something to complain about.
template <class Path>
double readNumber(Napi::Env env, napi_value value, const Path& path) {
  double number = 0;
  if (napi_get_value_double(env, value, &number) != napi_ok) {
    fail(env, errType, path() + " must be a number, got " + describe(env, value));
  }
  return number;
}

template <class Path>
int64_t readInteger(Napi::Env env, napi_value value, int64_t least, int64_t most, const Path& path) {
  const double number = readNumber(env, value, path);
  if (!(number >= static_cast<double>(least) && number <= static_cast<double>(most)) ||
      number != static_cast<double>(static_cast<int64_t>(number))) {
    fail(env, errArgument, path() + " must be an integer from " + std::to_string(least) + " to " + std::to_string(most) +
                               ", got " + describe(env, value));
  }
  return static_cast<int64_t>(number);
}

template <class Path>
std::string readText(Napi::Env env, napi_value value, const Path& path) {
  const Napi::Value text(env, value);
  if (!text.IsString()) fail(env, errType, path() + " must be a string, got " + describe(env, value));
  return text.As<Napi::String>().Utf8Value();
}

// The number of elements of an array.
template <class Path>
uint32_t readLength(Napi::Env env, napi_value value, const Path& path) {
  bool isArray = false;
  check(env, napi_is_array(env, value, &isArray));
  if (!isArray) fail(env, errType, path() + " must be an array, got " + describe(env, value));
  uint32_t length = 0;
  check(env, napi_get_array_length(env, value, &length));
  return length;
}

// Why the memory of a typed array cannot be used, as the end of a sentence; null if it can.
const char* unusable(Napi::Env env, napi_value buffer);

// A typed array of one of the given types.
template <class Path>
View readView(Napi::Env env, napi_value value, std::initializer_list<napi_typedarray_type> types, const Path& path) {
  bool isTypedArray = false, accepted = false;
  check(env, napi_is_typedarray(env, value, &isTypedArray));
  View view{};
  if (isTypedArray) {
    size_t length = 0, offset = 0;
    check(env, napi_get_typedarray_info(env, value, &view.type, &length, &view.data, &view.buffer, &offset));
    view.length = static_cast<int64_t>(length);
    for (const napi_typedarray_type type : types) accepted = accepted || type == view.type;
  }
  if (!accepted) {
    std::string names;
    for (const napi_typedarray_type type : types) {
      if (!names.empty()) names += " or ";
      names += type == napi_float32_array ? "Float32Array" : type == napi_float64_array ? "Float64Array" : "Int32Array";
    }
    fail(env, errType, path() + " must be a " + names + ", got " + describe(env, value));
  }
  if (const char* reason = unusable(env, view.buffer)) fail(env, errBuffer, path() + reason);
  return view;
}

}  // namespace natgrad
