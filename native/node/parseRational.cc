#include <string>
#include <tuple>
#include <utility>

#include "core/rational.h"
#include "node/jobParsers.h"

namespace natgrad {

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
      fields.complain(errShape, "activation",
                      " has " + std::to_string(length) +
                          " elements, which are not so many of groups times inner for each of " +
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

#define NATGRAD_INSTANTIATE(T) template TypedJob<T> parseRationalFactor<T>(Fields&);
NATGRAD_INSTANTIATE(float)
NATGRAD_INSTANTIATE(double)
#undef NATGRAD_INSTANTIATE

}  // namespace natgrad
