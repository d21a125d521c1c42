// libcuda: initialisation, devices, primary contexts, names of errors.
#include <array>
#include <cstdio>
#include <cstring>

#include "fakeCuda.h"
#include "functions.h"
#include "memory.h"
#include "state.h"
#include "stream.h"

namespace natgrad::fakeCuda {
namespace {

struct Context {
  int retained = 0;
};

bool initialized = false;

// Contexts of the devices; one that was released for good is replaced by another, at another address.
std::array<Context*, 16>& contexts() {
  static std::array<Context*, 16> all{};
  return all;
}

int checkDeviceNumber(int device) {
  if (!initialized) {
    violation("cuInit has not been called");
    return driverNotInitialized;
  }
  if (device >= 0 && device < settings().devices) return 0;
  violation("there is no device %d", device);
  return driverInvalidDevice;
}

struct Attribute {
  int number;
  int value;
};
constexpr std::array<Attribute, 7> attributes{{
    {1, 1024},       // threads per block
    {8, 48 << 10},   // shared memory per block, bytes
    {10, 32},        // threads per warp
    {13, 1980000},   // clock, kHz
    {16, 132},       // multiprocessors
    {97, 227 << 10}  // shared memory per block that can be asked for, bytes
}};
constexpr int computeCapabilityMajor = 75;
constexpr int computeCapabilityMinor = 76;

struct ErrorName {
  int code;
  const char* name;
  const char* text;
};
constexpr std::array<ErrorName, 12> errorNames{{
    {0, "CUDA_SUCCESS", "no error"},
    {driverInvalidValue, "CUDA_ERROR_INVALID_VALUE", "invalid argument"},
    {driverOutOfMemory, "CUDA_ERROR_OUT_OF_MEMORY", "out of memory"},
    {driverNotInitialized, "CUDA_ERROR_NOT_INITIALIZED", "initialization error"},
    {driverNoDevice, "CUDA_ERROR_NO_DEVICE", "no CUDA-capable device is detected"},
    {driverInvalidDevice, "CUDA_ERROR_INVALID_DEVICE", "invalid device ordinal"},
    {driverInvalidContext, "CUDA_ERROR_INVALID_CONTEXT", "invalid device context"},
    {driverNoBinaryForGpu, "CUDA_ERROR_NO_BINARY_FOR_GPU", "no kernel image is available for execution on the device"},
    {driverInvalidPtx, "CUDA_ERROR_INVALID_PTX", "a PTX JIT compilation failed"},
    {driverUnsupportedPtxVersion, "CUDA_ERROR_UNSUPPORTED_PTX_VERSION",
     "the provided PTX was compiled with an unsupported toolchain."},
    {driverInvalidHandle, "CUDA_ERROR_INVALID_HANDLE", "invalid resource handle"},
    {driverIllegalAddress, "CUDA_ERROR_ILLEGAL_ADDRESS", "an illegal memory access was encountered"},
}};

const ErrorName* errorName(int code) {
  for (const ErrorName& error : errorNames) {
    if (error.code == code) return &error;
  }
  return nullptr;
}

}  // namespace
}  // namespace natgrad::fakeCuda

using namespace natgrad::fakeCuda;

int cuInit(unsigned flags) {
  const Call call("cuInit", Library::driver, false);
  if (call.fault() != 0) return call.fault();
  if (flags != 0) return driverInvalidValue;
  if (settings().devices == 0) return driverNoDevice;
  initialized = true;
  return 0;
}

int cuDriverGetVersion(int* version) {
  const Call call("cuDriverGetVersion", Library::driver, false);
  if (call.fault() != 0) return call.fault();
  *version = settings().driverVersion;
  return 0;
}

int cuDeviceGetCount(int* count) {
  const Call call("cuDeviceGetCount", Library::driver, false);
  if (call.fault() != 0) return call.fault();
  if (!initialized) {
    violation("cuInit has not been called");
    return driverNotInitialized;
  }
  *count = settings().devices;
  return 0;
}

