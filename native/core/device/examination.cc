#include "core/device/examination.h"

#include <algorithm>

#include "core/damping.h"

namespace natgrad {

template <class T>
size_t Examination<T>::addMatrix(const T* matrix, int64_t n) {
  return matrices_.add(matrix, n, n + 1);
}

template <class T>
size_t Examination<T>::addNumbers(const T* data, int64_t size, int64_t stride) {
  return numbers_.add(data, size, stride);
}

template <class T>
size_t Examination<T>::addPartner(const Damped<T>& damped) {
  if (damped.partner == nullptr) return none;
  return addNumbers(damped.partner, damped.partnerSize, damped.partnerDiagonal ? 1 : damped.partnerSize + 1);
}

template <class T>
Results::Numbers Examination<T>::statistics(const List& list, Results& results) {
  const int64_t count = static_cast<int64_t>(list.data.size());
  const Results::Numbers found = results.reserve(4 * count);
  Parameters parameters(queue_);
  const size_t data = parameters.add(list.data), sizes = parameters.add(list.sizes),
               strides = parameters.add(list.strides);
  parameters.send();
  queue_.call(deviceOperations<T>(queue_.backend()).statistics, count, parameters.at<const T*>(data),
              parameters.at<int64_t>(sizes), parameters.at<int64_t>(strides),
              reinterpret_cast<NumberStatistics*>(found.device));
  return found;
}

template <class T>
void Examination<T>::start(Results& results) {
  if (!numbers_.data.empty()) others_ = statistics(numbers_, results);
  if (matrices_.data.empty()) return;
  diagonals_ = statistics(matrices_, results);
  const int64_t count = static_cast<int64_t>(matrices_.data.size());
  bounds_ = results.reserve(count);
  Parameters parameters(queue_);
  const size_t data = parameters.add(matrices_.data), sizes = parameters.add(matrices_.sizes);
  parameters.send();
  // Squares of float32 fit in float64 as they are; those of float64 may need a scale.
  const NumberStatistics* diagonals =
      std::is_same_v<T, double> ? reinterpret_cast<NumberStatistics*>(diagonals_.device) : nullptr;
  queue_.call(deviceOperations<T>(queue_.backend()).norms, count,
              *std::max_element(matrices_.sizes.begin(), matrices_.sizes.end()), parameters.at<const T*>(data),
              parameters.at<int64_t>(sizes), diagonals, bounds_.device);
}

template <class T>
NumberStatistics Examination<T>::read(const double* host, size_t i) {
  return {host[4 * i], host[4 * i + 1], host[4 * i + 2], host[4 * i + 3]};
}

template <class T>
NumberStatistics Examination<T>::numbers(size_t i) const {
  return read(others_.host, i);
}

template <class T>
double Examination<T>::damping(const Damped<T>& damped, double trace, int64_t size, size_t partner) const {
  const double mean = trace / static_cast<double>(size);
  if (partner == none) return resolveDamping(damped.damping, damped.relative, mean, nullptr);
  const double partnerMean = numbers(partner).sum / static_cast<double>(damped.partnerSize);
  return resolveDamping(damped.damping, damped.relative, mean, &partnerMean);
}

template <class T>
DampedMatrix Examination<T>::matrix(size_t i, size_t partner, const Damped<T>& damped, int32_t p) const {
  const int64_t n = matrices_.sizes[i];
  DampedMatrix result;
  if (n == 0) {
    result.damping = damped.damping;
    return result;
  }
  const NumberStatistics diagonal = read(diagonals_.host, i);
  return weigh<T>(bounds_.host[i], diagonal.sum, diagonal.least < 0, damping(damped, diagonal.sum, n, partner), p);
}

template class Examination<float>;
template class Examination<double>;

}  // namespace natgrad
