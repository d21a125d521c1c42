#include "core/elementwise.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/buffer.h"
#include "core/damping.h"

namespace natgrad {

template <class T>
Report compute(const Backend& backend, const ScaleJob<T>& job) {
  Report report;
  report.dot = operations<T>(backend).scale(job.diagonal, job.input, job.out, job.size);
  return report;
}

template <class T>
Report compute(const Backend& backend, const UpdateJob<T>& job) {
  operations<T>(backend).update(job.weights, job.direction, job.velocity, job.size, job.momentum, job.step, job.shrink);
  return Report();
}

template <class T>
Report compute(const Backend& backend, const CombineJob<T>& job) {
  const int64_t terms = static_cast<int64_t>(job.terms.size());
  Buffer<const T*> data(terms);
  Buffer<double> scales(terms);
  for (int64_t t = 0; t < terms; ++t) {
    data[t] = job.terms[static_cast<size_t>(t)].data;
    scales[t] = job.terms[static_cast<size_t>(t)].scale;
  }
  operations<T>(backend).combine(terms, data.data(), scales.data(), job.out, job.size);
  return Report();
}

template <class T>
Report compute(const Backend& backend, const ElementwiseJob<T>& job) {
  const Operations<T>& ops = operations<T>(backend);
  const auto pass = job.how == Elementwise::multiply ? ops.multiply : ops.divide;
  Report report;
  report.dot = pass(job.left, job.right, static_cast<T>(job.offset), job.out, job.size);
  return report;
}

template <class T>
Report compute(const Backend& backend, const DotJob<T>& job) {
  Report report;
  report.dot = operations<T>(backend).dot(job.left, job.right, job.size);
  return report;
}

template <class T>
Report compute(const Backend& backend, const DiagonalInverseJob<T>& job) {
  if (operations<T>(backend).firstNonFinite(job.diagonal, job.size) >= 0) return failure(Status::notFinite);
  Report report;
  double trace = 0;
  double least = std::numeric_limits<double>::infinity();
  for (int64_t i = 0; i < job.size; ++i) {
    const double x = static_cast<double>(job.diagonal[i]);
    trace += x;
    least = std::min(least, x);
  }
  report.damping = resolveDamping(job.damped, trace, job.size);
  if (job.size > 0) report.minEigenvalue = least + report.damping;
  if (!(least + report.damping > 0)) {
    report.status = Status::notPositiveDefinite;
    report.converged = false;
    return report;
  }
  for (int64_t i = 0; i < job.size; ++i) {
    job.out[i] = static_cast<T>(1 / (static_cast<double>(job.diagonal[i]) + report.damping));
  }
  return report;
}

#define NATGRAD_INSTANTIATE(T)                                          \
  template Report compute<T>(const Backend&, const ScaleJob<T>&);       \
  template Report compute<T>(const Backend&, const UpdateJob<T>&);      \
  template Report compute<T>(const Backend&, const CombineJob<T>&);     \
  template Report compute<T>(const Backend&, const ElementwiseJob<T>&); \
  template Report compute<T>(const Backend&, const DotJob<T>&);         \
  template Report compute<T>(const Backend&, const DiagonalInverseJob<T>&);
NATGRAD_INSTANTIATE(float)
NATGRAD_INSTANTIATE(double)
#undef NATGRAD_INSTANTIATE

}  // namespace natgrad
