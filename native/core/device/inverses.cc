#include "core/device/inverses.h"

#include <cmath>
#include <limits>
#include <numeric>

#include "core/inverseLimits.h"

namespace natgrad {

template <class T, class S>
Inverses<T, S>::Inverses(const Queue& queue, Results& results, std::vector<Target<S>> targets)
    : queue_(queue),
      targets_(std::move(targets)),
      order_(targets_.size()),
      norms_(targets_.size()),
      unit_(targets_.size(), 1.0) {
  std::iota(order_.begin(), order_.end(), size_t{0});
  std::stable_sort(order_.begin(), order_.end(),
                   [&](size_t a, size_t b) { return targets_[a].size < targets_[b].size; });
  for (size_t begin = 0; begin < order_.size();) {
    const int64_t n = targets_[order_[begin]].size;
    size_t end = begin;
    while (end < order_.size() && targets_[order_[end]].size == n) ++end;
    inParts(
        begin, end, static_cast<size_t>(stackLimit<T>(n)),
        [&](size_t first, size_t last) { enqueue(results, first, last); },
        [&](size_t i) { norms_[order_[i]] = nullptr; });
    begin = end;
  }
}

template <class T, class S>
void Inverses<T, S>::enqueue(Results& results, size_t first, size_t last) {
  if constexpr (std::is_same_v<T, S>) {
    if (targets_[order_[first]].size <= smallSize) return invertInPlace(results, first, last);
  }
  invertStack(results, first, last);
}

// The largest norms with which the inverses are accepted; `scaled`: of the inverses of the scaled matrices.
template <class T, class S>
std::vector<double> Inverses<T, S>::limits(size_t first, size_t last, bool scaled) const {
  std::vector<double> limits;
  for (size_t i = first; i < last; ++i) {
    const Target<S>& target = targets_[order_[i]];
    limits.push_back(largestNorm<S, T>(target.info.upper + target.damping) / (scaled ? target.info.scale : 1.0));
  }
  return limits;
}

template <class T, class S>
typename Inverses<T, S>::Places Inverses<T, S>::add(Parameters& parameters, size_t first, size_t last) const {
  std::vector<const S*> matrices;
  std::vector<S*> out;
  std::vector<double> dampings, scales;
  for (size_t i = first; i < last; ++i) {
    const Target<S>& target = targets_[order_[i]];
    matrices.push_back(target.matrix);
    out.push_back(target.out);
    dampings.push_back(target.damping);
    scales.push_back(target.info.scale);
  }
  return {parameters.add(matrices), parameters.add(out), parameters.add(dampings), parameters.add(scales)};
}

// Small matrices of the precision that is computed in: one kernel from the matrix to the result.
template <class T, class S>
void Inverses<T, S>::invertInPlace(Results& results, size_t first, size_t last) {
  const int64_t count = static_cast<int64_t>(last - first);
  Parameters parameters(queue_);
  const auto [from, to, damping, scale] = add(parameters, first, last);
  const size_t limit = parameters.add(limits(first, last, false));
  parameters.send();
  const Results::Numbers norms = results.reserve(count);
  queue_.call(deviceOperations<S>(queue_.backend()).invertSmall, targets_[order_[first]].size, count,
              parameters.at<const S*>(from), parameters.at<double>(damping), parameters.at<double>(scale),
              parameters.at<double>(limit), parameters.at<S*>(to), norms.device);
  for (size_t i = first; i < last; ++i) norms_[order_[i]] = norms.host + (i - first);
}

// All others: into a stack of scaled matrices, which is inverted, judged and given back.
template <class T, class S>
void Inverses<T, S>::invertStack(Results& results, size_t first, size_t last) {
  const DeviceBackend& backend = queue_.backend();
  const DeviceOperations<T>& ops = deviceOperations<T>(backend);
  const int64_t n = targets_[order_[first]].size, count = static_cast<int64_t>(last - first);
  const size_t size = last - first;
  DeviceArray<T> stack(queue_, count * n * n);
  DeviceArray<int32_t> info(queue_, count);
  Parameters parameters(queue_);
  const auto [from, to, damping, scale] = add(parameters, first, last);
  const size_t limit = parameters.add(limits(first, last, true));
  const size_t places = parameters.add(stacked(stack.data(), n, size)),
               sizes = parameters.add(std::vector<int64_t>(size, n));
  const size_t none = parameters.add(std::vector<double>(size, 0.0)),
               one = parameters.add(std::vector<double>(size, 1.0));
  const size_t unlimited = parameters.add(std::vector<double>(size, std::numeric_limits<double>::infinity()));
  const size_t accepted = parameters.add(std::vector<int32_t>(size, 1));
  parameters.send();
  const Results::Numbers norms = results.reserve(count);
  T** const stackPlaces = parameters.at<T*>(places);

  queue_.call(deviceConversions<S, T>(backend).mirror, n, count, parameters.at<const S*>(from), stackPlaces,
              parameters.at<double>(scale), parameters.at<double>(damping), nullptr);
  queue_.call(backend.clear, info.data(), count * static_cast<int64_t>(sizeof(int32_t)));
  if (n <= smallSize) {
    queue_.call(ops.invertSmall, n, count, stackPlaces, parameters.at<double>(none), parameters.at<double>(one),
                parameters.at<double>(unlimited), stackPlaces, norms.device);
  } else {
    queue_.call(ops.invert, n, count, stack.data(), info.data());
    queue_.call(ops.norms, count, n, stackPlaces, parameters.at<int64_t>(sizes), nullptr, norms.device);
  }
  queue_.call(backend.accept, count, info.data(), norms.device, parameters.at<double>(limit),
              parameters.at<int32_t>(accepted));
  queue_.call(deviceConversions<T, S>(backend).mirror, n, count, stackPlaces, parameters.at<S*>(to),
              parameters.at<double>(scale), parameters.at<double>(none), parameters.at<int32_t>(accepted));
  for (size_t i = first; i < last; ++i) {
    norms_[order_[i]] = norms.host + (i - first);
    unit_[order_[i]] = targets_[order_[i]].info.scale;
  }
}

template <class T, class S>
Attempt Inverses<T, S>::attempt(size_t i) const {
  if (norms_[i] == nullptr) throw std::bad_alloc();
  const Target<S>& target = targets_[i];
  const double norm = target.info.upper + target.damping;
  return judge<T>(norm, *norms_[i] * unit_[i], largestNorm<S, T>(norm));
}

template <class T, class S>
Attempt tryInverse(const Queue& queue, const Target<S>& target) {
  Results results(queue);
  const Inverses<T, S> inverse(queue, results, {target});
  results.download();
  queue.synchronize();
  return inverse.attempt(0);
}

#define NATGRAD_INSTANTIATE(T, S) \
  template class Inverses<T, S>;  \
  template Attempt tryInverse<T, S>(const Queue&, const Target<S>&);
NATGRAD_INSTANTIATE(float, float)
NATGRAD_INSTANTIATE(double, float)
NATGRAD_INSTANTIATE(double, double)
#undef NATGRAD_INSTANTIATE

}  // namespace natgrad
