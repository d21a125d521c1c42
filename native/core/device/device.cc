#include "core/device/device.h"

#include <algorithm>
#include <mutex>
#include <new>

#include "core/device/deviceForm.h"
#include "core/device/turns.h"
#include "core/device/typedPhase.h"

namespace natgrad {

namespace {

using Turn = std::unique_lock<Turns>;

// While the device is not needed.
class WithoutDevice {
 public:
  explicit WithoutDevice(Turn& turn) : turn_(turn) { turn_.unlock(); }
  ~WithoutDevice() { turn_.lock(); }
  WithoutDevice(const WithoutDevice&) = delete;
  WithoutDevice& operator=(const WithoutDevice&) = delete;

 private:
  Turn& turn_;
};

// The jobs of a phase that the host computes, where the data is brought to.
class HostJobs {
 public:
  HostJobs(const RunMemory& memory, const Phase& phase, std::vector<size_t> numbers)
      : memory_(memory), phase_(phase), numbers_(std::move(numbers)) {}

  bool empty() const { return numbers_.empty(); }

  // Their data is there after the next `synchronize`.
  void bringDown() const {
    for (const size_t i : numbers_) memory_.bringDown(phase_[i]);
  }

  void compute(const Backend& cpu, int threads, Turn& turn, std::vector<Report>& reports) const {
    if (empty()) return;
    const Reports done = onHost(cpu, threads, turn);
    for (size_t k = 0; k < numbers_.size(); ++k) {
      reports[numbers_[k]] = done.empty() ? failure(Status::outOfMemory) : done[0][k];
      memory_.bringUp(phase_[numbers_[k]]);
    }
  }

 private:
  Reports onHost(const Backend& cpu, int threads, Turn& turn) const {
    const WithoutDevice others(turn);
    Phases phases(1);
    for (const size_t i : numbers_) phases[0].push_back(phase_[i]);
    return run(cpu, phases, threads);
  }

  const RunMemory& memory_;
  const Phase& phase_;
  std::vector<size_t> numbers_;
};

void wait(const RunState& state) {
  state.results.download();
  state.queue.synchronize();
}

void runPhase(RunState& state, const Backend& cpu, int threads, Turn& turn, const Phase& phase,
              std::vector<Report>& reports) {
  std::vector<size_t> host, unfit;
  TypedPhase<float> single(state, reports, unfit);
  TypedPhase<double> twice(state, reports, unfit);
  for (size_t i = 0; i < phase.size(); ++i) {
    if (!hasDeviceForm(phase[i], state.memory.usesKept(phase[i]))) {
      host.push_back(i);
      continue;
    }
    try {
      if (const auto* job = std::get_if<TypedJob<float>>(&phase[i])) {
        single.add(phase[i], *job, i);
      } else {
        twice.add(phase[i], std::get<TypedJob<double>>(phase[i]), i);
      }
    } catch (const std::bad_alloc&) {
      host.push_back(i);
    }
  }
  const bool examined = single.examine() | twice.examine();
  const HostJobs hostJobs(state.memory, phase, std::move(host));
  hostJobs.bringDown();
  if (examined || !hostJobs.empty()) wait(state);
  const bool judged = single.compute() | twice.compute();
  // While the device is at work.
  hostJobs.compute(cpu, threads, turn, reports);
  if (judged) {
    wait(state);
    single.judge();
    twice.judge();
  }
  if (unfit.empty()) return;
  const HostJobs rest(state.memory, phase, std::move(unfit));
  rest.bringDown();
  wait(state);
  rest.compute(cpu, threads, turn, reports);
}

}  // namespace

class Device::State {
 public:
  State(const DeviceBackend& backend, void* context, Precision how) : queue(backend, context), precision(how) {}

  // Runs this unless the device is lost; false if it is then.
  template <class Body>
  bool guarded(const Body& body) {
    try {
      body();
      return true;
    } catch (const DeviceLost&) {
    } catch (const std::bad_alloc&) {
    }
    lose();
    return false;
  }

  void lose() {
    if (lost) return;
    lost = true;
    reason = queue.reason();
  }

  void runAll(const Backend& cpu, const Phases& phases, int threads, Turn& turn, Reports& reports);

