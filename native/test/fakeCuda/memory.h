// Device memory and page-locked host memory.
//
// Device memory is ordinary memory in a range of addresses of its own. It can be touched only while a DeviceAccess
// lives, that is, while work of a stream is being done: host code that follows a device address dies of it. Every
// allocation ends at a page that is never accessible, and freed addresses are not used again.
#pragma once

#include <cstddef>
#include <string>

namespace natgrad::fakeCuda {

// Null if the device has too little memory left.
void* allocateDevice(size_t bytes);
void freeDevice(void* begin);
size_t deviceBytesUsed();

// Whether [begin, begin + bytes) lies in one allocation that is alive; if not, after a violation that names `what`.
bool checkDevice(const void* begin, size_t bytes, const char* what);
bool isDeviceAddress(const void* address);

void* allocatePinned(size_t bytes);
void freePinned(void* begin);

// Whether a host range may be copied from or to: it is not device memory, and it does not run past the end of
// page-locked memory. Otherwise after a violation.
bool checkHost(const void* begin, size_t bytes);
bool isPinned(const void* address);
size_t pinnedBytes(const void* begin);  // 0 if no page-locked memory begins here

std::string liveMemory(size_t* count);

// Device memory can be read and written while one of these lives. They may be nested.
class DeviceAccess {
 public:
  DeviceAccess();
  ~DeviceAccess();
  DeviceAccess(const DeviceAccess&) = delete;
  DeviceAccess& operator=(const DeviceAccess&) = delete;
};

}  // namespace natgrad::fakeCuda
