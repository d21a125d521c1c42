#include "cuda/plugin.h"

#include <algorithm>
#include <cstring>
#include <new>
#include <string>

#include "cuda/context.h"
#include "cuda/operations.h"

namespace natgrad::cuda {

namespace {

template <size_t size>
void put(char (&to)[size], const std::string& from) {
  const size_t length = std::min(size - 1, from.size());
  std::memcpy(to, from.data(), length);
  to[length] = '\0';
}

void describe(const Library& library, const std::string& version, CudaLibrary& to) {
  put(to.name, library.name);
  put(to.path, library.path);
  if (library.handle != nullptr) put(to.version, version);
}

// Free memory is only known inside a context.
void measureMemory(const Driver& driver, int device, CudaDevice& to) {
  void* context = nullptr;
  void* before = nullptr;
  if (driver.cuDevicePrimaryCtxRetain(&context, device) != cudaSuccess) return;
  if (driver.cuCtxGetCurrent(&before) == cudaSuccess && driver.cuCtxSetCurrent(context) == cudaSuccess) {
    size_t freeBytes = 0, totalBytes = 0;
    if (driver.cuMemGetInfo_v2(&freeBytes, &totalBytes) == cudaSuccess) {
      to.freeBytes = static_cast<int64_t>(freeBytes);
      to.totalBytes = static_cast<int64_t>(totalBytes);
    }
    driver.cuCtxSetCurrent(before);
  }
  driver.cuDevicePrimaryCtxRelease_v2(device);
}

void describeDevice(const Driver& driver, int ordinal, CudaDevice& to) {
  int device = 0;
  if (driver.cuDeviceGet(&device, ordinal) != cudaSuccess) return;
  if (driver.cuDeviceGetName(to.name, static_cast<int>(sizeof to.name), device) != cudaSuccess) to.name[0] = '\0';
  driver.cuDeviceGetAttribute(&to.major, computeCapabilityMajor, device);
  driver.cuDeviceGetAttribute(&to.minor, computeCapabilityMinor, device);
  size_t bytes = 0;
  if (driver.cuDeviceTotalMem_v2(&bytes, device) == cudaSuccess) to.totalBytes = static_cast<int64_t>(bytes);
  measureMemory(driver, device, to);
}

std::string solverVersion(const Cusolver& solver) {
  std::string version;
  for (int property = 0; property < 3; ++property) {
    int number = 0;
    if (solver.cusolverGetProperty(property, &number) != solverSuccess) return std::string();
    version += (property > 0 ? "." : "") + std::to_string(number);
  }
  return version;
}

// Its version can be asked only of a handle, which takes a context; the numbers in the name of the file are the same.
std::string blasVersion(const Library& library) {
  const size_t dot = library.path.find(".so.");
  return dot == std::string::npos ? std::string() : library.path.substr(dot + 4);
}

// Fills in what there is and returns what is missing.
std::string search(CudaProbe& probe) {
  Libraries libraries;
  const Driver& driver = libraries.driver;
  std::string missing = libraries.openDriver();
  if (missing.empty() && driver.cuDriverGetVersion(&probe.driverVersion) != cudaSuccess) probe.driverVersion = 0;
  describe(libraries.driverLibrary,
           probe.driverVersion == 0
               ? std::string()
               : std::to_string(probe.driverVersion / 1000) + "." + std::to_string(probe.driverVersion % 1000 / 10),
           probe.driver);
  if (!missing.empty()) return missing;
  int count = 0;
  const int counted = driver.cuDeviceGetCount(&count);
  if (counted != cudaSuccess) return libraries.describe("cuDeviceGetCount", counted);
  probe.deviceCount = std::min(count, cudaMaximumDevices);
  for (int i = 0; i < probe.deviceCount; ++i) describeDevice(driver, i, probe.devices[i]);
  missing = libraries.openMathLibraries();
  describe(libraries.blasLibrary, blasVersion(libraries.blasLibrary), probe.blas);
  describe(libraries.solverLibrary, missing.empty() ? solverVersion(libraries.solver) : std::string(), probe.solver);
  if (!missing.empty()) return missing;
  return count == 0 ? "there is no CUDA device" : std::string();
}

void probeMachine(CudaProbe* probe) {
  std::memset(probe, 0, sizeof *probe);
  try {
    const std::string missing = search(*probe);
    put(probe->reason, missing);
    probe->usable = missing.empty() ? 1 : 0;
  } catch (const std::bad_alloc&) {
    put(probe->reason, "there is no memory left");
  }
}

void* openDevice(int32_t ordinal, char* reason, int64_t size) {
  std::string text;
  std::unique_ptr<Context> context;
  try {
    context = Context::open(ordinal, text);
  } catch (const std::bad_alloc&) {
    text.clear();
  }
  if (size > 0) {
    const size_t length = std::min(static_cast<size_t>(size) - 1, text.size());
    std::memcpy(reason, text.data(), length);
    reason[length] = '\0';
  }
  return context.release();
}

void closeDevice(void* device) { delete static_cast<Context*>(device); }

CudaPlugin makePlugin() {
  CudaPlugin plugin{};
  plugin.abiVersion = cudaPluginAbiVersion;
  plugin.backend = deviceBackend();
  plugin.probe = probeMachine;
  plugin.open = openDevice;
  plugin.close = closeDevice;
  return plugin;
}

}  // namespace

}  // namespace natgrad::cuda

const natgrad::CudaPlugin* natgradCudaPlugin(uint32_t abiVersion) {
  static const natgrad::CudaPlugin plugin = natgrad::cuda::makePlugin();
  return abiVersion == natgrad::cudaPluginAbiVersion ? &plugin : nullptr;
}