int cuDeviceGet(int* device, int ordinal) {
  const Call call("cuDeviceGet", Library::driver, false);
  if (call.fault() != 0) return call.fault();
  if (const int status = checkDeviceNumber(ordinal)) return status;
  *device = ordinal;
  return 0;
}

int cuDeviceGetName(char* name, int length, int device) {
  const Call call("cuDeviceGetName", Library::driver, false);
  if (call.fault() != 0) return call.fault();
  if (const int status = checkDeviceNumber(device)) return status;
  std::snprintf(name, static_cast<size_t>(length), "Fake GPU");
  return 0;
}

int cuDeviceGetAttribute(int* value, int attribute, int device) {
  const Call call("cuDeviceGetAttribute", Library::driver, false);
  if (call.fault() != 0) return call.fault();
  if (const int status = checkDeviceNumber(device)) return status;
  if (attribute == computeCapabilityMajor || attribute == computeCapabilityMinor) {
    const int capability = settings().computeCapability;
    *value = attribute == computeCapabilityMajor ? capability / 10 : capability % 10;
    return 0;
  }
  for (const Attribute& known : attributes) {
    if (known.number != attribute) continue;
    *value = known.value;
    return 0;
  }
  violation("the fake device does not know attribute %d", attribute);
  return driverInvalidValue;
}

int cuDeviceTotalMem_v2(size_t* bytes, int device) {
  const Call call("cuDeviceTotalMem_v2", Library::driver, false);
  if (call.fault() != 0) return call.fault();
  if (const int status = checkDeviceNumber(device)) return status;
  *bytes = settings().memory;
  return 0;
}

int cuDevicePrimaryCtxRetain(void** context, int device) {
  const Call call("cuDevicePrimaryCtxRetain", Library::driver, false);
  if (call.fault() != 0) return call.fault();
  if (const int status = checkDeviceNumber(device)) return status;
  Context*& primary = contexts()[static_cast<size_t>(device)];
  if (primary == nullptr) {
    primary = makeForever<Context>();
    addObject(primary, Kind::context);
  }
  ++primary->retained;
  *context = primary;
  return 0;
}

int cuDevicePrimaryCtxRelease_v2(int device) {
  const Call call("cuDevicePrimaryCtxRelease_v2", Library::driver, false);
  const bool lost = deviceLost();
  if (call.fault() != 0 && !lost) return call.fault();
  if (const int status = checkDeviceNumber(device)) return status;
  Context*& primary = contexts()[static_cast<size_t>(device)];
  if (primary == nullptr) {
    violation("the context was not retained as often");
    return driverInvalidContext;
  }
  if (--primary->retained > 0) return call.fault();
  finishAllStreams();
  removeObject(primary, Kind::context);
  primary = nullptr;
  size_t count = 0;
  const std::string left = liveObjects(&count);
  if (count > 0 && !lost) violation("left when the context is released: %s", left.c_str());
  return call.fault();
}

int cuCtxSetCurrent(void* context) {
  const Call call("cuCtxSetCurrent", Library::driver, false);
  if (call.fault() != 0) return call.fault();
  if (context != nullptr && !checkObject(context, Kind::context)) return driverInvalidContext;
  setCurrentContext(context);
  return 0;
}

int cuCtxGetCurrent(void** context) {
  const Call call("cuCtxGetCurrent", Library::driver, false);
  if (call.fault() != 0) return call.fault();
  *context = currentContext();
  return 0;
}

int cuGetErrorName(int code, const char** name) {
  const ErrorName* error = errorName(code);
  *name = error == nullptr ? nullptr : error->name;
  return error == nullptr ? driverInvalidValue : 0;
}

int cuGetErrorString(int code, const char** text) {
  const ErrorName* error = errorName(code);
  *text = error == nullptr ? nullptr : error->text;
  return error == nullptr ? driverInvalidValue : 0;
}
