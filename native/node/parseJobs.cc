#include "node/parseJobs.h"

#include <array>
#include <tuple>
#include <utility>

#include "core/rational.h"
#include "core/rows.h"
#include "node/fields.h"

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
    const int64_t stride = fields.integer(strideName, 1, maxLength), dilation = fields.integer(dilationName, 1, maxLength);
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
TypedJob<T> parseScores(Fields& job) {
  ScoresJob<T> result{};
  result.homogeneous = job.flag("homogeneous");
  result.examples = job.integer("examples", 0, maxLength);
  result.scale = job.number("scale");
  result.keep = job.number("keep");
  Fields activation = job.part("activation");
  result.activation = parseRows<T>(activation);
  const int64_t rows = rowCount(result.activation);
  Fields gradient = job.part("outputGradient");
  const int64_t gradientRows = gradient.integer("rows", 0, maxLength);
  result.outputs = gradient.integer("columns", 0, maxLength);
  const int64_t length = gradient.elements("data", {gradientRows, result.outputs});
  result.outputGradient = gradient.array<T>("data", length, Mode::copied).first;
  if (gradientRows != rows) {
    gradient.complain(errShape, nullptr, " has " + std::to_string(gradientRows) + " rows, but " + activation.path() +
                                             " has " + std::to_string(rows));
  }
  if (result.examples == 0 ? rows != 0 : rows % result.examples != 0) {
    activation.complain(errShape, nullptr, " has " + std::to_string(rows) + " rows, which " +
                                               std::to_string(result.examples) + " examples cannot share evenly");
  }
  const int64_t size = columnCount(result.activation) + (result.homogeneous ? 1 : 0);
  result.out = job.output<T>("out", job.elements("out", {result.examples, size, result.outputs}));
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
                              ", which is not in the range of the " + std::to_string(result.size) + " elements of the factor");
        }
      }
    } else {
      input.rows = fields.integer("rows", 0, maxLength);
      const int64_t columns = fields.integer("columns", 0, maxLength);
      if (columns != result.size) {
        fields.complain(errShape, nullptr, " has " + std::to_string(columns) + " columns, but the factor has " +
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
Damped<T> parseDamped(Fields& job) {
  Damped<T> result{};
  result.damping = job.nonNegative("damping");
  if (!job.optional("partner")) return result;
  Fields partner = job.part("partner");
  result.partnerDiagonal = partner.optionalFlag("diagonal");
  result.partnerSize = partner.integer("size", 1, result.partnerDiagonal ? maxLength : maxMatrixSize);
  result.partner =
      partner.input<T>("matrix", result.partnerDiagonal ? result.partnerSize : result.partnerSize * result.partnerSize);
  return result;
}

template <class T>
TypedJob<T> parseInverse(Fields& job) {
  InverseJob<T> result{};
  result.size = job.matrixSize("size");
  result.count = job.stackCount("count");
  const int64_t length = job.elements("matrix", {result.count, result.size, result.size});
  result.matrix = job.input<T>("matrix", length);
  result.damped = parseDamped<T>(job);
  if (result.count != 1 && result.damped.partner) {
    job.complain(errArgument, "partner", " goes with one matrix, but count is " + std::to_string(result.count));
  }
  result.out = job.output<T>("out", length);
  return result;
}

template <class T>
TypedJob<T> parseDiagonalInverse(Fields& job) {
  DiagonalInverseJob<T> result{};
  std::tie(result.diagonal, result.size) = job.array<T>("diagonal", -1, Mode::read);
  result.damped = parseDamped<T>(job);
  result.out = job.output<T>("out", result.size);
  return result;
}

template <class T>
TypedJob<T> parseInverseRoot(Fields& job) {
  static constexpr std::pair<const char*, RootMethod> methods[] = {{"auto", RootMethod::automatic},
                                                                   {"denmanBeavers", RootMethod::denmanBeavers},
                                                                   {"eigen", RootMethod::eigen},
                                                                   {"newtonSchulzMinimax", RootMethod::newtonSchulzMinimax},
                                                                   {"newtonSchulz", RootMethod::newtonSchulz},
                                                                   {"coupledNewton", RootMethod::coupledNewton},
                                                                   {"contour", RootMethod::contour}};
  InverseRootJob<T> result{};
  result.size = job.matrixSize("size");
  result.matrix = job.input<T>("matrix", result.size * result.size);
  result.damped = parseDamped<T>(job);
  const double p = readNumber(job.env(), job.get("p"), job.at("p"));
  if (p != 1 && p != 2 && p != 4) job.complain(errArgument, "p", " must be 1, 2 or 4, got " + std::to_string(p));
  result.p = static_cast<int32_t>(p);
  result.method = job.choice("method", methods);
  result.tolerance = job.nonNegative("tolerance");
  result.maxIterations = job.integer("maxIterations", 0, maxLength);
  result.out = job.output<T>("out", result.size * result.size);
  return result;
}

template <class T>
TypedJob<T> parseEigh(Fields& job) {
  EighJob<T> result{};
  result.size = job.matrixSize("size");
  result.matrix = job.input<T>("matrix", result.size * result.size);
  result.values = job.output<T>("values", result.size);
  result.vectors = job.output<T>("vectors", result.size * result.size);
  return result;
}

template <class T>
TypedJob<T> parseKronecker(Fields& job) {
  static constexpr std::pair<const char*, MatrixForm> forms[] = {
      {"full", MatrixForm::full}, {"lower", MatrixForm::lower}, {"diagonal", MatrixForm::diagonal}};
  KroneckerJob<T> result{};
  const auto side = [&](const char* formName, const char* sizeName, const char* name, const char* transposedName,
                        MatrixForm& form, int64_t& size, const T*& matrix, bool& transposed) {
    form = job.choice(formName, forms);
    const bool diagonal = form == MatrixForm::diagonal;
    size = job.integer(sizeName, 0, diagonal ? maxLength : maxMatrixSize);
    matrix = job.input<T>(name, diagonal ? size : size * size);
    transposed = job.optionalFlag(transposedName);
    if (transposed && form != MatrixForm::full) {
      job.complain(errArgument, transposedName,
                   std::string(" goes with a full matrix, but ") + formName + " is '" + (diagonal ? "diagonal'" : "lower'"));
    }
  };
  side("leftForm", "leftSize", "left", "leftTransposed", result.leftForm, result.leftSize, result.left,
       result.leftTransposed);
  side("rightForm", "rightSize", "right", "rightTransposed", result.rightForm, result.rightSize, result.right,
       result.rightTransposed);

  const bool split = job.optional("inputLast") != nullptr;
  if (split != (job.optional("outLast") != nullptr)) {
    job.complain(errArgument, "outLast", " must be given exactly when inputLast is");
  }
  if (split && result.leftSize == 0) job.complain(errShape, "inputLast", " is a row of V, but leftSize is 0");
  const int64_t length = job.elements("input", {result.leftSize - (split ? 1 : 0), result.rightSize});
  result.input = job.input<T>("input", length);
  result.out = job.output<T>("out", length);
  if (split) {
    result.inputLast = job.input<T>("inputLast", result.rightSize);
    result.outLast = job.output<T>("outLast", result.rightSize);
  }
  return result;
}

template <class T>
TypedJob<T> parseScale(Fields& job) {
  ScaleJob<T> result{};
  std::tie(result.diagonal, result.size) = job.array<T>("diagonal", -1, Mode::read);
  result.input = job.input<T>("input", result.size);
  result.out = job.output<T>("out", result.size);
  return result;
}

template <class T>
TypedJob<T> parseUpdate(Fields& job) {
  UpdateJob<T> result{};
  std::tie(result.weights, result.size) = job.array<T>("weights", -1, Mode::write);
  result.direction = job.input<T>("direction", result.size);
  if (job.optional("velocity")) result.velocity = job.output<T>("velocity", result.size);
  result.momentum = job.number("momentum");
  result.step = job.number("step");
  result.shrink = job.number("shrink");
  return result;
}

template <class T>
TypedJob<T> parseCombine(Fields& job) {
  CombineJob<T> result{};
  std::tie(result.out, result.size) = job.array<T>("out", -1, Mode::write);
  job.each("terms", [&](Fields& fields) {
    CombineTerm<T> term{};
    term.data = fields.array<T>("data", result.size, Mode::inPlace).first;
    term.scale = fields.number("scale");
    result.terms.push_back(term);
  });
  return result;
}

template <class T>
TypedJob<T> parseProduct(Fields& job) {
  ProductJob<T> result{};
  result.rows = job.integer("rows", 0, maxLength);
  result.inner = job.integer("inner", 0, maxLength);
  result.columns = job.integer("columns", 0, maxLength);
  result.transposeLeft = job.optionalFlag("transposeLeft");
  result.transposeRight = job.optionalFlag("transposeRight");
  result.count = job.stackCount("count");
  result.scale = job.number("scale");
  result.keep = job.number("keep");
  result.left = job.input<T>("left", job.elements("left", {result.count, result.rows, result.inner}));
  result.right = job.input<T>("right", job.elements("right", {result.count, result.inner, result.columns}));
  result.out = job.output<T>("out", job.elements("out", {result.count, result.rows, result.columns}));
  return result;
}

template <class T>
TypedJob<T> parseElementwise(Fields& job) {
  static constexpr std::pair<const char*, Elementwise> hows[] = {{"multiply", Elementwise::multiply},
                                                                 {"divide", Elementwise::divide}};
  ElementwiseJob<T> result{};
  result.how = job.choice("how", hows);
  std::tie(result.left, result.size) = job.array<T>("left", -1, Mode::inPlace);
  result.right = job.array<T>("right", result.size, Mode::inPlace).first;
  result.offset = job.number("offset");
  result.out = job.output<T>("out", result.size);
  return result;
}

template <class T>
TypedJob<T> parseDot(Fields& job) {
  DotJob<T> result{};
  std::tie(result.left, result.size) = job.array<T>("left", -1, Mode::read);
  result.right = job.input<T>("right", result.size);
  return result;
}

template <class T>
TypedJob<T> parseRationalFactor(Fields& job) {
  static constexpr std::pair<const char*, RationalVersion> versions[] = {
      {"A", RationalVersion::a}, {"B", RationalVersion::b}, {"C", RationalVersion::c},
      {"D", RationalVersion::d}, {"N", RationalVersion::n}, {"boulle", RationalVersion::boulle}};
  RationalFactorJob<T> result{};
  RationalLayout& layout = result.layout;
  layout.version = job.choice("version", versions);
  layout.groups = job.integer("groups", 1, maxLength);
  layout.inner = job.integer("inner", 1, maxLength);
  layout.numeratorSize = job.integer("numeratorSize", 1, maxRationalCoefficients);
  layout.denominatorSize = job.integer("denominatorSize", 1, maxRationalCoefficients);
  result.examples = job.integer("examples", 1, maxLength);
  result.decay = job.number("decay");
  result.scale = job.number("scale");
  result.factors = job.output<T>("factors", layout.groups * layout.size() * layout.size());
  const int64_t period = layout.groups * layout.inner;  // < 2^62
  job.each("inputs", [&](Fields& fields) {
    RationalInput<T> input{};
    int64_t length = 0;
    std::tie(input.activation, length) = fields.array<T>("activation", -1, Mode::copied);
    input.rows = length / period;
    if (length % period != 0 || input.rows % result.examples != 0) {
      fields.complain(errShape, "activation", " has " + std::to_string(length) + " elements, which are not so many of groups times inner for each of " +
                                                  std::to_string(result.examples) + " examples");
    }
    input.gradient = fields.array<T>("gradient", length, Mode::copied).first;
    input.numerator = fields.array<T>("numerator", layout.groups * layout.numeratorSize, Mode::copied).first;
    input.denominator = fields.array<T>("denominator", layout.groups * layout.denominatorSize, Mode::copied).first;
    if (fields.optional("noise")) {
      input.noise = fields.array<T>("noise", layout.groups * layout.size(), Mode::copied).first;
    }
    result.inputs.push_back(input);
  });
  return result;
}

// How a kind of job is read, and which of its arrays decides its dtype.
struct Kind {
  const char* decisive;
  TypedJob<float> (*parse32)(Fields&);
  TypedJob<double> (*parse64)(Fields&);
};

Job parseJob(Fields job) {
  static constexpr std::pair<const char*, Kind> kinds[] = {
      {"factor", {"factor", parseFactor<float>, parseFactor<double>}},
      {"diagonalFactor", {"factor", parseDiagonalFactor<float>, parseDiagonalFactor<double>}},
      {"inverse", {"matrix", parseInverse<float>, parseInverse<double>}},
      {"diagonalInverse", {"diagonal", parseDiagonalInverse<float>, parseDiagonalInverse<double>}},
      {"inverseRoot", {"matrix", parseInverseRoot<float>, parseInverseRoot<double>}},
      {"eigh", {"matrix", parseEigh<float>, parseEigh<double>}},
      {"kronecker", {"left", parseKronecker<float>, parseKronecker<double>}},
      {"scale", {"diagonal", parseScale<float>, parseScale<double>}},
      {"update", {"weights", parseUpdate<float>, parseUpdate<double>}},
      {"combine", {"out", parseCombine<float>, parseCombine<double>}},
      {"product", {"left", parseProduct<float>, parseProduct<double>}},
      {"elementwise", {"left", parseElementwise<float>, parseElementwise<double>}},
      {"dot", {"left", parseDot<float>, parseDot<double>}},
      {"scores", {"out", parseScores<float>, parseScores<double>}},
      {"unitFactors", {"factors", parseUnitFactors<float>, parseUnitFactors<double>}},
      {"rationalFactor", {"factors", parseRationalFactor<float>, parseRationalFactor<double>}}};
  const Kind kind = job.choice("op", kinds);
  if (job.isFloat64(kind.decisive)) return kind.parse64(job);
  return kind.parse32(job);
}

}  // namespace

Work parseWork(Napi::Env env, napi_value phases) {
  Work work;
  const uint32_t phaseCount = readLength(env, phases, [] { return std::string("phases"); });
  for (uint32_t p = 0; p < phaseCount; p++) {
    napi_value jobs = nullptr;
    check(env, napi_get_element(env, phases, p, &jobs));
    const uint32_t count = readLength(env, jobs, [p] { return "phases[" + std::to_string(p) + "]"; });
    std::vector<Access> accesses;
    Phase phase;
    for (uint32_t j = 0; j < count; j++) {
      napi_value job = nullptr;
      check(env, napi_get_element(env, jobs, j, &job));
      Place place;
      place.phase = p;
      place.job = j;
      phase.push_back(parseJob(Fields(env, job, place, work, accesses)));
    }
    checkOverlaps(env, accesses);
    work.phases.push_back(std::move(phase));
    work.accesses.insert(work.accesses.end(), accesses.begin(), accesses.end());
  }
  // A getter among the jobs may have detached a buffer after it was looked at; from here on no JavaScript runs.
  for (napi_value buffer : work.buffers) {
    bool detached = false;
    check(env, napi_is_detached_arraybuffer(env, buffer, &detached));
    if (detached) fail(env, errBuffer, "phases: an ArrayBuffer was detached while its job was read");
  }
  return work;
}

}  // namespace natgrad
