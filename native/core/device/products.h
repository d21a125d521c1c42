// Products on a device. The jobs hold device addresses.
#pragma once

#include "core/device/queue.h"
#include "core/jobs.h"

namespace natgrad {

// Throw std::bad_alloc before they have changed anything. `dot`, a device address, becomes the inner product that the
// report names.
template <class T>
void enqueue(const Queue& queue, const KroneckerJob<T>& job, ProductMath math, double* dot);
template <class T>
void enqueue(const Queue& queue, const ProductJob<T>& job, ProductMath math);

}  // namespace natgrad
