// Several threads on one device: who waits for whom.
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <thread>
#include <vector>

#include "check.h"
#include "core/device/turns.h"
#include "cudaDevice.h"

using namespace natgrad;
using namespace natgrad::test;

namespace {

// Something that happens once. Waiting for it ends after a minute, so that a deadlock is a failure.
class Event {
 public:
  void happen() {
    {
      const std::lock_guard<std::mutex> guard(mutex_);
      happened_ = true;
    }
    changed_.notify_all();
  }
  bool wait() {
    std::unique_lock<std::mutex> guard(mutex_);
    return changed_.wait_for(guard, std::chrono::minutes(1), [&] { return happened_; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool happened_ = false;
};

// A product on the host that takes until it is told to end.
struct SlowHost {
  Event begun, mayEnd;
  bool ended = false;

  Backend backend() {
    current() = this;
    Backend slow = cpuBackend();
    slow.f32.gemm = [](bool transposeA, bool transposeB, int64_t m, int64_t n, int64_t k, float alpha, const float* a,
                       int64_t lda, const float* b, int64_t ldb, float beta, float* c, int64_t ldc) {
      current()->begun.happen();
      current()->ended = current()->mayEnd.wait();
      cpuBackend().f32.gemm(transposeA, transposeB, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc);
    };
    return slow;
  }

 private:
  static SlowHost*& current() {
    static SlowHost* host = nullptr;
    return host;
  }
};

template <class J>
Job job(const J& of) {
  return Job(TypedJob<float>(of));
}

CombineJob<float> doubled(const std::vector<float>& from, std::vector<float>& to) {
  return {{{from.data(), 2}}, to.data(), static_cast<int64_t>(to.size())};
}

}  // namespace

TEST("while the host computes a job of a run, others keep, fetch, run and release, also what the run uses") {
  const OpenDevice device;
  SlowHost host;
  const Backend slow = host.backend();
  std::vector<float> x(6, 1), g(4, 1), out(6), kept = {1, 2, 3}, other = {4, 5, 6};
  keep(*device, kept);
  keep(*device, out);
  // 2 rows of 3 columns with 2 outputs: two rows of one example, out = X'G; scores have no device form.
  const Rows<float> rows{x.data(), 2, 3, false, ConvGeometry()};
  const Phases phases{{job(ScoresJob<float>{rows, g.data(), 2, 1, false, 1, 0, out.data()})}, {job(doubled(out, out))}};
  Reports reports;
  std::thread run([&] { reports = device->run(slow, phases, 1); });
  CHECK(host.begun.wait());
  CHECK(keep(*device, other));
  CHECK(device.run<float>(doubled(kept, other)).status == Status::ok);
  CHECK(fetch(*device, other));
  device->release(other.data());
  device->release(out.data());
  CHECK(!device->lost());
  host.mayEnd.happen();
  run.join();
  CHECK(host.ended);
  CHECK(reports[0][0].status == Status::ok && reports[1][0].status == Status::ok);
  CHECK((other == std::vector<float>{2, 4, 6}));
  // What the host has computed is in its memory; the twofold was on the device, and is gone since the release.
  CHECK(out[0] == 2);
  CHECK(keep(*device, out));
  CHECK(device.run<float>(doubled(out, out)).status == Status::ok);
  CHECK(fetch(*device, out));
  CHECK(out[0] == 4);
}

TEST("whoever unlocks and locks again is behind those who wait") {
  Turns turns;
  std::vector<int> order;
  turns.lock();
  const auto enter = [&](int who) {
    const std::lock_guard<Turns> turn(turns);
    order.push_back(who);
  };
  std::vector<std::thread> threads;
  for (int who = 1; who <= 3; ++who) {
    threads.emplace_back(enter, who);
    while (turns.size() != static_cast<uint64_t>(who) + 1) std::this_thread::yield();
  }
  order.push_back(0);
  turns.unlock();
  turns.lock();
  order.push_back(4);
  turns.unlock();
  for (std::thread& thread : threads) thread.join();
  CHECK((order == std::vector<int>{0, 1, 2, 3, 4}));
}

int main() { return runTests(); }
