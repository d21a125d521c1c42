#include "node/environment.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "core/processors.h"
#include "cpu/cpuBackend.h"
#include "node/parseJobs.h"
#include "node/tensorMemory.h"

namespace natgrad {

namespace {

// More threads than this rarely pay for the sizes of a network's layers, and the rest of the process needs cores too.
constexpr unsigned defaultThreads = 4;

constexpr const char* detachedWhileLeased =
    "an ArrayBuffer of submitted work was detached or transferred before the work was finished; its results are lost";

Napi::Float64Array packReports(Napi::Env env, const Reports& reports) {
  size_t jobs = 0;
  for (const auto& phase : reports) jobs += phase.size();
  Napi::Float64Array packed = Napi::Float64Array::New(env, jobs * 8);
  double* to = packed.Data();
  for (const auto& phase : reports) {
    for (const Report& report : phase) {
      const double fields[] = {static_cast<double>(report.status),
                               report.residual,
                               static_cast<double>(report.iterations),
                               report.converged ? 1.0 : 0.0,
                               report.minEigenvalue,
                               report.damping,
                               static_cast<double>(report.retries),
                               report.dot};
      to = std::copy(std::begin(fields), std::end(fields), to);
    }
  }
  return packed;
}

// What lies on the device is not copied from the host, where it is out of date; whoever keeps it there holds its memory.
void keepInputsOnDevice(Work& work, const OpenDevice& device) {
  for (Access& access : work.accesses) {
    if (access.copied && device.keepsAnyOf(access.begin, access.end)) access.copied = false;
  }
}

bool isIntact(Napi::Env env, const Napi::Array& buffers) {
  for (uint32_t i = 0; i < buffers.Length(); i++) {
    bool detached = false;
    check(env, napi_is_detached_arraybuffer(env, buffers.Get(i), &detached));
    if (detached) return false;
  }
  return true;
}

}  // namespace

Environment::Environment(Napi::Env env)
    : threads(static_cast<int>(std::min(availableProcessors(), defaultThreads))), env_(env) {}

Napi::Float64Array Environment::run(napi_value phases, const std::shared_ptr<OpenDevice>& device) {
  const Work work = parseWork(env_, phases);
  releaseForgotten();
  leases_.check(env_, work.accesses);
  const int free = freeThreads();
  return packReports(env_, device ? device->device().run(cpuBackend(), work.phases, free)
                                  : natgrad::run(cpuBackend(), work.phases, free));
}

// Submitted work that is under way occupies processors. A helper that takes up a task and then has to wait for one of them holds up the
// caller longer than it helps.
int Environment::freeThreads() {
  const auto busy = std::count_if(workers_.begin(), workers_.end(), [](const auto& worker) { return worker && worker->busy(); });
  return std::max(threads - static_cast<int>(busy), 1);
}

std::shared_ptr<Handed> Environment::submit(napi_value phases, const std::shared_ptr<OpenDevice>& device, Lane lane) {
  Work work = parseWork(env_, phases);
  releaseForgotten();
  keepIntermediateInputs(work);
  if (device) keepInputsOnDevice(work, *device);
  std::vector<Access> now, later;
  for (const Access& access : work.accesses) (access.copied ? now : later).push_back(access);
  leases_.check(env_, now);
  leases_.check(env_, later, lane);
  if (lending) lending->refuse(later);
  Worker& worker = start(lane);

  auto handed = std::make_shared<Handed>();
  handed->submission = std::make_shared<Submission>();
  handed->submission->lane = lane;
  handed->submission->copies = copyInputs(work);
  handed->submission->phases = std::move(work.phases);
  if (device) handed->submission->device = std::shared_ptr<Device>(device, &device->device());
  // JavaScript goes on meanwhile and needs a processor too.
  handed->submission->threads = std::max(threads - 1, 1);
  Napi::Array buffers = Napi::Array::New(env_, later.size());
  for (size_t i = 0; i < later.size(); i++) buffers.Set(static_cast<uint32_t>(i), later[i].buffer);
  handed->buffers = Napi::Reference<Napi::Array>::New(buffers, 1);

  handed->submission->ticket = ++lastTicket_;
  leases_.add(lane, lastTicket_, later);
  handed_.push_back(handed);
  worker.submit(handed->submission);
  return handed;
}

bool Environment::finished(const std::shared_ptr<Handed>& handed) {
  if (!workerOf(*handed->submission).finished(handed->submission->ticket)) return false;
  endOf(*handed->submission);
  return true;
}

Napi::Float64Array Environment::wait(const std::shared_ptr<Handed>& handed) {
  workerOf(*handed->submission).wait(handed->submission->ticket);
  endOf(*handed->submission);
  if (!handed->intact) fail(env_, errBuffer, detachedWhileLeased);
  return packReports(env_, handed->submission->reports);
}

Napi::Promise Environment::promise(const std::shared_ptr<Handed>& handed) {
  handed->promises.emplace_back(env_);
  const Napi::Promise promise = handed->promises.back().Promise();
  if (std::find(handed_.begin(), handed_.end(), handed) == handed_.end()) handed_.push_back(handed);
  if (workerOf(*handed->submission).askToBeTold(handed->submission->ticket)) {
    // Somebody waits, so the event loop has to go on until the answer is there.
    check(env_, napi_ref_threadsafe_function(env_, announce_));
  } else {
    settle();
  }
  return promise;
}

// Starts the thread of a lane, and with the first of them the way by which they wake this one. That alone keeps no event loop alive.
Worker& Environment::start(Lane lane) {
  std::unique_ptr<Worker>& worker = workers_[static_cast<size_t>(lane)];
  if (worker) return *worker;
  if (announce_ == nullptr) openAnnouncements();
  worker = std::make_unique<Worker>(cpuBackend(), [announce = announce_] {
    napi_call_threadsafe_function(announce, nullptr, napi_tsfn_nonblocking);
  });
  return *worker;
}

void Environment::openAnnouncements() {
  const auto woken = [](napi_env env, napi_value, void* context, void*) {
    if (!env) return;  // the environment is going away
    const Napi::HandleScope scope(env);
    try {
      static_cast<Environment*>(context)->settle();
    } catch (const Napi::Error&) {
      // A thread that is being terminated runs no JavaScript any more, and nobody is left to tell.
    }
  };
  check(env_, napi_create_threadsafe_function(env_, nullptr, nullptr, Napi::String::New(env_, "natgrad"), 0, 1, nullptr,
                                              nullptr, this, woken, &announce_));
  check(env_, napi_unref_threadsafe_function(env_, announce_));
  // Hooks run in the reverse order of their making, so the threads are gone before the function they call.
  env_.AddCleanupHook([this] { stop(); });
}

void Environment::stop() {
  for (auto& worker : workers_) worker.reset();
  for (const auto& handed : handed_) handed->buffers.Reset();
  handed_.clear();
}

// The end of this work, and so of all that was submitted before it, was seen: their memory is the user's again.
void Environment::endOf(const Submission& submission) {
  leases_.releaseUpTo(submission.lane, submission.ticket);
  for (const auto& handed : handed_) {
    const Submission& other = *handed->submission;
    if (other.lane != submission.lane || other.ticket > submission.ticket || handed->buffers.IsEmpty()) continue;
    handed->intact = isIntact(env_, handed->buffers.Value());
    handed->buffers.Reset();
  }
  const auto done = [](const auto& handed) { return handed->buffers.IsEmpty() && handed->promises.empty(); };
  handed_.erase(std::remove_if(handed_.begin(), handed_.end(), done), handed_.end());
}

// Ends the leases of finished work whose JavaScript object was garbage-collected, so that nobody can ask for it any more.
void Environment::releaseForgotten() {
  std::array<std::shared_ptr<Submission>, laneCount> last;
  for (const auto& handed : handed_) {
    const auto& submission = handed->submission;
    const bool forgotten = handed.use_count() == 1 && handed->promises.empty();
    if (forgotten && workerOf(*submission).finished(submission->ticket)) last[static_cast<size_t>(submission->lane)] = submission;
  }
  for (const auto& submission : last) {
    if (submission) endOf(*submission);
  }
}

// Settles the promises of finished work.
void Environment::settle() {
  bool waiting = false;
  for (const auto& handed : std::vector<std::shared_ptr<Handed>>(handed_)) {
    if (handed->promises.empty()) continue;
    if (!workerOf(*handed->submission).finished(handed->submission->ticket)) {
      waiting = true;
      continue;
    }
    std::vector<Napi::Promise::Deferred> promises;
    promises.swap(handed->promises);
    endOf(*handed->submission);
    for (const Napi::Promise::Deferred& promise : promises) {
      if (handed->intact) {
        promise.Resolve(packReports(env_, handed->submission->reports));
      } else {
        Napi::Error error = Napi::Error::New(env_, detachedWhileLeased);
        error.Set("code", Napi::String::New(env_, errBuffer));
        promise.Reject(error.Value());
      }
    }
  }
  if (!waiting) check(env_, napi_unref_threadsafe_function(env_, announce_));
}

}  // namespace natgrad
