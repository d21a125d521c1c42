#include "core/activation.h"

#include <algorithm>
#include <cmath>

namespace natgrad {
namespace {

// Calls visit(i, operand, run) for consecutive runs of the `count` elements from `first` on, such that operand[0 ..
// run) lies beside elements i .. i + run. A short vector (the biases of a few channels) is repeated first, so that
// runs are worth a loop.
template <class Visit>
void alongside(const Repeated& repeated, int64_t first, int64_t count, Visit visit) {
  constexpr int64_t room = 256;
  float copies[room];
  const float* data = repeated.data;
  int64_t period = repeated.size;
  if (period * 2 <= room && count > period) {
    const int64_t times = std::min(room / period, (count + period - 1) / period + 1);
    for (int64_t i = 0; i < times; ++i) std::copy(data, data + repeated.size, copies + i * repeated.size);
    data = copies;
    period *= times;
  }
  int64_t offset = first % repeated.size;
  for (int64_t i = 0; i < count;) {
    const int64_t run = std::min(period - offset, count - i);
    visit(i, data + offset, run);
    i += run;
    offset = 0;
  }
}

// The comparisons are written so that a NaN passes through.
void activate(const Epilogue& epilogue, float* x, int64_t first, int64_t count) {
  switch (epilogue.activation) {
    case Activation::linear:
      break;
    case Activation::relu:
      for (int64_t i = 0; i < count; ++i) x[i] = x[i] < 0 ? 0 : x[i];
      break;
    case Activation::relu6:
      for (int64_t i = 0; i < count; ++i) {
        const float positive = x[i] < 0 ? 0 : x[i];
        x[i] = positive > 6 ? 6 : positive;
      }
      break;
    case Activation::elu:
      for (int64_t i = 0; i < count; ++i) x[i] = x[i] >= 0 ? x[i] : std::expm1(x[i]);
      break;
    case Activation::sigmoid:
      for (int64_t i = 0; i < count; ++i) x[i] = 1 / (1 + std::exp(-x[i]));
      break;
    case Activation::leakyRelu:
      for (int64_t i = 0; i < count; ++i) x[i] = x[i] < 0 ? epilogue.leakyAlpha * x[i] : x[i];
      break;
    case Activation::prelu:
      alongside(epilogue.alpha, first, count, [&](int64_t at, const float* alpha, int64_t run) {
        for (int64_t i = 0; i < run; ++i) x[at + i] = x[at + i] < 0 ? alpha[i] * x[at + i] : x[at + i];
      });
      break;
  }
}

}  // namespace

void applyEpilogue(const Epilogue& epilogue, float* values, int64_t first, int64_t count) {
  if (epilogue.bias.size > 0) {
    alongside(epilogue.bias, first, count, [&](int64_t at, const float* bias, int64_t run) {
      for (int64_t i = 0; i < run; ++i) values[at + i] += bias[i];
    });
  }
  activate(epilogue, values, first, count);
}

void addRepeated(const float* a, const Repeated& b, int64_t count, float* out) {
  alongside(b, 0, count, [&](int64_t at, const float* operand, int64_t run) {
    for (int64_t i = 0; i < run; ++i) out[at + i] = a[at + i] + operand[i];
  });
}

}  // namespace natgrad
