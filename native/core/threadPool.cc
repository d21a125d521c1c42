#include "core/threadPool.h"

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <deque>
#include <exception>
#include <memory>
#include <mutex>
#include <numeric>
#include <thread>

namespace natgrad {

namespace {

// The tasks of one call. A helper that comes when all are taken finds nothing to do, so it need not be called off.
class Batch {
 public:
  explicit Batch(std::vector<Task>& tasks) : tasks_(tasks), size_(tasks.size()) {}

  void work() {
    for (;;) {
      const size_t next = next_.fetch_add(1);
      if (next >= size_) return;
      tasks_[next].work();
      const std::lock_guard<std::mutex> lock(mutex_);
      if (++done_ == size_) allDone_.notify_all();
    }
  }

  void wait() {
    std::unique_lock<std::mutex> lock(mutex_);
    allDone_.wait(lock, [this] { return done_ == size_; });
  }

 private:
  std::vector<Task>& tasks_;  // lives until wait() has returned; not touched by those who come later
  const size_t size_;
  std::atomic<size_t> next_{0};
  size_t done_ = 0;
  std::mutex mutex_;
  std::condition_variable allDone_;
};

class ThreadPool {
 public:
  // Asks for `helpers` threads to take part in the batch. Fewer come if the system has no more threads to give.
  void help(const std::shared_ptr<Batch>& batch, size_t helpers) {
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      try {
        while (threads_.size() < helpers) threads_.emplace_back([this] { serve(); });
        for (size_t i = 0; i < helpers; ++i) queue_.push_back(batch);
      } catch (const std::exception&) {
        // No thread or no memory for one: the caller does what the helper would have done.
      }
    }
    wake_.notify_all();
  }

 private:
  void serve() {
    for (;;) {
      std::shared_ptr<Batch> batch;
      {
        std::unique_lock<std::mutex> lock(mutex_);
        wake_.wait(lock, [this] { return !queue_.empty(); });
        batch = std::move(queue_.front());
        queue_.pop_front();
      }
      batch->work();
    }
  }

  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<std::shared_ptr<Batch>> queue_;
  std::vector<std::thread> threads_;
};

// Never destroyed: its threads end with the process. A destructor would run after Windows has ended them wherever they
// stood, and would wait for ever for one that held a lock.
ThreadPool& pool() {
  static ThreadPool& instance = *std::make_unique<ThreadPool>().release();
  return instance;
}

}  // namespace

void runTasks(std::vector<Task>& tasks, int threads) {
  std::sort(tasks.begin(), tasks.end(), [](const Task& a, const Task& b) { return a.cost > b.cost; });
  const double total =
      std::accumulate(tasks.begin(), tasks.end(), 0.0, [](double sum, const Task& t) { return sum + t.cost; });
  // Waking a thread takes longer than this many operations.
  constexpr double worthwhile = 2e5;
  const size_t wanted = static_cast<size_t>(std::max(threads, 1));
  const size_t helpers = std::min(wanted, tasks.size()) - (tasks.empty() ? 0 : 1);
  if (helpers == 0 || total < worthwhile) {
    for (Task& task : tasks) task.work();
    return;
  }
  const auto batch = std::make_shared<Batch>(tasks);
  pool().help(batch, helpers);
  batch->work();
  batch->wait();
}

}  // namespace natgrad
