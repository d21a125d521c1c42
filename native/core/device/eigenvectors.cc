#include "core/device/eigenvectors.h"

#include <cmath>
#include <limits>

namespace natgrad {

namespace {

// Both triangles of factor (A + shift I) for one matrix.
template <class S, class T>
void mirrorOne(const Queue& queue, int64_t n, const S* in, T* out, double factor, double shift) {
  Parameters parameters(queue);
  const size_t from = parameters.add(std::vector<const S*>{in}), to = parameters.add(std::vector<T*>{out});
  const size_t alpha = parameters.add(std::vector<double>{factor}), added = parameters.add(std::vector<double>{shift});
  parameters.send();
  queue.call(deviceConversions<S, T>(queue.backend()).mirror, n, 1, parameters.at<const S*>(from),
             parameters.at<T*>(to), parameters.at<double>(alpha), parameters.at<double>(added), nullptr);
}

}  // namespace

template <class S>
Attempt eigenRoot(const Queue& queue, const Target<S>& target, int32_t p, bool clip) {
  const DeviceOperations<double>& ops = queue.backend().f64;
  const int64_t n = target.size;
  const double scale = target.info.scale;
  Attempt attempt;
  DeviceArray<double> vectors(queue, n * n), weighted(queue, n), product(queue, n * n);
  DeviceArray<int32_t> info(queue, 1);
  std::vector<double> values(static_cast<size_t>(n));
  int32_t error = 0;
  // Without the damping, which is added to the eigenvalues: clipping must see them bare.
  mirrorOne(queue, n, target.matrix, vectors.data(), scale, 0.0);
  queue.call(ops.eigh, n, vectors.data(), weighted.data(), info.data());
  queue.download(weighted.data(), values.data(), n * static_cast<int64_t>(sizeof(double)));
  queue.download(info.data(), &error, sizeof error);
  queue.synchronize();
  if (error != 0) return attempt;
  const double shift = target.damping * scale;
  const double least = (clip ? std::max(values[0], 0.0) : values[0]) + shift;
  const double rootOfScale = std::pow(scale, 1.0 / p);
  // An eigenvalue is known no better than to the roundoff of the largest one.
  if (!(least > unitRoundoff<double> * values.back()) || !representable<S>(std::pow(least, -1.0 / p) * rootOfScale))
    return attempt;
  // V diag(s) V' = X'X for X with the rows sqrt(s_j) v_j'.
  for (double& value : values) value = std::pow((clip ? std::max(value, 0.0) : value) + shift, -0.5 / p);
  queue.upload(values.data(), weighted.data(), n * static_cast<int64_t>(sizeof(double)));
  queue.call(ops.scaleByDiagonals, n, n, weighted.data(), nullptr, vectors.data(), vectors.data());
  queue.call(ops.syrk, ProductMath::full, true, n, n, 1.0, vectors.data(), n, 0.0, product.data(), n);
  mirrorOne(queue, n, product.data(), target.out, rootOfScale, 0.0);
  attempt.accepted = true;
  attempt.minEigenvalue = least / scale;
  return attempt;
}

template <class T, class S>
Eigenvectors<T, S>::Eigenvectors(const Queue& queue, Results& results, const EighJob<S>& job)
    : queue_(queue),
      job_(job),
      rows_(std::in_place, queue, job.size * job.size),
      results_(results),
      bad_(results.reserve(1)) {
  const int64_t n = job.size;
  DeviceArray<int32_t> mark(queue, 1);
  queue.call(queue.backend().clear, mark.data(), static_cast<int64_t>(sizeof(int32_t)));
  queue.call(queue.backend().clear, bad_.device, static_cast<int64_t>(sizeof(double)));
  mirrorOne(queue, n, job.matrix, rows_->data(), 1.0, 0.0);
  queue.call(deviceOperations<T>(queue.backend()).markNonFinite, rows_->data(), n * n, mark.data());
  // NaN where the mark is set.
  Parameters parameters(queue);
  const size_t limit = parameters.add(std::vector<double>{0.0}), accepted = parameters.add(std::vector<int32_t>{1});
  parameters.send();
  queue.call(queue.backend().accept, 1, mark.data(), bad_.device, parameters.at<double>(limit),
             parameters.at<int32_t>(accepted));
}

template <class T, class S>
void Eigenvectors<T, S>::start() {
  const int64_t n = job_.size;
  if (n == 0 || !finite()) return;
  const DeviceBackend& backend = queue_.backend();
  DeviceArray<T> values(queue_, n);
  DeviceArray<int32_t> info(queue_, 1);
  least_ = results_.reserve(1);
  Parameters parameters(queue_);
  const size_t limit = parameters.add(std::vector<double>{std::numeric_limits<double>::infinity()});
  const size_t accepted = parameters.add(std::vector<int32_t>{1}), always = parameters.add(std::vector<int32_t>{1});
  parameters.send();
  int32_t* const good = parameters.at<int32_t>(accepted);
  queue_.call(deviceOperations<T>(backend).eigh, n, rows_->data(), values.data(), info.data());
  queue_.call(deviceConversions<T, double>(backend).convert, int64_t{1}, values.data(), least_.device,
              parameters.at<int32_t>(always));
  queue_.call(backend.accept, 1, info.data(), least_.device, parameters.at<double>(limit), good);
  queue_.call(deviceConversions<T, S>(backend).transpose, n, rows_->data(), job_.vectors, good);
  queue_.call(deviceConversions<T, S>(backend).convert, n, values.data(), job_.values, good);
  rows_.reset();
}

template <class T, class S>
Report Eigenvectors<T, S>::report() const {
  if (!finite()) return failure(Status::notFinite);
  Report report;
  if (job_.size == 0) return report;
  if (std::isnan(*least_.host)) return failure(Status::notConverged);
  report.minEigenvalue = *least_.host;
  return report;
}

template Attempt eigenRoot<float>(const Queue&, const Target<float>&, int32_t, bool);
template Attempt eigenRoot<double>(const Queue&, const Target<double>&, int32_t, bool);
template class Eigenvectors<float, float>;
template class Eigenvectors<double, float>;
template class Eigenvectors<double, double>;

}  // namespace natgrad