  Turns turns;
  Queue queue;
  Precision precision;
  Mirrors kept;
  bool lost = false;
  std::string reason;
};

void Device::State::runAll(const Backend& cpu, const Phases& phases, int threads, Turn& turn, Reports& reports) {
  RunMemory memory(queue, kept);
  Results results(queue);
  RunState state{queue, memory, results, precision, {}};
  // Those of the host too: what one of them uses as a whole may lie on the device as parts.
  for (const Phase& phase : phases) {
    for (const Job& job : phase) memory.announce(job);
  }
  memory.announced();
  for (size_t i = 0; i < phases.size(); ++i) {
    if (i > 0) WithoutDevice others(turn);
    runPhase(state, cpu, threads, turn, phases[i], reports[i]);
  }
  memory.finish();
  wait(state);
  for (const auto& ending : state.endings) ending();
}

Device::Device(const DeviceBackend& backend, void* context, Precision precision)
    : state_(std::make_unique<State>(backend, context, precision)) {}

Device::~Device() = default;

bool Device::keep(const void* host, int64_t bytes) {
  const Turn turn(state_->turns);
  State& state = *state_;
  if (bytes == 0) return true;
  const uintptr_t begin = reinterpret_cast<uintptr_t>(host);
  if (state.lost) return false;
  if (Mirror* mirror = state.kept.find(begin, bytes); mirror != nullptr && mirror->begin == begin) {
    ++mirror->keepers;
    return true;
  }
  try {
    Mirror mirror{begin, bytes, DeviceArray<std::byte>(state.queue, bytes)};
    state.queue.upload(host, mirror.memory.data(), bytes);
    state.kept.add(std::move(mirror));
    return true;
  } catch (const std::bad_alloc&) {
    return false;
  } catch (const DeviceLost&) {
    state.lose();
    return false;
  }
}

void Device::release(const void* host) {
  const Turn turn(state_->turns);
  const uintptr_t begin = reinterpret_cast<uintptr_t>(host);
  Mirror* mirror = state_->kept.find(begin, 1);
  if (mirror != nullptr && mirror->begin == begin) state_->kept.release(*mirror);
}

bool Device::fetch(void* host, int64_t bytes) {
  const Turn turn(state_->turns);
  State& state = *state_;
  const uintptr_t address = reinterpret_cast<uintptr_t>(host);
  const Mirror* mirror = bytes > 0 ? state.kept.find(address, bytes) : nullptr;
  if (mirror == nullptr) return true;
  if (state.lost) return false;
  return state.guarded([&] {
    state.queue.download(mirror->at(address), host, bytes);
    state.queue.synchronize();
  });
}

bool Device::store(const void* host, int64_t bytes) {
  const Turn turn(state_->turns);
  State& state = *state_;
  const uintptr_t address = reinterpret_cast<uintptr_t>(host);
  const Mirror* mirror = bytes > 0 ? state.kept.find(address, bytes) : nullptr;
  if (mirror == nullptr) return true;
  if (state.lost) return false;
  return state.guarded([&] { state.queue.upload(host, mirror->at(address), bytes); });
}

Reports Device::run(const Backend& cpu, const Phases& phases, int threads) {
  Turn turn(state_->turns);
  Reports reports;
  try {
    for (const Phase& phase : phases) reports.emplace_back(phase.size());
  } catch (const std::bad_alloc&) {
    return {};
  }
  if (!state_->lost && state_->guarded([&] { state_->runAll(cpu, phases, threads, turn, reports); })) {
    return reports;
  }
  // What was done before the device was lost lies on the device.
  for (std::vector<Report>& phase : reports) std::fill(phase.begin(), phase.end(), failure(Status::deviceLost));
  return reports;
}

bool Device::memory(int64_t& freeBytes, int64_t& totalBytes) {
  const Turn turn(state_->turns);
  State& state = *state_;
  if (state.lost) return false;
  return state.guarded([&] { state.queue.call(state.queue.backend().memory, &freeBytes, &totalBytes); });
}

bool Device::lost() const {
  const Turn turn(state_->turns);
  return state_->lost;
}

std::string Device::reason() const {
  const Turn turn(state_->turns);
  return state_->lost ? state_->reason : std::string();
}

}  // namespace natgrad
