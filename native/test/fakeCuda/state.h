// What the three libraries share: violations, faults on demand, and which objects are alive. It lives in libcuda.
#pragma once

#include <cstddef>
#include <memory>
#include <mutex>
#include <string>

namespace natgrad::fakeCuda {

enum class Library { driver, blas, solver };

enum class Kind { context, stream, event, module, function, blasHandle, solverHandle };

// Says what was wrong and ends the process, or counts it if a test asked for that.
[[gnu::format(printf, 1, 2)]] void violation(const char* format, ...);

// While one lives, messages speak of this call: the one that is being served, or the one whose deferred work is done.
class InCall {
 public:
  explicit InCall(const char* name);
  ~InCall();
  InCall(const InCall&) = delete;
  InCall& operator=(const InCall&) = delete;

 private:
  const char* outer_;
};
const char* currentCall();

// A call from outside: holds the lock over all fakes for as long as it lives, is counted, and knows whether it is to
// fail.
class Call {
 public:
  Call(const char* name, Library library, bool needsContext = true);

  // Zero, or what the call is to return at once.
  int fault() const { return fault_; }

 private:
  std::lock_guard<std::recursive_mutex> lock_;
  InCall name_;
  int fault_ = 0;
};

bool deviceLost();

struct Settings {
  size_t memory;
  int driverVersion;
  int devices;
  int computeCapability;
};
const Settings& settings();

// Owns what a handle points to until the process ends, so that no other handle ever has its address.
void keepForever(std::shared_ptr<void> object);
template <class T>
T* makeForever() {
  const auto object = std::make_shared<T>();
  keepForever(object);
  return object.get();
}

void addObject(const void* object, Kind kind);
bool removeObject(const void* object, Kind kind);
bool checkObject(const void* object, Kind kind);  // false, after a violation, if it is not alive
std::string liveObjects(size_t* count);

// Of the calling thread; null for none.
void setCurrentContext(void* context);
void* currentContext();

}  // namespace natgrad::fakeCuda
