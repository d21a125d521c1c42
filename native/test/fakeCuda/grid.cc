#include "grid.h"

#include <setjmp.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <vector>

#include "state.h"

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/common_interface_defs.h>
#endif

namespace natgrad::fakeCuda {

Dim3 threadIdx{}, blockIdx{}, blockDim{}, gridDim{};

namespace {

constexpr size_t stackBytes = size_t(256) << 10;

// A point of execution on a stack of its own.
struct Execution {
  ucontext_t context;
  jmp_buf point;
  bool begun = false;
};

// From the one that runs to another. A jump does not save the mask of signals as swapcontext does, by a call of the
// system that would take most of the time of a kernel with barriers; but AddressSanitizer follows only the latter.
void change(Execution& from, Execution& to) {
#if defined(__SANITIZE_ADDRESS__)
  swapcontext(&from.context, &to.context);
#else
  if (_setjmp(from.point) != 0) return;
  if (to.begun) _longjmp(to.point, 1);
  to.begun = true;
  setcontext(&to.context);
#endif
}

// A stack on which threads of the block run until one of them waits at a barrier: then the stack is that thread's.
struct Fiber {
  Execution execution;
  char* stack;
  Dim3 thread{};  // that waits on it
  int line = 0;   // of the barrier
  bool waits = false;
};

class Scheduler {
 public:
  void run(Dim3 grid, Dim3 block, const std::function<void()>& thread);
  void wait(int line);
  void runThreads();  // on the current fiber

 private:
  void runBlock();
  void resume(Fiber& fiber);
  void leave();  // the current fiber, back to the scheduler
  Fiber& idleFiber();
  bool agree(const std::vector<Fiber*>& waiting) const;

  Execution main_;
  std::vector<std::unique_ptr<Fiber>> fibers_;
  std::vector<Fiber*> idle_;
  std::vector<Fiber*> waiting_;
  Fiber* current_ = nullptr;
  const std::function<void()>* thread_ = nullptr;
  unsigned threads_ = 0;
  unsigned started_ = 0;
  unsigned finished_ = 0;
  bool backwards_ = false;
  bool givenUp_ = false;
#if defined(__SANITIZE_ADDRESS__)
  const void* mainStack_ = nullptr;
  size_t mainStackBytes_ = 0;
#endif
};

Scheduler& scheduler() {
  static Scheduler* const only = new Scheduler;
  return *only;
}

void fiberMain() { scheduler().runThreads(); }

Dim3 indexOf(unsigned position, Dim3 extent) {
  return {position % extent.x, position / extent.x % extent.y, position / extent.x / extent.y};
}

void Scheduler::run(Dim3 grid, Dim3 block, const std::function<void()>& thread) {
  gridDim = grid;
  blockDim = block;
  thread_ = &thread;
  threads_ = block.x * block.y * block.z;
  givenUp_ = false;
  const unsigned blocks = grid.x * grid.y * grid.z;
  const bool backwards = backwards_;
  for (unsigned i = 0; i < blocks && !givenUp_; ++i) {
    blockIdx = indexOf(backwards ? blocks - 1 - i : i, grid);
    runBlock();
  }
  backwards_ = !backwards;
}

void Scheduler::runBlock() {
  started_ = 0;
  finished_ = 0;
  while (started_ < threads_) resume(idleFiber());
  while (!waiting_.empty()) {
    std::vector<Fiber*> released;
    released.swap(waiting_);
    if (!agree(released)) {
      // The stacks of the threads that wait are left as they are; nothing can be expected of them any more.
      givenUp_ = true;
      return;
    }
    if (backwards_) std::reverse(released.begin(), released.end());
    backwards_ = !backwards_;
    for (Fiber* fiber : released) resume(*fiber);
  }
}

bool Scheduler::agree(const std::vector<Fiber*>& waiting) const {
  if (finished_ > 0) {
    violation("%zu threads of a block wait at the barrier in line %d, %u have ended", waiting.size(),
              waiting.front()->line, finished_);
    return false;
  }
  for (const Fiber* fiber : waiting) {
    if (fiber->line == waiting.front()->line) continue;
    violation("threads of a block wait at different barriers, in lines %d and %d", waiting.front()->line, fiber->line);
    return false;
  }
  return true;
}

Fiber& Scheduler::idleFiber() {
  if (idle_.empty()) {
    const size_t page = static_cast<size_t>(sysconf(_SC_PAGESIZE));
    void* memory =
        mmap(nullptr, stackBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED || mprotect(memory, page, PROT_NONE) != 0) {
      std::perror("fake CUDA: no stack for a thread");
      std::abort();
    }
    auto fiber = std::make_unique<Fiber>();
    fiber->stack = static_cast<char*>(memory);
    getcontext(&fiber->execution.context);
    fiber->execution.context.uc_stack.ss_sp = memory;
    fiber->execution.context.uc_stack.ss_size = stackBytes;
    fiber->execution.context.uc_link = nullptr;
    makecontext(&fiber->execution.context, fiberMain, 0);
    idle_.push_back(fiber.get());
    fibers_.push_back(std::move(fiber));
  }
  Fiber& fiber = *idle_.back();
  idle_.pop_back();
  return fiber;
}

void Scheduler::resume(Fiber& fiber) {
  main_.begun = true;
  current_ = &fiber;
  if (fiber.waits) {
    threadIdx = fiber.thread;
    fiber.waits = false;
  }
#if defined(__SANITIZE_ADDRESS__)
  void* fakeStack = nullptr;
  __sanitizer_start_switch_fiber(&fakeStack, fiber.stack, stackBytes);
#endif
  change(main_, fiber.execution);
#if defined(__SANITIZE_ADDRESS__)
  __sanitizer_finish_switch_fiber(fakeStack, nullptr, nullptr);
#endif
}

void Scheduler::leave() {
#if defined(__SANITIZE_ADDRESS__)
  void* fakeStack = nullptr;
  __sanitizer_start_switch_fiber(&fakeStack, mainStack_, mainStackBytes_);
#endif
  change(current_->execution, main_);
#if defined(__SANITIZE_ADDRESS__)
  __sanitizer_finish_switch_fiber(fakeStack, &mainStack_, &mainStackBytes_);
#endif
}

void Scheduler::runThreads() {
#if defined(__SANITIZE_ADDRESS__)
  __sanitizer_finish_switch_fiber(nullptr, &mainStack_, &mainStackBytes_);
#endif
  for (;;) {
    while (started_ < threads_) {
      const unsigned position = started_++;
      threadIdx = indexOf(backwards_ ? threads_ - 1 - position : position, blockDim);
      (*thread_)();
      ++finished_;
    }
    idle_.push_back(current_);
    leave();
  }
}

void Scheduler::wait(int line) {
  current_->thread = threadIdx;
  current_->line = line;
  current_->waits = true;
  waiting_.push_back(current_);
  leave();
}

}  // namespace

void runGrid(Dim3 grid, Dim3 block, const std::function<void()>& thread) { scheduler().run(grid, block, thread); }

void barrier(int line) { scheduler().wait(line); }

}  // namespace natgrad::fakeCuda
