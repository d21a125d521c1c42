#include "state.h"

#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <utility>
#include <vector>

#include "fakeCuda.h"
#include "functions.h"
#include "memory.h"

namespace natgrad::fakeCuda {
namespace {

struct Fault {
  std::string name;
  long call;
  bool allAfter;
  int code;
};

struct State {
  std::recursive_mutex mutex;
  Settings settings{};
  std::vector<Fault> faults;
  std::map<std::string, long> calls;
  long lostAfter = -1;
  bool strictExit = false;
  bool record = false;
  long violations = 0;
  std::string lastViolation;
  std::map<const void*, Kind> objects;
  std::vector<std::shared_ptr<void>> kept;
  const char* call = "no call";
};

long number(const char* variable, long otherwise) {
  const char* text = std::getenv(variable);
  return text == nullptr || *text == 0 ? otherwise : std::atol(text);
}

std::vector<Fault> faultsOf(std::string text) {
  std::vector<Fault> faults;
  while (!text.empty()) {
    const std::string one = text.substr(0, text.find(','));
    text = one.size() == text.size() ? "" : text.substr(one.size() + 1);
    char name[64];
    char call[32];
    int code = 0;
    if (std::sscanf(one.c_str(), "%63[^:]:%31[^:]:%d", name, call, &code) != 3) {
      std::fprintf(stderr, "fake CUDA: FAKE_CUDA_FAIL has no name:n:code in '%s'\n", one.c_str());
      std::abort();
    }
    faults.push_back({name, std::atol(call), call[std::strlen(call) - 1] == '+', code});
  }
  return faults;
}

void readEnvironment(State& state) {
  const char* fail = std::getenv("FAKE_CUDA_FAIL");
  const char* exit = std::getenv("FAKE_CUDA_EXIT");
  state.faults = faultsOf(fail == nullptr ? "" : fail);
  state.lostAfter = number("FAKE_CUDA_LOST_AFTER", -1);
  state.strictExit = exit != nullptr && std::strcmp(exit, "strict") == 0;
  state.settings.memory = static_cast<size_t>(number("FAKE_CUDA_MEMORY", 2L << 30));
  state.settings.driverVersion = static_cast<int>(number("FAKE_CUDA_DRIVER", 13000));
  state.settings.devices = static_cast<int>(number("FAKE_CUDA_DEVICES", 1));
  state.settings.computeCapability = static_cast<int>(number("FAKE_CUDA_COMPUTE", 90));
}

// Never destroyed, because other libraries may call until the very end of the process.
State& state() {
  static State* const only = [] {
    State* made = new State;
    readEnvironment(*made);
    std::atexit([] {
      if (!state().strictExit || deviceLost()) return;
      size_t count = 0;
      const std::string text = liveObjects(&count);
      if (count > 0) violation("left at the end of the process: %s", text.c_str());
    });
    return made;
  }();
  return *only;
}

thread_local void* threadContext = nullptr;

const char* nameOf(Kind kind) {
  switch (kind) {
    case Kind::context:
      return "context";
    case Kind::stream:
      return "stream";
    case Kind::event:
      return "event";
    case Kind::module:
      return "module";
    case Kind::function:
      return "function";
    case Kind::blasHandle:
      return "cuBLAS handle";
    case Kind::solverHandle:
      return "cuSOLVER handle";
  }
  return "object";
}

int statusOfLost(Library library) {
  switch (library) {
    case Library::driver:
      return driverIllegalAddress;
    case Library::blas:
      return blasExecutionFailed;
    case Library::solver:
      return solverExecutionFailed;
  }
  return 0;
}

int statusWithoutContext(Library library) {
  switch (library) {
    case Library::driver:
      return driverInvalidContext;
    case Library::blas:
      return blasNotInitialized;
    case Library::solver:
      return solverNotInitialized;
  }
  return 0;
}

}  // namespace

void violation(const char* format, ...) {
  char text[1024];
  va_list arguments;
  va_start(arguments, format);
  std::vsnprintf(text, sizeof text, format, arguments);
  va_end(arguments);
  State& all = state();
  all.lastViolation = std::string(all.call) + ": " + text;
  ++all.violations;
  if (all.record) return;
  std::fprintf(stderr, "fake CUDA: %s\n", all.lastViolation.c_str());
  std::fflush(stderr);
  std::abort();
}

InCall::InCall(const char* name) : outer_(state().call) { state().call = name; }
InCall::~InCall() { state().call = outer_; }
const char* currentCall() { return state().call; }

Call::Call(const char* name, Library library, bool needsContext) : lock_(state().mutex), name_(name) {
  State& all = state();
  const long total = ++all.calls["*"];
  const long own = ++all.calls[name];
  for (const Fault& fault : all.faults) {
    const long count = fault.name == "*" ? total : fault.name == name ? own : 0;
    if (count == fault.call || (fault.allAfter && count > fault.call)) fault_ = fault.code;
  }
  if (deviceLost()) {
    fault_ = statusOfLost(library);
  } else if (fault_ == 0 && needsContext && all.objects.count(currentContext()) == 0) {
    violation("no context that is alive is current on the calling thread");
    fault_ = statusWithoutContext(library);
  }
}

bool deviceLost() { return state().lostAfter >= 0 && state().calls["*"] > state().lostAfter; }

const Settings& settings() { return state().settings; }

void keepForever(std::shared_ptr<void> object) { state().kept.push_back(std::move(object)); }

void addObject(const void* object, Kind kind) { state().objects[object] = kind; }

bool removeObject(const void* object, Kind kind) {
  return checkObject(object, kind) && state().objects.erase(object) > 0;
}

bool checkObject(const void* object, Kind kind) {
  const auto found = state().objects.find(object);
  if (found != state().objects.end() && found->second == kind) return true;
  if (object == nullptr) {
    violation("the %s is null", nameOf(kind));
  } else {
    violation("%p is no %s that is alive", object, nameOf(kind));
  }
  return false;
}

std::string liveObjects(size_t* count) {
  std::map<std::string, long> kinds;
  for (const auto& entry : state().objects) ++kinds[nameOf(entry.second)];
  kinds.erase(nameOf(Kind::function));  // they go with their module
  std::string text = liveMemory(count);
  for (const auto& [name, objects] : kinds) {
    *count += static_cast<size_t>(objects);
    text += (text.empty() ? "" : ", ") + std::to_string(objects) + " " + name + (objects == 1 ? "" : "s");
  }
  return text;
}

void setCurrentContext(void* context) { threadContext = context; }
void* currentContext() { return threadContext; }

}  // namespace natgrad::fakeCuda

