// A lock that those who wait get in the order in which they came.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <mutex>

namespace natgrad {

// For std::lock_guard and std::unique_lock. Whoever unlocks and locks again lets everybody in who waits by then; an
// ordinary mutex would mostly be had back before one of them has woken up.
class Turns {
 public:
  void lock() {
    std::unique_lock<std::mutex> guard(mutex_);
    const uint64_t mine = last_++;
    changed_.wait(guard, [&] { return current_ == mine; });
  }

  void unlock() {
    {
      const std::lock_guard<std::mutex> guard(mutex_);
      ++current_;
    }
    changed_.notify_all();
  }

  // How many hold the lock or wait for it.
  uint64_t size() {
    const std::lock_guard<std::mutex> guard(mutex_);
    return last_ - current_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  uint64_t current_ = 0, last_ = 0;
};

}  // namespace natgrad
