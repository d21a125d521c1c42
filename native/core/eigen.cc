#include "core/eigen.h"

#include <algorithm>

#include "core/buffer.h"
#include "core/symmetric.h"

namespace natgrad {

template <class T>
Report compute(const Backend& backend, const EighJob<T>& job) {
  Report report;
  const Operations<T>& ops = operations<T>(backend);
  const int64_t n = job.size;
  // LAPACK answers a NaN with numbers that look right, or does not answer at all.
  if (!lowerIsFinite(ops, n, job.matrix)) {
    report.status = Status::notFinite;
    report.converged = false;
    return report;
  }
  if (n == 0) return report;
  Buffer<T> rows(n * n);
  Buffer<T> values(n);
  for (int64_t i = 0; i < n; ++i) std::copy(job.matrix + i * n, job.matrix + i * n + i + 1, rows.data() + i * n);
  const int64_t info = ops.syevd(n, rows.data(), n, values.data());
  if (info < 0) throw std::bad_alloc();
  if (info > 0) {
    report.status = Status::notConverged;
    report.converged = false;
    return report;
  }
  std::copy(values.data(), values.data() + n, job.values);
  transpose(n, rows.data(), job.vectors);
  report.minEigenvalue = static_cast<double>(values[0]);
  return report;
}

template Report compute<float>(const Backend&, const EighJob<float>&);
template Report compute<double>(const Backend&, const EighJob<double>&);

}  // namespace natgrad
