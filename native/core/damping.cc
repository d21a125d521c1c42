#include "core/damping.h"

#include <cmath>
#include <limits>

namespace natgrad {

double resolveDamping(double damping, bool relative, double mean, const double* partnerMean) {
  if (relative) return damping * (mean > 0 && std::isfinite(mean) ? mean : 1.0);
  if (partnerMean == nullptr) return damping;
  const bool usable = mean > 0 && *partnerMean > 0 && std::isfinite(mean) && std::isfinite(*partnerMean);
  return std::sqrt(damping) * (usable ? std::sqrt(mean / *partnerMean) : 1.0);
}

template <class T>
double resolveDamping(const Damped<T>& damped, double trace, int64_t size) {
  const double mean = trace / static_cast<double>(size);
  if (damped.partner == nullptr) return resolveDamping(damped.damping, damped.relative, mean, nullptr);
  double partnerTrace = 0;
  const int64_t step = damped.partnerDiagonal ? 1 : damped.partnerSize + 1;
  for (int64_t i = 0; i < damped.partnerSize; ++i) partnerTrace += static_cast<double>(damped.partner[i * step]);
  const double partnerMean = partnerTrace / static_cast<double>(damped.partnerSize);
  return resolveDamping(damped.damping, damped.relative, mean, &partnerMean);
}

template <class T>
double dampingFloor(double upper) {
  constexpr double unitRoundoff = static_cast<double>(std::numeric_limits<T>::epsilon()) / 2;
  return 10 * unitRoundoff * upper;
}

template double resolveDamping<float>(const Damped<float>&, double, int64_t);
template double resolveDamping<double>(const Damped<double>&, double, int64_t);
template double dampingFloor<float>(double);
template double dampingFloor<double>(double);

}  // namespace natgrad
