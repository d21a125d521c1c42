#include <string>
#include <tuple>
#include <utility>

#include "node/jobParsers.h"

namespace natgrad {

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
      job.complain(
          errArgument, transposedName,
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
  const bool split = job.optional("outLast") != nullptr;
  if (split && (result.rows == 0 || result.count != 1)) {
    job.complain(errShape, "outLast", " goes with a single product of at least one row");
  }
  result.left = job.input<T>("left", job.elements("left", {result.count, result.rows, result.inner}));
  result.right = job.input<T>("right", job.elements("right", {result.count, result.inner, result.columns}));
  const int64_t together = result.rows - (split ? 1 : 0);
  result.out = job.output<T>("out", job.elements("out", {result.count, together, result.columns}));
  if (split) result.outLast = job.output<T>("outLast", result.columns);
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

#define NATGRAD_INSTANTIATE(T)                       \
  template TypedJob<T> parseKronecker<T>(Fields&);   \
  template TypedJob<T> parseProduct<T>(Fields&);     \
  template TypedJob<T> parseScale<T>(Fields&);       \
  template TypedJob<T> parseElementwise<T>(Fields&); \
  template TypedJob<T> parseDot<T>(Fields&);         \
  template TypedJob<T> parseUpdate<T>(Fields&);      \
  template TypedJob<T> parseCombine<T>(Fields&);
NATGRAD_INSTANTIATE(float)
NATGRAD_INSTANTIATE(double)
#undef NATGRAD_INSTANTIATE

}  // namespace natgrad
