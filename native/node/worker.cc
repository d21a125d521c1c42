#include "node/worker.h"

#include <algorithm>
#include <cstdlib>
#include <utility>

namespace natgrad {

namespace {

// All workers of the process. When it ends by process.exit, no environment is taken down, but the destructors of OpenBLAS run; the workers
// have to be stopped before those take away what they are using.
class Workers {
 public:
  // Leaked, so that it outlives every destructor.
  static Workers& all() {
    static Workers& instance = *std::make_unique<Workers>().release();
    return instance;
  }

  void add(Worker* worker) {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (!hooked_) {
      std::atexit([] { all().stop(); });
      hooked_ = true;
    }
    workers_.push_back(worker);
  }

  void remove(Worker* worker) {
    const std::lock_guard<std::mutex> lock(mutex_);
    workers_.erase(std::remove(workers_.begin(), workers_.end(), worker), workers_.end());
  }

 private:
  void stop() {
    const std::lock_guard<std::mutex> lock(mutex_);
    for (Worker* worker : workers_) worker->stop();
  }

  std::mutex mutex_;
  std::vector<Worker*> workers_;
  bool hooked_ = false;
};

}  // namespace

Worker::Worker(const Backend& backend, std::function<void()> announce)
    : backend_(backend), announce_(std::move(announce)), thread_([this] { loop(); }) {
  Workers::all().add(this);
}

Worker::~Worker() {
  Workers::all().remove(this);
  stop();
}

void Worker::stop() {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    stopping_ = true;
  }
  arrived_.notify_all();
  if (thread_.joinable()) thread_.join();
}

void Worker::submit(std::shared_ptr<Submission> submission) {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    lastSubmitted_ = submission->ticket;
    queue_.push_back(std::move(submission));
  }
  arrived_.notify_one();
}

bool Worker::finished(uint64_t ticket) {
  const std::lock_guard<std::mutex> lock(mutex_);
  return lastFinished_ >= ticket;
}

bool Worker::busy() {
  const std::lock_guard<std::mutex> lock(mutex_);
  return lastFinished_ < lastSubmitted_;
}

void Worker::wait(uint64_t ticket) {
  std::unique_lock<std::mutex> lock(mutex_);
  done_.wait(lock, [&] { return lastFinished_ >= ticket; });
}

bool Worker::askToBeTold(uint64_t ticket) {
  const std::lock_guard<std::mutex> lock(mutex_);
  if (lastFinished_ >= ticket) return false;
  if (tellUpTo_ < ticket) tellUpTo_ = ticket;
  return true;
}

void Worker::loop() {
  for (;;) {
    std::shared_ptr<Submission> next;
    {
      std::unique_lock<std::mutex> lock(mutex_);
      arrived_.wait(lock, [&] { return stopping_ || !queue_.empty(); });
      if (stopping_) return;
      next = std::move(queue_.front());
      queue_.pop_front();
    }
    next->reports = next->device ? next->device->run(backend_, next->phases, next->threads)
                                 : run(backend_, next->phases, next->threads);
    next->device.reset();
    // JavaScript's handle may outlive this by long: its finaliser runs only when the event loop turns.
    Phases().swap(next->phases);
    std::vector<Buffer<std::byte>>().swap(next->copies);
    bool tell = false;
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      lastFinished_ = next->ticket;
      tell = !stopping_ && tellUpTo_ >= next->ticket;
    }
    done_.notify_all();
    if (tell) announce_();
  }
}

}  // namespace natgrad
