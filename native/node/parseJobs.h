// From the jobs of src/linalg/jobs.ts to the structs of core/jobs.h. Everything is checked here: types, lengths, ranges, overlaps.
#pragma once

#include <cstddef>
#include <vector>

#include "core/buffer.h"
#include "core/jobs.h"
#include "node/memory.h"

namespace natgrad {

// Jobs that are ready to run, with the memory they use.
struct Work {
  Phases phases;
  std::vector<Access> accesses;  // of all phases
};

// Throws an error that names the argument, e.g. `phases[0][2].factor`.
Work parseWork(Napi::Env env, napi_value phases);

// Takes the mark `copied` from inputs that an earlier phase of the same work writes: their values are not there yet.
void keepIntermediateInputs(Work& work);

// Copies the inputs that are marked so and points the jobs to the copies, which are returned; the memory of the
// inputs is free again when this returns.
std::vector<Buffer<std::byte>> copyInputs(Work& work);

}  // namespace natgrad
