#include "core/device/passes.h"

namespace natgrad {

// diagonal input is the same product as input diagonal, and its inner product with the input what is asked for.
template <class T>
void enqueue(const Queue& queue, const ScaleJob<T>& job, double* dot) {
  queue.call(deviceOperations<T>(queue.backend()).multiply, job.input, job.diagonal, 0.0, job.out, job.size, dot);
}

template <class T>
void enqueue(const Queue& queue, const ElementwiseJob<T>& job, double* dot) {
  const DeviceOperations<T>& ops = deviceOperations<T>(queue.backend());
  queue.call(job.how == Elementwise::multiply ? ops.multiply : ops.divide, job.left, job.right, job.offset, job.out,
             job.size, dot);
}

template <class T>
void enqueue(const Queue& queue, const DotJob<T>& job, double* dot) {
  queue.call(deviceOperations<T>(queue.backend()).dot, job.left, job.right, job.size, dot);
}

template <class T>
void enqueue(const Queue& queue, const UpdateJob<T>& job) {
  queue.call(deviceOperations<T>(queue.backend()).update, job.weights, job.direction, job.velocity, job.size,
             job.momentum, job.step, job.shrink);
}

template <class T>
void enqueue(const Queue& queue, const CombineJob<T>& job) {
  std::vector<const T*> data;
  std::vector<double> scales;
  for (const CombineTerm<T>& term : job.terms) {
    data.push_back(term.data);
    scales.push_back(term.scale);
  }
  Parameters parameters(queue);
  const size_t from = parameters.add(data), scale = parameters.add(scales);
  parameters.send();
  queue.call(deviceOperations<T>(queue.backend()).combine, static_cast<int64_t>(data.size()),
             parameters.at<const T*>(from), parameters.at<double>(scale), job.out, job.size);
}

template <class T>
Report invertDiagonal(const Queue& queue, const DiagonalInverseJob<T>& job, const NumberStatistics& diagonal,
                      double damping) {
  if (diagonal.notFinite > 0) return failure(Status::notFinite);
  Report report;
  report.damping = damping;
  if (job.size > 0) report.minEigenvalue = diagonal.least + damping;
  if (!(diagonal.least + damping > 0)) {
    report.status = Status::notPositiveDefinite;
    report.converged = false;
    return report;
  }
  queue.call(deviceOperations<T>(queue.backend()).reciprocal, job.diagonal, job.size, damping, job.out);
  return report;
}

#define NATGRAD_INSTANTIATE(T)                                               \
  template void enqueue<T>(const Queue&, const ScaleJob<T>&, double*);       \
  template void enqueue<T>(const Queue&, const ElementwiseJob<T>&, double*); \
  template void enqueue<T>(const Queue&, const DotJob<T>&, double*);         \
  template void enqueue<T>(const Queue&, const UpdateJob<T>&);               \
  template void enqueue<T>(const Queue&, const CombineJob<T>&);              \
  template Report invertDiagonal<T>(const Queue&, const DiagonalInverseJob<T>&, const NumberStatistics&, double);
NATGRAD_INSTANTIATE(float)
NATGRAD_INSTANTIATE(double)
#undef NATGRAD_INSTANTIATE

}  // namespace natgrad