using namespace natgrad::fakeCuda;

void fakeCudaReset() {
  const std::lock_guard<std::recursive_mutex> lock(state().mutex);
  readEnvironment(state());
  state().calls.clear();
  state().record = false;
  state().violations = 0;
  state().lastViolation.clear();
}

void fakeCudaFailCall(const char* name, long nth, int code) {
  const std::lock_guard<std::recursive_mutex> lock(state().mutex);
  state().faults.push_back({name, state().calls[name] + nth, false, code});
}

void fakeCudaLoseDevice(long calls) {
  const std::lock_guard<std::recursive_mutex> lock(state().mutex);
  state().lostAfter = calls < 0 ? -1 : state().calls["*"] + calls;
}

void fakeCudaLimitMemory(size_t bytes) {
  const std::lock_guard<std::recursive_mutex> lock(state().mutex);
  state().settings.memory = bytes;
}

long fakeCudaCalls(const char* name) {
  const std::lock_guard<std::recursive_mutex> lock(state().mutex);
  return state().calls[name];
}

void fakeCudaRecordViolations(bool record) { state().record = record; }
long fakeCudaViolations() { return state().violations; }
const char* fakeCudaLastViolation() { return state().lastViolation.c_str(); }

size_t fakeCudaReport(char* text, size_t size) {
  const std::lock_guard<std::recursive_mutex> lock(state().mutex);
  size_t count = 0;
  const std::string all = liveObjects(&count);
  if (text != nullptr && size > 0) std::snprintf(text, size, "%s", all.c_str());
  return count;
}
