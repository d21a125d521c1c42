// Runs jobs on a device with memory of its own.
//
// Jobs name host memory. An array that is kept has a copy on the device, and jobs read and write that copy only: the
// host memory is stale until it is fetched. A pointer into a kept array means the same offset of its copy. What is not
// kept goes up before it is read and comes down before `run` returns.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "core/device/deviceBackend.h"
#include "core/jobs.h"

namespace natgrad {

// How float32 jobs are computed. Jobs in float64 always are in float64. Error bounds, with u the unit roundoff of
// float32 (6e-8) or TF32 (4.9e-4) and k the length of the sums:
//   fp32  products (k + 3) u |A| |B|; inverses and roots 10 n u cond, u cond < 1e-2 or else they are done in float64
//   tf32  products of factors, preconditioning and products (k u_fp32 + 2 u_tf32) |A| |B|; roots also up to condition
//   100; all else as fp32 fp64  inverses, roots and eigendecompositions in float64, rounded to float32 at the end;
//   products as fp32
enum class Precision : int32_t { fp32, tf32, fp64 };

// May be used from several threads. A call waits for those before it, but of a run for no more than one of its phases,
// and not while the host computes jobs of it. What a run under way names may only be released meanwhile, and is there
// until the run is over.
class Device {
 public:
  // `context` is an open device of the back end, which must outlive this object. Nothing is thrown, and nothing happens
  // on the device.
  Device(const DeviceBackend& backend, void* context, Precision precision);
  ~Device();
  Device(const Device&) = delete;
  Device& operator=(const Device&) = delete;

  // Gives the array a device copy with its contents, or counts one more keeper of it. Kept arrays must not overlap, but
  // the same array may be kept again. False, with nothing changed: no device memory is left, or the device is lost.
  bool keep(const void* host, int64_t bytes);
  // Frees the copy with its last keeper; what it held is gone.
  void release(const void* host);
  // From the copy to host memory, and back. The range may be part of a kept array; what is not kept is left alone.
  // False: the device is lost.
  bool fetch(void* host, int64_t bytes);
  bool store(const void* host, int64_t bytes);

  // As run of core/jobs.h, with the same meaning of jobs and reports; `cpu` and `threads` are for the jobs that have no
  // device form, and for those the device has too little memory for. Never throws. Where the device is lost, its
  // reports say so; the outputs of that run and all kept arrays are then undefined, other host memory is as it was.
  Reports run(const Backend& cpu, const Phases& phases, int threads);

  // What is left of the device's memory, and all of it. False: the device is lost.
  bool memory(int64_t& freeBytes, int64_t& totalBytes);

  bool lost() const;
  // Why the device was lost, in words.
  std::string reason() const;

 private:
  class State;
  std::unique_ptr<State> state_;
};

}  // namespace natgrad
