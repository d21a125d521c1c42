#include "core/eigenRoot.h"

#include <algorithm>
#include <cmath>

#include "core/buffer.h"

namespace natgrad {

template <class S>
Attempt eigenRoot(const Backend& backend, int64_t n, const S* matrix, const DampedMatrix& info, double damping,
                  int32_t p, bool clip, S* out) {
  const Operations<double>& ops = backend.f64;
  Attempt attempt;
  Buffer<double> vectors(n * n);
  Buffer<double> values(n);
  // Without the damping, which is added to the eigenvalues: clipping must see them bare.
  loadLower(n, matrix, info.scale, 0.0, vectors.data());
  const int64_t error = ops.syevd(n, vectors.data(), n, values.data());
  if (error < 0) throw std::bad_alloc();
  if (error > 0) return attempt;
  const double shift = damping * info.scale;
  const double least = (clip ? std::max(values[0], 0.0) : values[0]) + shift;
  const double rootOfScale = std::pow(info.scale, 1.0 / p);
  // An eigenvalue is known no better than to the roundoff of the largest one.
  if (!(least > unitRoundoff<double> * values[n - 1]) || !representable<S>(std::pow(least, -1.0 / p) * rootOfScale)) {
    return attempt;
  }
  // V diag(s) V' = X'X for X with the rows sqrt(s_j) v_j'.
  for (int64_t j = 0; j < n; ++j) {
    const double value = (clip ? std::max(values[j], 0.0) : values[j]) + shift;
    const double weight = std::pow(value, -0.5 / p);
    for (int64_t i = 0; i < n; ++i) vectors[j * n + i] *= weight;
  }
  Buffer<double> product(n * n);
  ops.syrk(true, n, n, 1.0, vectors.data(), n, 0.0, product.data(), n);
  storeSymmetric(operations<S>(backend), n, product.data(), rootOfScale, out);
  attempt.accepted = true;
  attempt.minEigenvalue = least / info.scale;
  return attempt;
}

template Attempt eigenRoot<float>(const Backend&, int64_t, const float*, const DampedMatrix&, double, int32_t, bool,
                                  float*);
template Attempt eigenRoot<double>(const Backend&, int64_t, const double*, const DampedMatrix&, double, int32_t, bool,
                                   double*);

}  // namespace natgrad
