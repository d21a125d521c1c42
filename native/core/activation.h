// What follows a product in one pass over its result: bias and activation.
#pragma once

#include <cstdint>

namespace natgrad {

enum class Activation : int32_t { linear, relu, relu6, elu, sigmoid, leakyRelu, prelu };
constexpr int32_t activationCount = 7;

// A vector that repeats itself over the elements of a row-major result; none has size 0.
struct Repeated {
  const float* data = nullptr;
  int64_t size = 0;
};

struct Epilogue {
  Repeated bias;
  Activation activation = Activation::linear;
  Repeated alpha;        // slopes of prelu
  float leakyAlpha = 0;  // slope of leakyRelu

  bool empty() const { return bias.size == 0 && activation == Activation::linear; }
};

// values[i] = activation(values[i] + bias) for `count` elements, the first of which is element `first` of the whole
// result.
void applyEpilogue(const Epilogue& epilogue, float* values, int64_t first, int64_t count);

// out[i] = a[i] + b for `count` elements.
void addRepeated(const float* a, const Repeated& b, int64_t count, float* out);

}  // namespace natgrad
