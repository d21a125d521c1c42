#include <algorithm>
#include <array>
#include <string>
#include <tuple>

#include "core/rows.h"
#include "node/jobParsers.h"

namespace natgrad {

namespace {

ConvGeometry parseGeometry(Fields& input) {
  const Fields fields = input.part("geometry");
  ConvGeometry g{};
  g.batch = fields.integer("batch", 0, maxLength);
  g.channels = fields.integer("channels", 1, maxLength);
  double image = static_cast<double>(g.batch) * static_cast<double>(g.channels);
  double patch = static_cast<double>(g.channels);
  double patches = static_cast<double>(g.batch);
  const auto axis = [&](const char* inName, const char* kernelName, const char* strideName, const char* dilationName,
                        const char* padName, const char* outName) {
    const int64_t in = fields.integer(inName, 1, maxLength), kernel = fields.integer(kernelName, 1, maxLength);
    const int64_t stride = fields.integer(strideName, 1, maxLength),
                  dilation = fields.integer(dilationName, 1, maxLength);
    const int64_t pad = fields.integer(padName, 0, maxLength), out = fields.integer(outName, 1, maxLength);
    const int64_t extent = (kernel - 1) * dilation + 1;  // < 2^62: both factors are below 2^31
    // What pads the far side is not told; a whole input's length of it is taken for a mistake.
    if ((out - 1) * stride - pad >= 2 * in + extent) {
      fields.complain(errShape, outName,
                      " is " + std::to_string(out) + ", which puts patches far beyond the input; use conv2dGeometry");
    }
    image *= static_cast<double>(in);
    patch *= static_cast<double>(kernel);
    patches *= static_cast<double>(out);
    return std::array<int64_t, 6>{in, kernel, stride, dilation, pad, out};
  };
  const auto [inHeight, kernelHeight, strideHeight, dilationHeight, padTop, outHeight] =
      axis("inHeight", "kernelHeight", "strideHeight", "dilationHeight", "padTop", "outHeight");
  const auto [inWidth, kernelWidth, strideWidth, dilationWidth, padLeft, outWidth] =
      axis("inWidth", "kernelWidth", "strideWidth", "dilationWidth", "padLeft", "outWidth");
  constexpr double exact = 9007199254740991.0;
  if (patches > static_cast<double>(maxLength) || patch > static_cast<double>(maxLength) || image > exact) {
    input.complain(errShape, "geometry",
                   " describes more than " + std::to_string(maxLength) + " patches or elements of a patch");
  }
  g.inHeight = inHeight;
  g.inWidth = inWidth;
  g.kernelHeight = kernelHeight;
  g.kernelWidth = kernelWidth;
  g.strideHeight = strideHeight;
  g.strideWidth = strideWidth;
  g.dilationHeight = dilationHeight;
  g.dilationWidth = dilationWidth;
  g.padTop = padTop;
  g.padLeft = padLeft;
  g.outHeight = outHeight;
  g.outWidth = outWidth;
  return g;
}

template <class T>
Rows<T> parseRows(Fields& fields) {
  Rows<T> x{};
  x.patches = fields.optional("geometry") != nullptr;
  if (x.patches) {
    x.geometry = parseGeometry(fields);
    const ConvGeometry& g = x.geometry;
    x.data = fields.array<T>("data", g.batch * g.inHeight * g.inWidth * g.channels, Mode::copied).first;
  } else {
    x.rows = fields.integer("rows", 0, maxLength);
    x.columns = fields.integer("columns", 0, maxLength);
    x.data = fields.array<T>("data", fields.elements("data", {x.rows, x.columns}), Mode::copied).first;
  }
  return x;
}

template <class T>
void checkSize(const Fields& input, const Rows<T>& x, bool homogeneous, int64_t size) {
  const int64_t columns = columnCount(x);
  if (columns + (homogeneous ? 1 : 0) == size) return;
  input.complain(errShape, nullptr,
                 " has " + std::to_string(columns) + " columns" + (homogeneous ? " and a 1 appended" : "") +
                     ", but the job's size is " + std::to_string(size));
}

// What the jobs that make scores have in common.
template <class T, class J>
void parseScored(Fields& job, J& result) {
  result.homogeneous = job.flag("homogeneous");
  result.examples = job.integer("examples", 0, maxLength);
  result.scale = job.number("scale");
  Fields activation = job.part("activation");
  result.activation = parseRows<T>(activation);
  const int64_t rows = rowCount(result.activation);
  Fields gradient = job.part("outputGradient");
  const int64_t gradientRows = gradient.integer("rows", 0, maxLength);
  result.outputs = gradient.integer("columns", 0, maxLength);
  const int64_t length = gradient.elements("data", {gradientRows, result.outputs});
  result.outputGradient = gradient.array<T>("data", length, Mode::copied).first;
  if (gradientRows != rows) {
    gradient.complain(
        errShape, nullptr,
        " has " + std::to_string(gradientRows) + " rows, but " + activation.path() + " has " + std::to_string(rows));
  }
  if (result.examples == 0 ? rows != 0 : rows % result.examples != 0) {
    activation.complain(errShape, nullptr,
                        " has " + std::to_string(rows) + " rows, which " + std::to_string(result.examples) +
                            " examples cannot share evenly");
  }
}

}  // namespace

template <class T>
TypedJob<T> parseFactor(Fields& job) {
  FactorJob<T> result{};
  result.homogeneous = job.flag("homogeneous");
  result.decay = job.number("decay");
  result.size = job.matrixSize("size");
  result.factor = job.output<T>("factor", result.size * result.size);
  job.each("inputs", [&](Fields& fields) {
    const double scale = fields.number("scale");
    const Rows<T> x = parseRows<T>(fields);
    checkSize(fields, x, result.homogeneous, result.size);
    result.inputs.push_back({x, scale});
  });
  return result;
}

template <class T>
TypedJob<T> parseUnitFactors(Fields& job) {
  UnitFactorsJob<T> result{};
  result.homogeneous = job.flag("homogeneous");
  result.decay = job.number("decay");
  result.size = job.matrixSize("size");
  result.count = job.integer("count", 0, maxLength);
  result.factors = job.output<T>("factors", job.elements("factors", {result.count, result.size, result.size}));
  job.each("inputs", [&](Fields& fields) {
    const double scale = fields.number("scale");
    const Rows<T> x = parseRows<T>(fields);
    checkSize(fields, x, result.homogeneous, result.size);
    const int64_t length = fields.elements("gradients", {rowCount(x), result.count});
    result.inputs.push_back({x, scale, fields.array<T>("gradients", length, Mode::copied).first});
  });
  return result;
}

template <class T>
TypedJob<T> parseDiagonalFactor(Fields& job) {
  DiagonalFactorJob<T> result{};
  result.decay = job.number("decay");
  std::tie(result.factor, result.size) = job.array<T>("factor", -1, Mode::write);
  job.each("inputs", [&](Fields& fields) {
    DiagonalFactorInput<T> input{};
    input.scale = fields.number("scale");
    if (fields.optional("indices")) {
      std::tie(input.indices, input.rows) = fields.array<int32_t>("indices", -1, Mode::copied);
      for (int64_t i = 0; i < input.rows; i++) {
        if (input.indices[i] < 0 || input.indices[i] >= result.size) {
          fields.complain(errArgument, "indices",
                          "[" + std::to_string(i) + "] is " + std::to_string(input.indices[i]) +
                              ", which is not in the range of the " + std::to_string(result.size) +
                              " elements of the factor");
        }
      }
    } else {
      input.rows = fields.integer("rows", 0, maxLength);
      const int64_t columns = fields.integer("columns", 0, maxLength);
      if (columns != result.size) {
        fields.complain(errShape, nullptr,
                        " has " + std::to_string(columns) + " columns, but the factor has " +
                            std::to_string(result.size) + " elements");
      }
      input.data = fields.array<T>("data", fields.elements("data", {input.rows, columns}), Mode::copied).first;
      if (result.size == 0) input.rows = 0;  // data may be null, which would mean indices
    }
    result.inputs.push_back(input);
  });
  return result;
}

template <class T>
TypedJob<T> parseScores(Fields& job) {
  ScoresJob<T> result{};
  parseScored<T>(job, result);
  result.keep = job.number("keep");
  const int64_t size = columnCount(result.activation) + (result.homogeneous ? 1 : 0);
  result.out = job.output<T>("out", job.elements("out", {result.examples, size, result.outputs}));
  return result;
}

template <class T>
TypedJob<T> parseLowRankScores(Fields& job) {
  LowRankScoresJob<T> result{};
  parseScored<T>(job, result);
  const int64_t size = columnCount(result.activation) + (result.homogeneous ? 1 : 0);
  result.rank = job.integer("rank", 0, maxLength);
  if (result.rank > std::min(size, result.outputs)) {
    job.complain(errArgument, "rank",
                 " is " + std::to_string(result.rank) + ", more than a score of " + std::to_string(size) + " by " +
                     std::to_string(result.outputs) + " can have");
  }
  result.left = job.output<T>("left", job.elements("left", {result.examples, result.rank, size}));
  result.right = job.output<T>("right", job.elements("right", {result.examples, result.rank, result.outputs}));
  return result;
}

#define NATGRAD_INSTANTIATE(T)                          \
  template TypedJob<T> parseFactor<T>(Fields&);         \
  template TypedJob<T> parseUnitFactors<T>(Fields&);    \
  template TypedJob<T> parseDiagonalFactor<T>(Fields&); \
  template TypedJob<T> parseScores<T>(Fields&);         \
  template TypedJob<T> parseLowRankScores<T>(Fields&);
NATGRAD_INSTANTIATE(float)
NATGRAD_INSTANTIATE(double)
#undef NATGRAD_INSTANTIATE

}  // namespace natgrad
