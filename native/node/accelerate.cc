#include "node/accelerate.h"

#include <new>

#include "core/columnSum.h"
#include "core/convolution.h"
#include "core/depthwise.h"
#include "core/matrixProduct.h"
#include "core/pooling.h"
#include "core/rational.h"
#include "core/segmentSum.h"
#include "cpu/cpuBackend.h"
#include "node/kernelArguments.h"

namespace natgrad {
namespace {

// (transposeA, transposeB, batch, rows, columns, inner, oneA, a, oneB, b, out, ...epilogue)
void matMul(KernelArguments& arguments) {
  MatrixProduct p;
  p.transposeA = arguments.flag("transposeA");
  p.transposeB = arguments.flag("transposeB");
  p.batch = arguments.size("batch");
  p.rows = arguments.size("rows");
  p.columns = arguments.size("columns");
  p.inner = arguments.size("inner");
  if (elementCount({p.batch, p.rows}) < 0) {
    arguments.fail(errShape, "batch", "times rows exceeds 2147483647");
  }
  const bool oneA = arguments.flag("oneA");
  const float* a = arguments.input("a", {oneA ? 1 : p.batch, p.rows, p.inner});
  const bool oneB = arguments.flag("oneB");
  const float* b = arguments.input("b", {oneB ? 1 : p.batch, p.inner, p.columns});
  p.aStep = oneA ? 0 : p.rows * p.inner;
  p.bStep = oneB ? 0 : p.inner * p.columns;
  float* out = arguments.output("out", {p.batch, p.rows, p.columns});
  const Epilogue epilogue = arguments.epilogue(p.batch * p.rows * p.columns);
  if (p.batch * p.rows * p.columns > 0) multiply(cpuBackend(), p, a, b, epilogue, out);
}

// (values, ...epilogue)
void finish(KernelArguments& arguments) {
  int64_t count = 0;
  float* values = arguments.output("values", count);
  const Epilogue epilogue = arguments.epilogue(count);
  if (count > 0) applyEpilogue(epilogue, values, 0, count);
}

// (a, b, out)
void add(KernelArguments& arguments) {
  int64_t count = 0;
  const float* a = arguments.input("a", count);
  const Repeated b = arguments.repeated("b", count);
  float* out = arguments.output("out", {count});
  if (count > 0) addRepeated(a, b, count, out);
}

// (rows, columns, x, out)
void sumColumns(KernelArguments& arguments) {
  const int64_t rows = arguments.size("rows");
  const int64_t columns = arguments.size("columns");
  const float* x = arguments.input("x", {rows, columns});
  float* out = arguments.output("out", {columns});
  if (columns > 0) columnSum(cpuBackend(), x, rows, columns, out);
}

// Elements of an NHWC batch of images; arrays of that size have passed the check.
int64_t imageElements(const ConvGeometry& g) { return g.batch * g.inHeight * g.inWidth * g.channels; }

// (geometry, outChannels, x, filter, y, ...epilogue)
void conv2d(KernelArguments& arguments) {
  const ConvGeometry g = arguments.geometry();
  const int64_t outChannels = arguments.size("outChannels");
  const float* x = arguments.input("x", {g.batch, g.inHeight, g.inWidth, g.channels});
  const float* filter = arguments.input("filter", {g.patchSize(), outChannels});
  float* y = arguments.output("y", {g.patches(), outChannels});
  const Epilogue epilogue = arguments.epilogue(g.patches() * outChannels);
  if (g.patches() * outChannels == 0) return;
  convolution(cpuBackend(), arguments.threads(), g, outChannels, x, filter, epilogue, y);
}

// (geometry, outChannels, x, dy, dFilter)
void conv2dFilterGradient(KernelArguments& arguments) {
  const ConvGeometry g = arguments.geometry();
  const int64_t outChannels = arguments.size("outChannels");
  const float* x = arguments.input("x", {g.batch, g.inHeight, g.inWidth, g.channels});
  const float* dy = arguments.input("dy", {g.patches(), outChannels});
  float* dFilter = arguments.output("dFilter", {g.patchSize(), outChannels});
  if (g.patchSize() * outChannels == 0) return;
  convolutionFilterGradient(cpuBackend(), arguments.threads(), g, outChannels, x, dy, dFilter);
}

// (geometry, outChannels, dy, filter, dx)
void conv2dInputGradient(KernelArguments& arguments) {
  const ConvGeometry g = arguments.geometry();
  const int64_t outChannels = arguments.size("outChannels");
  const float* dy = arguments.input("dy", {g.patches(), outChannels});
  const float* filter = arguments.input("filter", {g.patchSize(), outChannels});
  float* dx = arguments.output("dx", {g.batch, g.inHeight, g.inWidth, g.channels});
  if (imageElements(g) == 0) return;
  convolutionInputGradient(cpuBackend(), arguments.threads(), g, outChannels, dy, filter, dx);
}

// (geometry, multiplier, x, filter, y)
void depthwiseForward(KernelArguments& arguments) {
  const ConvGeometry g = arguments.geometry();
  const int64_t multiplier = arguments.size("multiplier");
  const float* x = arguments.input("x", {g.batch, g.inHeight, g.inWidth, g.channels});
  const float* filter = arguments.input("filter", {g.patchSize(), multiplier});
  float* y = arguments.output("y", {g.patches(), g.channels, multiplier});
  if (g.patches() * g.channels * multiplier > 0) depthwise(g, multiplier, x, filter, y);
}

// (geometry, multiplier, x, dy, dFilter)
void depthwiseForFilter(KernelArguments& arguments) {
  const ConvGeometry g = arguments.geometry();
  const int64_t multiplier = arguments.size("multiplier");
  const float* x = arguments.input("x", {g.batch, g.inHeight, g.inWidth, g.channels});
  const float* dy = arguments.input("dy", {g.patches(), g.channels, multiplier});
  float* dFilter = arguments.output("dFilter", {g.patchSize(), multiplier});
  if (g.patchSize() * multiplier > 0) depthwiseFilterGradient(g, multiplier, x, dy, dFilter);
}

// (geometry, multiplier, dy, filter, dx)
void depthwiseForInput(KernelArguments& arguments) {
  const ConvGeometry g = arguments.geometry();
  const int64_t multiplier = arguments.size("multiplier");
  const float* dy = arguments.input("dy", {g.patches(), g.channels, multiplier});
  const float* filter = arguments.input("filter", {g.patchSize(), multiplier});
  float* dx = arguments.output("dx", {g.batch, g.inHeight, g.inWidth, g.channels});
  if (imageElements(g) > 0) depthwiseInputGradient(g, multiplier, dy, filter, dx);
}

// (geometry, x, y)
template <void (*pool)(const ConvGeometry&, const float*, float*)>
void poolForward(KernelArguments& arguments) {
  const ConvGeometry g = arguments.geometry();
  const float* x = arguments.input("x", {g.batch, g.inHeight, g.inWidth, g.channels});
  float* y = arguments.output("y", {g.patches(), g.channels});
  if (g.patches() * g.channels > 0) pool(g, x, y);
}

// (geometry, x, dy, dx)
void maxPoolBackward(KernelArguments& arguments) {
  const ConvGeometry g = arguments.geometry();
  const float* x = arguments.input("x", {g.batch, g.inHeight, g.inWidth, g.channels});
  const float* dy = arguments.input("dy", {g.patches(), g.channels});
  float* dx = arguments.output("dx", {g.batch, g.inHeight, g.inWidth, g.channels});
  if (imageElements(g) > 0) maxPoolGradient(g, x, dy, dx);
}

// (geometry, dy, dx)
void averagePoolBackward(KernelArguments& arguments) {
  const ConvGeometry g = arguments.geometry();
  const float* dy = arguments.input("dy", {g.patches(), g.channels});
  float* dx = arguments.output("dx", {g.batch, g.inHeight, g.inWidth, g.channels});
  if (imageElements(g) > 0) averagePoolGradient(g, dy, dx);
}

// (ids, columns, segments, x, out)
void sumSegments(KernelArguments& arguments) {
  int64_t rows = 0;
  const int32_t* ids = arguments.indices("ids", rows);
  const int64_t columns = arguments.size("columns");
  const int64_t segments = arguments.size("segments");
  const float* x = arguments.input("x", {rows, columns});
  float* out = arguments.output("out", {segments, columns});
  if (segments * columns > 0) segmentSum(x, ids, rows, columns, segments, out);
}

RationalLayout rationalLayout(KernelArguments& arguments) {
  RationalLayout layout{};
  const int64_t version = arguments.size("version");
  if (version >= rationalVersionCount) arguments.fail(errArgument, "version", "has no such number");
  layout.version = static_cast<RationalVersion>(version);
  layout.rows = arguments.size("rows");
  layout.groups = arguments.size("groups");
  layout.inner = arguments.size("inner");
  const auto coefficients = [&](const char* name) {
    const int64_t count = arguments.size(name);
    if (count < 1 || count > maxRationalCoefficients) arguments.fail(errArgument, name, "must be from 1 to 17");
    return count;
  };
  layout.numeratorSize = coefficients("numeratorSize");
  layout.denominatorSize = coefficients("denominatorSize");
  return layout;
}

// (version, rows, groups, inner, numeratorSize, denominatorSize, x, numerator, denominator, y)
void rationalForward(KernelArguments& arguments) {
  const RationalLayout l = rationalLayout(arguments);
  const float* x = arguments.input("x", {l.rows, l.groups, l.inner});
  const float* numerator = arguments.input("numerator", {l.groups, l.numeratorSize});
  const float* denominator = arguments.input("denominator", {l.groups, l.denominatorSize});
  float* y = arguments.output("y", {l.rows, l.groups, l.inner});
  if (l.rows * l.groups * l.inner > 0) rational(arguments.threads(), l, x, numerator, denominator, y);
}

// (version, rows, groups, inner, numeratorSize, denominatorSize, x, dy, numerator, denominator, dx, dNumerator, dDenominator)
void rationalBackward(KernelArguments& arguments) {
  const RationalLayout l = rationalLayout(arguments);
  const float* x = arguments.input("x", {l.rows, l.groups, l.inner});
  const float* dy = arguments.input("dy", {l.rows, l.groups, l.inner});
  const float* numerator = arguments.input("numerator", {l.groups, l.numeratorSize});
  const float* denominator = arguments.input("denominator", {l.groups, l.denominatorSize});
  float* dx = arguments.output("dx", {l.rows, l.groups, l.inner});
  float* dNumerator = arguments.output("dNumerator", {l.groups, l.numeratorSize});
  float* dDenominator = arguments.output("dDenominator", {l.groups, l.denominatorSize});
  if (l.groups == 0) return;
  rationalGradient(arguments.threads(), l, x, dy, numerator, denominator, dx, dNumerator, dDenominator);
}

struct Kernel {
  const char* name;
  void (*run)(KernelArguments&);
};

// By their names in JavaScript.
const Kernel kernels[] = {
    {"matMul", matMul},
    {"epilogue", finish},
    {"add", add},
    {"columnSum", sumColumns},
    {"conv2d", conv2d},
    {"conv2dFilterGradient", conv2dFilterGradient},
    {"conv2dInputGradient", conv2dInputGradient},
    {"depthwise", depthwiseForward},
    {"depthwiseFilterGradient", depthwiseForFilter},
    {"depthwiseInputGradient", depthwiseForInput},
    {"maxPool", poolForward<maxPool>},
    {"maxPoolGradient", maxPoolBackward},
    {"averagePool", poolForward<averagePool>},
    {"averagePoolGradient", averagePoolBackward},
    {"segmentSum", sumSegments},
    {"rational", rationalForward},
    {"rationalGradient", rationalBackward},
};

Napi::Value call(const Napi::CallbackInfo& info) {
  const Kernel& kernel = *static_cast<const Kernel*>(info.Data());
  KernelArguments arguments(info, kernel.name);
  try {
    kernel.run(arguments);
  } catch (const std::bad_alloc&) {
    arguments.fail(errNoMemory, "workspace", "could not be allocated");
  }
  return info.Env().Undefined();
}

}  // namespace

void registerAccelerate(Napi::Env env, Napi::Object exports) {
  Napi::Object accelerate = Napi::Object::New(env);
  for (const Kernel& kernel : kernels) {
    accelerate.Set(kernel.name, Napi::Function::New(env, call, kernel.name, const_cast<Kernel*>(&kernel)));
  }
  exports.Set("accelerate", accelerate);
}

}  // namespace natgrad
