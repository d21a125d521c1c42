#include <string>
#include <tuple>
#include <utility>

#include "node/jobParsers.h"

namespace natgrad {

namespace {

template <class T>
Damped<T> parseDamped(Fields& job) {
  Damped<T> result{};
  result.damping = job.nonNegative("damping");
  result.relative = job.optionalFlag("relative");
  if (!job.optional("partner")) return result;
  if (result.relative) job.complain(errArgument, "partner", " has no meaning for relative damping");
  Fields partner = job.part("partner");
  result.partnerDiagonal = partner.optionalFlag("diagonal");
  result.partnerSize = partner.integer("size", 1, result.partnerDiagonal ? maxLength : maxMatrixSize);
  result.partner =
      partner.input<T>("matrix", result.partnerDiagonal ? result.partnerSize : result.partnerSize * result.partnerSize);
  return result;
}

}  // namespace

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
  if (job.optional("start")) {
    if (result.count != 1) {
      job.complain(errArgument, "start", " goes with one matrix, but count is " + std::to_string(result.count));
    }
    result.start = job.input<T>("start", length);
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
  static constexpr std::pair<const char*, RootMethod> methods[] = {
      {"auto", RootMethod::automatic},
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
  if (p != 1 && p != 2 && p != 4) {
    job.complain(errArgument, "p", " must be 1, 2 or 4, got " + describe(job.env(), job.get("p")));
  }
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

#define NATGRAD_INSTANTIATE(T)                           \
  template TypedJob<T> parseInverse<T>(Fields&);         \
  template TypedJob<T> parseDiagonalInverse<T>(Fields&); \
  template TypedJob<T> parseInverseRoot<T>(Fields&);     \
  template TypedJob<T> parseEigh<T>(Fields&);
NATGRAD_INSTANTIATE(float)
NATGRAD_INSTANTIATE(double)
#undef NATGRAD_INSTANTIATE

}  // namespace natgrad
