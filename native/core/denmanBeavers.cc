#include <algorithm>
#include <cmath>

#include "core/buffer.h"
#include "core/inverse.h"
#include "core/rootIteration.h"
#include "core/symmetric.h"

namespace natgrad {

namespace {

// |M - I|_F from the lower triangle.
template <class T>
double distanceToIdentity(int64_t n, const T* m) {
  double sum = 0;
  for (int64_t i = 0; i < n; ++i) {
    double row = 0;
    for (int64_t j = 0; j < i; ++j) row += static_cast<double>(m[i * n + j]) * static_cast<double>(m[i * n + j]);
    const double d = static_cast<double>(m[i * n + i]) - 1;
    sum += 2 * row + d * d;
  }
  return std::sqrt(sum);
}

}  // namespace

// Product form of the Denman-Beavers iteration (Cheng, Higham, Kenney and Laub, 2001), with M_0 = A, Y_0 = I:
//   Y <- mu Y (I + (mu^2 M)^-1) / 2,   M <- (I + (mu^2 M + (mu^2 M)^-1) / 2) / 2,   Y -> A^(-1/2), M -> I
// The scaling comes from the interval [l, u] that holds the eigenvalues of M: mu^2 = 1 / sqrt(l u) centres it, and then
// it is mapped to [1, (1 + (a + 1/a) / 2) / 2] with a = l mu^2. So the number of steps is known before the first one,
// and depends on u / l only.
template <class T>
Attempt denmanBeavers(const Operations<T>& ops, int64_t n, T* a, Interval interval, Stop stop) {
  const int64_t limit = stop.maxIterations > 0 ? stop.maxIterations : 40;
  Attempt attempt;
  T* m = a;
  Buffer<T> inverse(n * n);
  Buffer<T> step(n * n);
  Buffer<T> y(n * n);
  Buffer<T> product(n * n);
  double width = interval.upper - interval.lower;
  double low = interval.lower;
  double high = interval.upper;
  for (int64_t k = 0; k < limit; ++k) {
    const double mu2 = 1 / std::sqrt(low * high);
    const double mu = std::sqrt(mu2);
    for (int64_t i = 0; i < n; ++i) std::copy(m + i * n, m + i * n + i + 1, inverse.data() + i * n);
    if (!invertLower(ops, n, inverse.data())) return Attempt();
    const T yInverse = static_cast<T>(0.5 * mu / mu2);
    const T mOld = static_cast<T>(mu2 / 4);
    const T mInverse = static_cast<T>(0.25 / mu2);
    for (int64_t i = 0; i < n; ++i) {
      for (int64_t j = 0; j <= i; ++j) m[i * n + j] = mOld * m[i * n + j] + mInverse * inverse[i * n + j];
      m[i * n + i] += T(0.5);
    }
    Buffer<T>& target = k == 0 ? y : step;
    ops.mirror(n, inverse.data(), n, yInverse, target.data());
    for (int64_t i = 0; i < n; ++i) target[i * n + i] += static_cast<T>(0.5 * mu);
    if (k > 0) {
      // Y and the step are functions of one matrix, so their product is symmetric.
      symmetricProduct(ops, n, y.data(), step.data(), product.data());
      ops.mirror(n, product.data(), n, T(1), product.data());
      y.swap(product);
    }
    const double ratio = low * mu2;
    low = 1;
    high = 0.5 + 0.25 * (ratio + 1 / ratio);
    width = high - low;
    ++attempt.iterations;
    if (width < stop.tolerance) break;
  }
  // Were an eigenvalue outside the interval, M would be further from the identity than the interval is wide.
  const double distance = distanceToIdentity(n, m);
  const double size = std::sqrt(static_cast<double>(n));
  const double slack = sizeof(T) == 4 ? 1e-2 : 1e-6;
  attempt.residual = distance / size;
  attempt.converged = width < stop.tolerance;
  attempt.accepted = distance <= size * width + slack;
  std::copy(y.data(), y.data() + n * n, a);
  return attempt;
}

template Attempt denmanBeavers<float>(const Operations<float>&, int64_t, float*, Interval, Stop);
template Attempt denmanBeavers<double>(const Operations<double>&, int64_t, double*, Interval, Stop);

}  // namespace natgrad
