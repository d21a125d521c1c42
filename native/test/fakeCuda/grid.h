// Runs the threads of a kernel one after the other, each on a stack of its own as soon as it waits at a barrier.
#pragma once

#include <functional>

namespace natgrad::fakeCuda {

struct Dim3 {
  unsigned x, y, z;
};

// What the built-in variables of the same names are to the thread that runs.
extern Dim3 threadIdx, blockIdx, blockDim, gridDim;

// Every block runs alone, from its first thread to the last or from the last to the first, in turn from launch to
// launch and from barrier to barrier, and blocks likewise: what depends on the order shows. A block in which some
// threads wait at a barrier that others do not reach is a violation.
void runGrid(Dim3 grid, Dim3 block, const std::function<void()>& thread);

// __syncthreads(); `line` tells one barrier of a kernel from another.
void barrier(int line);

}  // namespace natgrad::fakeCuda
