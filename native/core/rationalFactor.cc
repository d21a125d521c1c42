#include <algorithm>

#include "core/backend.h"
#include "core/rational.h"
#include "core/rationalFunction.h"

namespace natgrad {

template <class T>
Report compute(const Backend& backend, const RationalFactorJob<T>& job) {
  Report report;
  std::vector<rationals::Coefficients<T>> coefficients;
  const auto isFinite = [&](const T* data, int64_t size) {
    return operations<T>(backend).firstNonFinite(data, size) < 0;
  };
  const int64_t period = job.layout.groups * job.layout.inner, size = job.layout.size();
  for (const RationalInput<T>& input : job.inputs) {
    if (!isFinite(input.activation, input.rows * period) || !isFinite(input.gradient, input.rows * period)) {
      report.status = Status::notFinite;
      report.converged = false;
      return report;
    }
    coefficients.emplace_back(job.layout, input.numerator, input.denominator, input.noise);
  }
  const int64_t all = job.layout.groups * size;
  std::vector<double> score(static_cast<size_t>(all)), ofInput(static_cast<size_t>(all));
  std::vector<double> moments(static_cast<size_t>(all * size), 0.0);
  for (int64_t example = 0; example < job.examples; ++example) {
    std::fill(score.begin(), score.end(), 0.0);
    for (size_t i = 0; i < job.inputs.size(); ++i) {
      const RationalInput<T>& input = job.inputs[i];
      const int64_t rows = input.rows / job.examples;
      std::fill(ofInput.begin(), ofInput.end(), 0.0);
      rationals::differentiate<T>(job.layout, coefficients[i], example * rows, (example + 1) * rows, input.activation,
                                  input.gradient, nullptr, ofInput.data());
      for (int64_t k = 0; k < all; ++k) {
        const double noise = input.noise == nullptr ? 1 : static_cast<double>(input.noise[k]);
        score[static_cast<size_t>(k)] += noise * ofInput[static_cast<size_t>(k)];
      }
    }
    for (int64_t g = 0; g < job.layout.groups; ++g) {
      const double* s = score.data() + g * size;
      double* moment = moments.data() + g * size * size;
      for (int64_t i = 0; i < size; ++i) {
        for (int64_t j = 0; j <= i; ++j) moment[i * size + j] += s[i] * s[j];
      }
    }
  }
  for (int64_t g = 0; g < job.layout.groups; ++g) {
    for (int64_t i = 0; i < size; ++i) {
      for (int64_t j = 0; j <= i; ++j) {
        const int64_t at = (g * size + i) * size + j;
        const double old = job.decay == 0 ? 0 : job.decay * static_cast<double>(job.factors[at]);
        job.factors[at] = static_cast<T>(old + job.scale * moments[static_cast<size_t>(at)]);
      }
    }
  }
  return report;
}

template Report compute<float>(const Backend&, const RationalFactorJob<float>&);
template Report compute<double>(const Backend&, const RationalFactorJob<double>&);

}  // namespace natgrad
