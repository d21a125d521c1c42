// Second moments of rows on a device. The jobs hold device addresses.
#pragma once

#include "core/device/queue.h"
#include "core/jobs.h"

namespace natgrad {

// Whether the inputs are finite is found out before anything is changed: this marks `*bad` (a device address, zero
// before) where one is not.
template <class T>
void examineInputs(const Queue& queue, const FactorJob<T>& job, int32_t* bad);
template <class T>
void examineInputs(const Queue& queue, const DiagonalFactorJob<T>& job, int32_t* bad);

// The update itself, of job inputs that are finite. Throws std::bad_alloc before it has changed anything.
template <class T>
void enqueueFactor(const Queue& queue, const FactorJob<T>& job, ProductMath math);
template <class T>
void enqueueFactor(const Queue& queue, const DiagonalFactorJob<T>& job);

}  // namespace natgrad
