// The thread that works on what is submitted, first in, first out. Knows nothing of JavaScript.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "core/buffer.h"
#include "core/device/device.h"
#include "core/jobs.h"

namespace natgrad {

// Which thread submitted work goes to: that of long work, or one for short work that is needed soon and must not wait behind it.
enum class Lane : int32_t { background, soon };
constexpr int laneCount = 2;

// Jobs that were handed over, and what became of them.
struct Submission {
  Lane lane = Lane::background;
  uint64_t ticket = 0;
  int threads = 1;
  Phases phases;
  std::shared_ptr<Device> device;  // null: the processor computes
  std::vector<Buffer<std::byte>> copies;  // memory that only this work uses
  Reports reports;                                   // to be read once finished
};

class Worker {
 public:
  // `announce` is called on the worker's thread after a submission that someone asked to be told about.
  Worker(const Backend& backend, std::function<void()> announce);
  ~Worker();
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  void submit(std::shared_ptr<Submission> submission);
  bool finished(uint64_t ticket);
  // Whether there is work that is not finished.
  bool busy();
  void wait(uint64_t ticket);
  // Finishes the submission under way and drops the others. Nothing can be submitted afterwards.
  void stop();
  // True if the work is not finished yet, and then `announce` will be called when it is.
  bool askToBeTold(uint64_t ticket);

 private:
  void loop();

  const Backend& backend_;
  const std::function<void()> announce_;
  std::mutex mutex_;
  std::condition_variable arrived_, done_;
  std::deque<std::shared_ptr<Submission>> queue_;
  uint64_t lastSubmitted_ = 0;
  uint64_t lastFinished_ = 0;  // tickets are given out in the order of the queue, with gaps
  uint64_t tellUpTo_ = 0;
  bool stopping_ = false;
  std::thread thread_;  // last, so that all else is there when it starts
};

}  // namespace natgrad
