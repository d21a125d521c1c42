// What the addon keeps for one JavaScript environment (the main thread or a worker thread): settings, its own thread, and
// the work that was submitted. All of it is used on the environment's own thread only.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <vector>

#include "node/memory.h"
#include "node/openDevice.h"
#include "node/worker.h"

namespace natgrad {

// One piece of submitted work, shared with the JavaScript object that stands for it.
struct Handed {
  std::shared_ptr<Submission> submission;
  Napi::Reference<Napi::Array> buffers;  // keeps leased memory alive; empty once the end of the work was seen
  bool intact = true;                    // whether the memory was still there at the end
  std::vector<Napi::Promise::Deferred> promises;
};

class Lending;

class Environment {
 public:
  explicit Environment(Napi::Env env);

  static Environment& of(Napi::Env env) { return *env.GetInstanceData<Environment>(); }

  // The reports are packed: eight numbers a job, in the order of `reportFields` in src/linalg/addon.ts.
  // Without a device the processor computes.
  Napi::Float64Array run(napi_value phases, const std::shared_ptr<OpenDevice>& device);
  std::shared_ptr<Handed> submit(napi_value phases, const std::shared_ptr<OpenDevice>& device, Lane lane);

  bool finished(const std::shared_ptr<Handed>& handed);
  Napi::Float64Array wait(const std::shared_ptr<Handed>& handed);
  Napi::Promise promise(const std::shared_ptr<Handed>& handed);

  const Leases& leases() const { return leases_; }

  int threads;  // how many work on the jobs of one phase
  Napi::FunctionReference pendingConstructor, deviceConstructor, keptConstructor;
  Lending* lending = nullptr;  // of TensorFlow's memory, while that is going on

 private:
  Worker& start(Lane lane);
  void openAnnouncements();
  int freeThreads();
  Worker& workerOf(const Submission& submission) { return *workers_[static_cast<size_t>(submission.lane)]; }
  void stop();
  void endOf(const Submission& submission);
  void releaseForgotten();
  void settle();

  Napi::Env env_;
  Leases leases_;
  uint64_t lastTicket_ = 0;
  // Work whose end was not seen yet or whose promises are not settled, by ascending ticket.
  std::vector<std::shared_ptr<Handed>> handed_;
  napi_threadsafe_function announce_ = nullptr;
  std::array<std::unique_ptr<Worker>, laneCount> workers_;  // each from its first work on
};

}  // namespace natgrad
