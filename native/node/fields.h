// The fields of one object of a job, each checked when it is read.
#pragma once

#include <cmath>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "node/arguments.h"
#include "node/memory.h"
#include "node/parseJobs.h"

namespace natgrad {

// How a job uses an array: `inPlace` is read and may be what the job writes; `copied` is read, by `submit` only before it returns.
enum class Mode { read, write, inPlace, copied };

// Reads the fields of one object of a job. Says where it is only when it has to complain.
class Fields {
 public:
  Fields(Napi::Env env, napi_value object, const Place& place, std::vector<Access>& phase)
      : env_(env), object_(object), place_(place), phase_(phase) {
    napi_valuetype type = napi_undefined;
    check(env, napi_typeof(env, object, &type));
    if (type != napi_object) fail(env, errType, place.text() + " must be an object, got " + describe(env, object));
  }

  // The path of a field, made when it is called.
  auto at(const char* name) const {
    return [this, name] {
      Place place = place_;
      place.name = name;
      return place.text();
    };
  }

  napi_value get(const char* name) const {
    napi_value value = nullptr;
    check(env_, napi_get_named_property(env_, object_, name, &value));
    return value;
  }

  // The value of a field, or null if it is undefined.
  napi_value optional(const char* name) const {
    napi_value value = get(name);
    napi_valuetype type = napi_undefined;
    check(env_, napi_typeof(env_, value, &type));
    return type == napi_undefined ? nullptr : value;
  }

  double number(const char* name) const {
    const double value = readNumber(env_, get(name), at(name));
    if (!std::isfinite(value)) {
      fail(env_, errNotFinite, at(name)() + " must be finite, got " + describe(env_, get(name)));
    }
    return value;
  }

  double nonNegative(const char* name) const {
    const double value = number(name);
    if (value < 0) fail(env_, errArgument, at(name)() + " must not be negative, got " + describe(env_, get(name)));
    return value;
  }

  int64_t integer(const char* name, int64_t least, int64_t most) const {
    return readInteger(env_, get(name), least, most, at(name));
  }

  int64_t matrixSize(const char* name) const { return integer(name, 0, maxMatrixSize); }

  bool flag(const char* name) const {
    napi_value value = get(name);
    bool result = false;
    if (napi_get_value_bool(env_, value, &result) != napi_ok) {
      fail(env_, errType, at(name)() + " must be true or false, got " + describe(env_, value));
    }
    return result;
  }

  // A flag that may be left out, and then is false.
  bool optionalFlag(const char* name) const { return optional(name) && flag(name); }

  // The number of matrices of a stack; one, if it is left out.
  int64_t stackCount(const char* name) const { return optional(name) ? integer(name, 0, maxLength) : 1; }

  // The value that goes with a name; `choices` are pairs of both.
  template <class Value, size_t count>
  Value choice(const char* name, const std::pair<const char*, Value> (&choices)[count]) const {
    napi_value value = get(name);
    char text[32] = {};
    size_t length = 0;
    if (napi_get_value_string_utf8(env_, value, text, sizeof text, &length) == napi_ok) {
      for (const auto& [candidate, result] : choices) {
        if (std::string_view(text, length) == candidate) return result;
      }
    }
    std::string names;
    for (const auto& pair : choices) names += (names.empty() ? "" : ", ") + std::string(pair.first);
    fail(env_, errArgument, at(name)() + " must be one of " + names + ", got " + describe(env_, value));
  }

  // Elements of type T; as many as `length`, or any number if that is -1.
  template <class T>
  std::pair<T*, int64_t> array(const char* name, int64_t length, Mode mode) {
    const View view = readView(env_, get(name), {typedArrayType<T>()}, at(name));
    if (length >= 0 && view.length != length) {
      fail(env_, errShape,
           at(name)() + " must have " + std::to_string(length) + " elements, got " + std::to_string(view.length));
    }
    if (length < 0 && view.length > maxLength) {
      fail(env_, errShape, at(name)() + " has more than " + std::to_string(maxLength) + " elements");
    }
    if (view.length > 0) {
      const auto begin = reinterpret_cast<uintptr_t>(view.data);
      Place place = place_;
      place.name = name;
      phase_.push_back({begin, begin + static_cast<uintptr_t>(view.length) * sizeof(T), mode == Mode::write,
                        mode == Mode::copied, mode == Mode::inPlace, place, view.buffer});
    }
    return {static_cast<T*>(view.data), view.length};
  }

  // How many elements an array of these sizes has. None has more than numbers can count.
  int64_t elements(const char* name, std::initializer_list<int64_t> sizes) const {
    double product = 1;
    for (const int64_t size : sizes) product *= static_cast<double>(size);
    constexpr double exact = 9007199254740991.0;
    if (product > exact) fail(env_, errShape, at(name)() + " would have more than 9007199254740991 elements");
    return static_cast<int64_t>(product);
  }

  template <class T>
  const T* input(const char* name, int64_t length) {
    return array<T>(name, length, Mode::read).first;
  }

  template <class T>
  T* output(const char* name, int64_t length) {
    return array<T>(name, length, Mode::write).first;
  }

  // Whether a field holds float64; it must hold one of the two float types.
  bool isFloat64(const char* name) const {
    const View view = readView(env_, get(name), {napi_float32_array, napi_float64_array}, at(name));
    return view.type == napi_float64_array;
  }

  // A field that is an object itself.
  Fields part(const char* name) const {
    Place place = place_;
    (place.list ? place.inner : place.list) = name;
    return Fields(env_, get(name), place, phase_);
  }

  // Calls `read` with the fields of each object of a list.
  template <class Read>
  void each(const char* name, const Read& read) const {
    napi_value list = get(name);
    const uint32_t length = readLength(env_, list, at(name));
    for (uint32_t i = 0; i < length; i++) {
      napi_value item = nullptr;
      check(env_, napi_get_element(env_, list, i, &item));
      Place place = place_;
      place.list = name;
      place.item = i;
      Fields fields(env_, item, place, phase_);
      read(fields);
    }
  }

  // Of the object itself.
  std::string path() const { return place_.text(); }

  [[noreturn]] void complain(const char* code, const char* name, const std::string& what) const {
    fail(env_, code, at(name)() + what);
  }

  Napi::Env env() const { return env_; }

 private:
  Napi::Env env_;
  napi_value object_;
  Place place_;
  std::vector<Access>& phase_;
};

}  // namespace natgrad
