// Threads that wait for work; shared by every caller in the process.
#pragma once

#include <functional>
#include <vector>

namespace natgrad {

// A piece of work, and a measure of how long it takes against the others it is handed over with.
struct Task {
  double cost;
  std::function<void()> work;  // must not throw
};

// Runs every task once, on the calling thread and up to threads - 1 others, the costly ones first, and returns when all
// are done. Which thread takes which task is left to chance, so a task's result must not depend on it. May be called
// from several threads at once; they then share the threads there are, and none waits for another's tasks.
void runTasks(std::vector<Task>& tasks, int threads);

}  // namespace natgrad
