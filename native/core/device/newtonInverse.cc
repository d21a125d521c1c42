#include "core/device/newtonInverse.h"

#include <cmath>

#include "core/device/examination.h"
#include "core/inverseLimits.h"
#include "core/newtonInverseSchedule.h"

namespace natgrad {

namespace {

// out = alpha (in + shift I), both triangles of a matrix given by its lower one.
template <class S, class T>
void mirrorOne(const Queue& queue, int64_t n, const S* in, T* out, double alpha, double shift) {
  Parameters parameters(queue);
  const size_t from = parameters.add(std::vector<const S*>{in}), to = parameters.add(std::vector<T*>{out});
  const size_t alphas = parameters.add(std::vector<double>{alpha}), shifts = parameters.add(std::vector<double>{shift});
  parameters.send();
  queue.call(deviceConversions<S, T>(queue.backend()).mirror, n, 1, parameters.at<const S*>(from),
             parameters.at<T*>(to), parameters.at<double>(alphas), parameters.at<double>(shifts), nullptr);
}

template <class T>
void multiply(const Queue& queue, int64_t n, const T* left, const T* right, T* out) {
  queue.call(deviceOperations<T>(queue.backend()).gemmStack, ProductMath::full, false, false, n, n, n, T(1), left,
             right, T(0), out, 1);
}

// The traces of E and of E E; `work` is as large as E. Waits for them.
template <class T>
std::optional<std::vector<double>> scalingsFor(const Queue& queue, int64_t n, const T* e, T* work) {
  const DeviceBackend& backend = queue.backend();
  Results results(queue);
  Examination<T> examination(queue);
  const size_t diagonal = examination.addNumbers(e, n, n + 1);
  examination.start(results);
  const Results::Numbers squareTrace = results.reserve(1);
  Parameters parameters(queue);
  const size_t accepted = parameters.add(std::vector<int32_t>{1});
  parameters.send();
  queue.call(deviceConversions<T, T>(backend).transpose, n, e, work, parameters.at<int32_t>(accepted));
  queue.call(deviceOperations<T>(backend).dot, e, work, n * n, squareTrace.device);
  results.download();
  queue.synchronize();
  const NumberStatistics found = examination.numbers(diagonal);
  if (found.notFinite > 0) return std::nullopt;
  return newtonScalings(n, found.sum, *squareTrace.host, unitRoundoff<T>);
}

}  // namespace

template <class T, class S>
NewtonInverse<T, S>::NewtonInverse(const Queue& queue, Results& results, const Target<S>& target, const S* start)
    : queue_(queue), target_(target), x_(queue, target.size * target.size) {
  const int64_t n = target.size;
  const DeviceArray<T> a(queue, n * n);
  mirrorOne(queue, n, target.matrix, a.data(), target.info.scale, target.damping);
  mirrorOne(queue, n, start, x_.data(), 1 / target.info.scale, 0);
  std::optional<std::vector<double>> scalings;
  {
    const DeviceArray<T> e(queue, n * n), work(queue, n * n);
    multiply(queue, n, a.data(), x_.data(), e.data());
    scalings = scalingsFor(queue, n, e.data(), work.data());
  }
  if (scalings) iterate(a, results, *scalings);
}

template <class T, class S>
void NewtonInverse<T, S>::iterate(const DeviceArray<T>& a, Results& results, const std::vector<double>& scalings) {
  const DeviceOperations<T>& ops = deviceOperations<T>(queue_.backend());
  const int64_t n = target_.size;
  const DeviceArray<T> e(queue_, n * n), work(queue_, n * n);
  // X <- X (2 mu I - mu^2 E), E = A X; the last step is not scaled.
  std::vector<double> linear, square;
  for (const double mu : scalings) {
    linear.push_back(2 * mu);
    square.push_back(-mu * mu);
  }
  linear.push_back(2);
  square.push_back(-1);
  Parameters parameters(queue_);
  const size_t linears = parameters.add(linear), squares = parameters.add(square);
  const size_t place = parameters.add(std::vector<T*>{x_.data()}), size = parameters.add(std::vector<int64_t>{n});
  parameters.send();
  const Results::Numbers distance = results.reserve(1), norm = results.reserve(1);

  for (size_t step = 0; step < linear.size(); ++step) {
    multiply(queue_, n, a.data(), x_.data(), e.data());
    if (step + 1 == linear.size()) queue_.call(ops.identityDistances, n, 1, e.data(), distance.device);
    queue_.call(ops.polynomial, n, 1, e.data(), parameters.at<double>(linears) + step,
                parameters.at<double>(squares) + step, work.data());
    multiply(queue_, n, x_.data(), work.data(), e.data());
    mirrorOne(queue_, n, e.data(), x_.data(), 1, 0);
  }
  queue_.call(ops.norms, 1, n, parameters.at<T*>(place), parameters.at<int64_t>(size), nullptr, norm.device);
  steps_ = static_cast<int64_t>(linear.size());
  distance_ = distance;
  norm_ = norm;
}

template <class T, class S>
Attempt NewtonInverse<T, S>::attempt() const {
  if (!distance_) return Attempt();
  const int64_t n = target_.size;
  const double norm = target_.info.upper + target_.damping, inverseNorm = *norm_->host * target_.info.scale;
  Attempt attempt = judge<T>(norm, inverseNorm, largestNorm<S, T>(norm));
  const double distance = *distance_->host * std::sqrt(static_cast<double>(n));
  if (!attempt.accepted || !newtonConverged(n, distance, unitRoundoff<T>, norm * inverseNorm)) return Attempt();
  attempt.iterations = steps_;
  return attempt;
}

template <class T, class S>
void NewtonInverse<T, S>::store() const {
  mirrorOne(queue_, target_.size, x_.data(), target_.out, target_.info.scale, 0);
}

template class NewtonInverse<float, float>;
template class NewtonInverse<double, float>;
template class NewtonInverse<double, double>;

}  // namespace natgrad
