#include "node/kernelArguments.h"

#include <cmath>
#include <limits>

#include "node/environment.h"

namespace natgrad {
namespace {

constexpr int64_t largest = std::numeric_limits<int32_t>::max();

}  // namespace

int64_t elementCount(std::initializer_list<int64_t> sizes) {
  int64_t count = 1;
  for (const int64_t size : sizes) {
    if (size == 0) return 0;
  }
  for (const int64_t size : sizes) {
    count *= size;
    if (count > largest) return -1;
  }
  return count;
}

void KernelArguments::fail(const char* code, const char* name, const std::string& problem) const {
  natgrad::fail(info_.Env(), code, std::string(function_) + ": " + name + " " + problem);
}

Napi::Value KernelArguments::next(const char* name) {
  if (next_ >= info_.Length()) fail(errArgument, name, "is missing");
  return info_[next_++];
}

int KernelArguments::threads() const { return Environment::of(info_.Env()).threads; }

bool KernelArguments::flag(const char* name) {
  const Napi::Value value = next(name);
  if (!value.IsBoolean()) fail(errType, name, "must be a boolean");
  return value.As<Napi::Boolean>().Value();
}

int64_t KernelArguments::size(const char* name) {
  const Napi::Value value = next(name);
  if (!value.IsNumber()) fail(errType, name, "must be a number");
  const double number = value.As<Napi::Number>().DoubleValue();
  if (!(number >= 0 && number <= static_cast<double>(largest)) || number != std::floor(number)) {
    fail(errArgument, name, "must be an integer from 0 to 2147483647, got " + std::to_string(number));
  }
  return static_cast<int64_t>(number);
}

float KernelArguments::number(const char* name) {
  const Napi::Value value = next(name);
  if (!value.IsNumber()) fail(errType, name, "must be a number");
  return value.As<Napi::Number>().FloatValue();
}

void* KernelArguments::view(const char* name, napi_typedarray_type type, Napi::Value value, size_t& length) {
  napi_typedarray_type actual;
  void* data = nullptr;
  if (napi_get_typedarray_info(info_.Env(), value, &actual, &length, &data, nullptr, nullptr) != napi_ok ||
      actual != type) {
    fail(errType, name, type == napi_float32_array ? "must be a Float32Array" : "must be an Int32Array");
  }
  if (length == 0 && value.As<Napi::TypedArray>().ArrayBuffer().IsDetached()) {
    fail(errBuffer, name, "is detached: its memory has moved or was transferred");
  }
  return data;
}

void* KernelArguments::array(const char* name, napi_typedarray_type type, int64_t length, bool written) {
  size_t actual = 0;
  void* data = view(name, type, next(name), actual);
  if (length < 0) fail(errShape, name, "would have more than 2147483647 elements");
  if (static_cast<int64_t>(actual) != length) {
    fail(errShape, name,
         "has " + std::to_string(actual) + " elements where the sizes ask for " + std::to_string(length));
  }
  claim(name, data, length * 4, written);
  return data;
}

void KernelArguments::claim(const char* name, const void* data, int64_t bytes, bool written) {
  if (bytes == 0) return;
  const auto begin = reinterpret_cast<uintptr_t>(data);
  const Region region = {name, begin, begin + static_cast<uintptr_t>(bytes), written};
  const Leases& leases = Environment::of(info_.Env()).leases();
  if (!leases.empty()) {
    const Access access = {region.begin, region.end, written, false, false, Place()};
    leases.check(info_.Env(), access, std::string(function_) + ": " + name);
  }
  for (size_t i = 0; i < regionCount_; ++i) {
    const Region& other = regions_[i];
    if ((written || other.written) && region.begin < other.end && other.begin < region.end) {
      fail(errBuffer, name, std::string("overlaps ") + other.name + "; a result needs memory of its own");
    }
  }
  regions_[regionCount_++] = region;
}

const float* KernelArguments::input(const char* name, std::initializer_list<int64_t> sizes) {
  return static_cast<const float*>(array(name, napi_float32_array, elementCount(sizes), false));
}

float* KernelArguments::output(const char* name, std::initializer_list<int64_t> sizes) {
  return static_cast<float*>(array(name, napi_float32_array, elementCount(sizes), true));
}

void* KernelArguments::anyLength(const char* name, napi_typedarray_type type, int64_t& length, bool written) {
  size_t actual = 0;
  void* data = view(name, type, next(name), actual);
  length = static_cast<int64_t>(actual);
  if (length > largest) fail(errShape, name, "has more than 2147483647 elements");
  claim(name, data, length * 4, written);
  return data;
}

const float* KernelArguments::input(const char* name, int64_t& length) {
  return static_cast<const float*>(anyLength(name, napi_float32_array, length, false));
}

const int32_t* KernelArguments::indices(const char* name, int64_t& length) {
  return static_cast<const int32_t*>(anyLength(name, napi_int32_array, length, false));
}

float* KernelArguments::output(const char* name, int64_t& length) {
  return static_cast<float*>(anyLength(name, napi_float32_array, length, true));
}

ConvGeometry KernelArguments::geometry() {
  static constexpr const char* name = "geometry";
  size_t length = 0;
  const auto* values = static_cast<const int32_t*>(view(name, napi_int32_array, next(name), length));
  if (length != 14) fail(errShape, name, "must have 14 elements");
  static constexpr const char* fields[] = {
      "batch",        "inHeight",    "inWidth",        "channels",      "kernelHeight", "kernelWidth", "strideHeight",
      "strideWidth", "dilationHeight", "dilationWidth", "padTop",       "padLeft",     "outHeight",   "outWidth"};
  for (size_t i = 0; i < 14; ++i) {
    const int32_t least = i >= 4 && i < 10 ? 1 : 0;  // a kernel, a stride and a dilation are at least one
    if (values[i] < least) {
      fail(errArgument, name,
           std::string("has ") + fields[i] + " " + std::to_string(values[i]) + ", which must be at least " +
               std::to_string(least));
    }
  }
  const ConvGeometry g = {values[0], values[1], values[2],  values[3],  values[4],  values[5],  values[6],
                          values[7], values[8], values[9], values[10], values[11], values[12], values[13]};
  if (elementCount({g.batch, g.outHeight, g.outWidth}) < 0 || elementCount({g.inHeight, g.inWidth}) < 0 ||
      elementCount({g.kernelHeight, g.kernelWidth, g.channels}) < 0) {
    fail(errShape, name, "has more than 2147483647 patches, pixels or elements of a patch");
  }
  return g;
}

Repeated KernelArguments::repeat(const char* name, Napi::Value value, int64_t count) {
  size_t length = 0;
  const void* data = view(name, napi_float32_array, value, length);
  const int64_t size = static_cast<int64_t>(length);
  if (size == 0 || count % size != 0) {
    fail(errShape, name,
         "has " + std::to_string(size) + " elements, which do not repeat evenly over " + std::to_string(count));
  }
  claim(name, data, size * 4, false);
  return {static_cast<const float*>(data), size};
}

Repeated KernelArguments::repeated(const char* name, int64_t count) { return repeat(name, next(name), count); }

Epilogue KernelArguments::epilogue(int64_t count) {
  const auto optional = [&](const char* name) {
    const Napi::Value value = next(name);
    return value.IsNull() || value.IsUndefined() ? Repeated() : repeat(name, value, count);
  };
  Epilogue result;
  result.bias = optional("bias");
  const int64_t activation = size("activation");
  if (activation >= activationCount) fail(errArgument, "activation", "has no such number");
  result.activation = static_cast<Activation>(activation);
  result.alpha = optional("alpha");
  if (result.activation == Activation::prelu && result.alpha.size == 0) {
    fail(errArgument, "alpha", "is needed by this activation");
  }
  result.leakyAlpha = number("leakyAlpha");
  return result;
}

}  // namespace natgrad
