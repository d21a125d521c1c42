// libcuda: modules and the launch of kernels.
#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "functions.h"
#include "grid.h"
#include "kernel.h"
#include "memory.h"
#include "ptx.h"
#include "state.h"
#include "stream.h"

namespace natgrad::fakeCuda {
namespace {

struct Function {
  const Kernel* kernel = nullptr;
};

struct Module {
  Ptx ptx;
  std::vector<Function*> functions;
};

std::map<std::string, Kernel>& kernels() {
  static auto* const all = new std::map<std::string, Kernel>;
  return *all;
}

bool sameParameters(const std::vector<size_t>& ptx, const Kernel& kernel) {
  if (ptx.size() != kernel.parameters.size()) return false;
  for (size_t i = 0; i < ptx.size(); ++i) {
    if (ptx[i] != kernel.parameters[i].bytes) return false;
  }
  return true;
}

bool checkParameters(const Kernel& kernel, void* const* parameters) {
  for (size_t i = 0; i < kernel.parameters.size(); ++i) {
    if (parameters == nullptr || parameters[i] == nullptr) {
      violation("parameter %zu of %s is missing", i, kernel.name.c_str());
      return false;
    }
    if (!kernel.parameters[i].pointer) continue;
    const void* address = parameterAt<const void*>(parameters[i]);
    const std::string what = "parameter " + std::to_string(i) + " of " + kernel.name;
    if (address != nullptr && !checkDevice(address, 1, what.c_str())) return false;
  }
  return true;
}

bool checkExtents(Dim3 grid, Dim3 block, unsigned sharedBytes) {
  const uint64_t threads = uint64_t(block.x) * block.y * block.z;
  const uint64_t blocks = uint64_t(grid.x) * grid.y * grid.z;
  if (threads == 0 || threads > 1024 || block.z > 64) {
    violation("a block of %u by %u by %u threads", block.x, block.y, block.z);
  } else if (blocks == 0 || grid.x > 0x7fffffffU || grid.y > 0xffff || grid.z > 0xffff) {
    violation("a grid of %u by %u by %u blocks", grid.x, grid.y, grid.z);
  } else if (sharedBytes > 0) {
    violation("shared memory sized at the launch");
  } else {
    return true;
  }
  return false;
}

}  // namespace

void addKernel(Kernel kernel) {
  const std::string name = kernel.name;
  kernels()[name] = std::move(kernel);
}

const Kernel* findKernel(const std::string& name) {
  const auto found = kernels().find(name);
  return found == kernels().end() ? nullptr : &found->second;
}

}  // namespace natgrad::fakeCuda

using namespace natgrad::fakeCuda;

int cuModuleLoadDataEx(void** module, const void* image, unsigned, int*, void**) {
  const Call call("cuModuleLoadDataEx", Library::driver);
  if (call.fault() != 0) return call.fault();
  Ptx ptx;
  if (image == nullptr || !readPtx(static_cast<const char*>(image), ptx)) {
    violation("the image is no PTX");
    return driverInvalidPtx;
  }
  if (ptx.version > newestPtx(settings().driverVersion)) return driverUnsupportedPtxVersion;
  if (ptx.target > settings().computeCapability) return driverNoBinaryForGpu;
  Module* const loaded = makeForever<Module>();
  loaded->ptx = std::move(ptx);
  addObject(loaded, Kind::module);
  *module = loaded;
  return 0;
}

int cuModuleUnload(void* module) {
  const Call call("cuModuleUnload", Library::driver);
  if (call.fault() == driverInvalidContext) return call.fault();
  if (!removeObject(module, Kind::module)) return driverInvalidHandle;
  finishAllStreams();
  for (const Function* function : static_cast<Module*>(module)->functions) removeObject(function, Kind::function);
  return call.fault();
}

int cuModuleGetFunction(void** function, void* module, const char* name) {
  const Call call("cuModuleGetFunction", Library::driver);
  if (call.fault() != 0) return call.fault();
  if (!checkObject(module, Kind::module)) return driverInvalidHandle;
  Module& owner = *static_cast<Module*>(module);
  const auto entry = owner.ptx.entries.find(name);
  if (entry == owner.ptx.entries.end()) return driverNotFound;
  const Kernel* const kernel = findKernel(name);
  if (kernel == nullptr || !sameParameters(entry->second, *kernel)) {
    violation("the PTX of kernel %s and its source differ in %s", name,
              kernel == nullptr ? "its name" : "its parameters");
    return driverNotFound;
  }
  Function* const found = makeForever<Function>();
  found->kernel = kernel;
  owner.functions.push_back(found);
  addObject(found, Kind::function);
  *function = found;
  return 0;
}

int cuLaunchKernel(void* function, unsigned gridX, unsigned gridY, unsigned gridZ, unsigned blockX, unsigned blockY,
                   unsigned blockZ, unsigned sharedBytes, void* stream, void** parameters, void** extra) {
  const Call call("cuLaunchKernel", Library::driver);
  if (call.fault() != 0) return call.fault();
  if (!checkObject(function, Kind::function)) return driverInvalidHandle;
  const Kernel& kernel = *static_cast<Function*>(function)->kernel;
  const InCall name(kernel.name.c_str());
  const Dim3 grid{gridX, gridY, gridZ};
  const Dim3 block{blockX, blockY, blockZ};
  if (!checkExtents(grid, block, sharedBytes) || !checkParameters(kernel, parameters)) return driverInvalidValue;
  if (extra != nullptr) {
    violation("parameters are passed in two ways");
    return driverInvalidValue;
  }
  const bool done = enqueue(stream, [grid, block, thread = kernel.bind(parameters)] { runGrid(grid, block, thread); });
  return done ? 0 : driverInvalidHandle;
}
