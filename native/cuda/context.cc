#include "cuda/context.h"

#include <initializer_list>

namespace natgrad::cuda {

namespace {

const char kernelText[] =
#include "cuda/kernels.ptx.inc"
    ;

// As much as cuBLAS recommends for devices from Hopper on, and for those before. One of its own would be shared between
// streams, and results might then depend on what else is running.
size_t workspaceBytes(int computeCapability) { return size_t{computeCapability >= 9 ? 32u : 4u} << 20; }

}  // namespace

std::unique_ptr<Context> Context::open(int ordinal, std::string& reason) {
  std::unique_ptr<Context> context(new Context());
  reason = context->libraries.openDriver();
  if (reason.empty()) reason = context->libraries.openMathLibraries();
  if (!reason.empty()) return nullptr;
  if (context->start(ordinal) == DeviceStatus::ok) return context;
  reason = context->reason;
  return nullptr;
}

DeviceStatus Context::start(int ordinal) {
  const Driver& driver = libraries.driver;
  int device = 0, count = 0;
  NATGRAD_TRY(checkDriver("cuDeviceGetCount", driver.cuDeviceGetCount(&count)));
  if (ordinal >= count) {
    reason = "there is no CUDA device " + std::to_string(ordinal) + ", but " + std::to_string(count);
    return DeviceStatus::lost;
  }
  NATGRAD_TRY(checkDriver("cuDeviceGet", driver.cuDeviceGet(&device, ordinal)));
  // cuBLAS and cuSOLVER work in the primary context, and TensorFlow too.
  NATGRAD_TRY(checkDriver("cuDevicePrimaryCtxRetain", driver.cuDevicePrimaryCtxRetain(&context_, device)));
  device_ = device;
  const Entered entered(*this);
  NATGRAD_TRY(entered.status);
  NATGRAD_TRY(checkDriver("cuStreamCreate", driver.cuStreamCreate(&stream, streamNonBlocking)));
  NATGRAD_TRY(loadKernels());
  NATGRAD_TRY(checkDriver("cuMemHostAlloc", staging.open(driver)));
  return startMathLibraries();
}

DeviceStatus Context::loadKernels() {
  const Driver& driver = libraries.driver;
  NATGRAD_TRY(checkDriver("cuModuleLoadDataEx", driver.cuModuleLoadDataEx(&module_, kernelText, 0, nullptr, nullptr)));
#define NATGRAD_FIND(name, ...) \
  NATGRAD_TRY(checkDriver("cuModuleGetFunction", driver.cuModuleGetFunction(&kernels.name.function, module_, #name)));
  NATGRAD_KERNELS(NATGRAD_FIND)
#undef NATGRAD_FIND
  return DeviceStatus::ok;
}

DeviceStatus Context::startMathLibraries() {
  NATGRAD_TRY(checkBlas("cublasCreate", libraries.blas.cublasCreate_v2(&blas)));
  NATGRAD_TRY(checkBlas("cublasSetStream", libraries.blas.cublasSetStream_v2(blas, stream)));
  int capability = 0;
  NATGRAD_TRY(checkDriver("cuDeviceGetAttribute",
                          libraries.driver.cuDeviceGetAttribute(&capability, computeCapabilityMajor, device_)));
  void* workspace = nullptr;
  NATGRAD_TRY(allocate(workspaceBytes(capability), &workspace));
  NATGRAD_TRY(checkBlas("cublasSetWorkspace",
                        libraries.blas.cublasSetWorkspace_v2(blas, workspace, workspaceBytes(capability))));
  NATGRAD_TRY(checkSolver("cusolverDnCreate", libraries.solver.cusolverDnCreate(&solver)));
  return checkSolver("cusolverDnSetStream", libraries.solver.cusolverDnSetStream(solver, stream));
}

Context::~Context() {
  if (context_ == nullptr) return;
  const Driver& driver = libraries.driver;
  {
    const Entered entered(*this);
    if (stream != nullptr) driver.cuStreamSynchronize(stream);
    if (solver != nullptr) libraries.solver.cusolverDnDestroy(solver);
    if (blas != nullptr) libraries.blas.cublasDestroy_v2(blas);
    pool.close(driver);
    staging.close(driver);
    if (module_ != nullptr) driver.cuModuleUnload(module_);
    if (stream != nullptr) driver.cuStreamDestroy_v2(stream);
  }
  driver.cuDevicePrimaryCtxRelease_v2(device_);
}

DeviceStatus Context::checkDriver(const char* call, int status) {
  if (status == cudaSuccess) return DeviceStatus::ok;
  reason = libraries.describe(call, status);
  return status == cudaOutOfMemory ? DeviceStatus::outOfMemory : DeviceStatus::lost;
}

DeviceStatus Context::checkBlas(const char* call, int status) {
  if (status == blasSuccess) return DeviceStatus::ok;
  reason = std::string(call) + ": cuBLAS status " + std::to_string(status);
  return status == blasAllocationFailed ? DeviceStatus::outOfMemory : DeviceStatus::lost;
}

DeviceStatus Context::checkSolver(const char* call, int status) {
  if (status == solverSuccess) return DeviceStatus::ok;
  reason = std::string(call) + ": cuSOLVER status " + std::to_string(status);
  return status == solverAllocationFailed ? DeviceStatus::outOfMemory : DeviceStatus::lost;
}

DeviceStatus Context::allocate(size_t bytes, void** pointer) {
  return checkDriver("cuMemAlloc", pool.allocate(libraries.driver, stream, bytes, pointer));
}

DeviceStatus Context::synchronize() {
  NATGRAD_TRY(checkDriver("cuStreamSynchronize", libraries.driver.cuStreamSynchronize(stream)));
  staging.finish();
  return DeviceStatus::ok;
}

DeviceStatus Context::setMath(ProductMath math) {
  const int mode = math == ProductMath::tf32 ? mathTf32 : mathDefault;
  if (mode == math_) return DeviceStatus::ok;
  NATGRAD_TRY(checkBlas("cublasSetMathMode", libraries.blas.cublasSetMathMode(blas, mode)));
  math_ = mode;
  return DeviceStatus::ok;
}

Entered::Entered(Context& context) : driver_(context.libraries.driver) {
  status = context.checkDriver("cuCtxGetCurrent", driver_.cuCtxGetCurrent(&before_));
  if (status != DeviceStatus::ok || before_ == context.context_) return;
  status = context.checkDriver("cuCtxSetCurrent", driver_.cuCtxSetCurrent(context.context_));
  changed_ = status == DeviceStatus::ok;
}

Entered::~Entered() {
  // Better none than one that may be gone when it is asked for the next time.
  if (changed_ && driver_.cuCtxSetCurrent(before_) != cudaSuccess) driver_.cuCtxSetCurrent(nullptr);
}

}  // namespace natgrad::cuda
