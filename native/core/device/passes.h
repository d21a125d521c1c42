// Jobs that are one pass over memory, on a device. The jobs hold device addresses.
#pragma once

#include "core/device/queue.h"
#include "core/jobs.h"

namespace natgrad {

// Throw std::bad_alloc before they have changed anything. `dot`, a device address, becomes the inner product that the
// report names.
template <class T>
void enqueue(const Queue& queue, const ScaleJob<T>& job, double* dot);
template <class T>
void enqueue(const Queue& queue, const ElementwiseJob<T>& job, double* dot);
template <class T>
void enqueue(const Queue& queue, const DotJob<T>& job, double* dot);
template <class T>
void enqueue(const Queue& queue, const UpdateJob<T>& job);
template <class T>
void enqueue(const Queue& queue, const CombineJob<T>& job);

// What a diagonal inverse reports, from the statistics of the diagonal and the damping; computes it where it can be.
template <class T>
Report invertDiagonal(const Queue& queue, const DiagonalInverseJob<T>& job, const NumberStatistics& diagonal,
                      double damping);

}  // namespace natgrad
