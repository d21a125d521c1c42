// The test double of CUDA itself: each of its checks trips, work is deferred, and kernels run as on a device.
#include <dlfcn.h>

#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <vector>

#include "check.h"
#include "fakeCuda.h"
#include "fakeGpu.h"
#include "functions.h"
#include "grid.h"
#include "kernel.h"
#include "ptx.h"

using namespace natgrad::fakeCuda;
using namespace natgrad::test;

namespace {

// Sums of blocks of 256 numbers, by a tree in shared memory.
void sumBlocks(int64_t size, const float* x, float* sums) {
  static float shared[256];
  const unsigned me = threadIdx.x;
  const int64_t i = static_cast<int64_t>(blockIdx.x) * blockDim.x + me;
  shared[me] = i < size ? x[i] : 0;
  barrier(__LINE__);
  for (unsigned half = blockDim.x / 2; half > 0; half /= 2) {
    if (me < half) shared[me] += shared[me + half];
    barrier(__LINE__);
  }
  if (me == 0) sums[blockIdx.x] = shared[0];
}

std::string ptxOf(const std::string& version, const std::string& target, const std::string& parameters) {
  return ".version " + version + "\n.target " + target + "\n.address_size 64\n.visible .entry sumBlocks(\n" +
         parameters + ")\n{ ret; }\n";
}
const char* const sumBlocksParameters =
    ".param .u64 sumBlocks_param_0,\n.param .u64 sumBlocks_param_1,\n.param .u64 sumBlocks_param_2\n";

void* sumBlocksFunction(void** module) {
  addKernel(kernelOf("sumBlocks", &sumBlocks));
  void* function = nullptr;
  CHECK(cuModuleLoadDataEx(module, ptxOf("6.3", "sm_75", sumBlocksParameters).c_str(), 0, nullptr, nullptr) == 0);
  CHECK(cuModuleGetFunction(&function, *module, "sumBlocks") == 0);
  return function;
}

int launchSumBlocks(const Gpu& gpu, void* function, int64_t size, const float* x, float* sums, unsigned blocks,
                    unsigned threads) {
  void* parameters[] = {&size, &x, &sums};
  return cuLaunchKernel(function, blocks, 1, 1, threads, 1, 1, 0, gpu.stream, parameters, nullptr);
}

}  // namespace

TEST("copies and kernels are done when somebody waits, and not before") {
  const Gpu gpu;
  const size_t size = 1000;
  const std::vector<float> values = numbers<float>(size, 1);
  void* module = nullptr;
  void* const function = sumBlocksFunction(&module);
  {
    const OnDevice<float> x(gpu, values);
    const OnDevice<float> sums(gpu, size_t(4));
    CHECK(launchSumBlocks(gpu, function, static_cast<int64_t>(size), x.data(), sums.data(), 4, 256) == 0);
    void* pinned = nullptr;
    CHECK(cuMemHostAlloc(&pinned, 4 * sizeof(float), 0) == 0);
    const float* const result = static_cast<const float*>(pinned);
    CHECK(cuMemcpyDtoHAsync_v2(pinned, sums.address(), 4 * sizeof(float), gpu.stream) == 0);
    CHECK(std::isnan(result[0]));
    gpu.wait();
    for (size_t block = 0; block < 4; ++block) {
      double sum = 0;
      for (size_t i = block * 256; i < std::min(size, (block + 1) * 256); ++i) sum += static_cast<double>(values[i]);
      CHECK(std::fabs(static_cast<double>(result[block]) - sum) < 1e-5);
    }
    CHECK(cuMemFreeHost(pinned) == 0);
  }
  CHECK(cuModuleUnload(module) == 0);
}

TEST("an event ends the wait for what came before it, and not for what comes after") {
  const Gpu gpu;
  void* event = nullptr;
  void* pinned = nullptr;
  CHECK(cuEventCreate(&event, 2) == 0);
  CHECK(cuMemHostAlloc(&pinned, 8, 0) == 0);
  unsigned char* const bytes = static_cast<unsigned char*>(pinned);
  {
    const OnDevice<unsigned char> x(gpu, std::vector<unsigned char>(8, 1));
    CHECK(cuMemcpyDtoHAsync_v2(bytes, x.address(), 4, gpu.stream) == 0);
    CHECK(cuEventRecord(event, gpu.stream) == 0);
    CHECK(cuMemcpyDtoHAsync_v2(bytes + 4, x.address(), 4, gpu.stream) == 0);
    CHECK(cuEventSynchronize(event) == 0);
    CHECK(bytes[0] == 1 && bytes[4] == 0xff);
    void* other = nullptr;
    CHECK(cuStreamCreate(&other, 1) == 0);
    CHECK(cuEventRecord(event, gpu.stream) == 0);
    CHECK(cuStreamWaitEvent(other, event, 0) == 0);
    CHECK(cuStreamSynchronize(other) == 0);
    CHECK(bytes[4] == 1);
    CHECK(cuStreamDestroy_v2(other) == 0);
  }
  CHECK(cuMemFreeHost(pinned) == 0);
  CHECK(cuEventDestroy_v2(event) == 0);
}

TEST(
    "what a copy from page-locked memory reads is what is there when it is done; from ordinary memory, when it is "
    "asked for") {
  const Gpu gpu;
  void* pinned = nullptr;
  CHECK(cuMemHostAlloc(&pinned, sizeof(int), 0) == 0);
  {
    const OnDevice<int> a(gpu, size_t(1));
    const OnDevice<int> b(gpu, size_t(1));
    int ordinary = *static_cast<int*>(pinned) = 1;
    CHECK(cuMemcpyHtoDAsync_v2(a.address(), pinned, sizeof(int), gpu.stream) == 0);
    CHECK(cuMemcpyHtoDAsync_v2(b.address(), &ordinary, sizeof(int), gpu.stream) == 0);
    ordinary = *static_cast<int*>(pinned) = 2;
    CHECK(a.values()[0] == 2 && b.values()[0] == 1);
  }
  CHECK(cuMemFreeHost(pinned) == 0);
}

TEST("device memory that was never written holds NaN") {
  const Gpu gpu;
  const OnDevice<double> x(gpu, size_t(3));
  for (const double value : x.values()) CHECK(std::isnan(value));
}

TEST("host code dies of an address of the device, and the device of one of the host") {
  const Gpu gpu;
  const OnDevice<float> x(gpu, size_t(4));
  float host[4] = {};
  EXPECT_DEATH("host code touched", [&] { *x.data() = 1; });
  EXPECT_DEATH("an address of the host", [&] { cuMemsetD8Async(reinterpret_cast<uintptr_t>(host), 0, 4, gpu.stream); });
  EXPECT_DEATH("no address of the host", [&] { cuMemcpyHtoDAsync_v2(x.address(), x.data(), 4, gpu.stream); });
}

TEST("memory used after its end, twice freed or never freed is a violation") {
  const Gpu gpu;
  const OnDevice<float> x(gpu, size_t(4));
  FakeDeviceAddress freed = 0;
  CHECK(cuMemAlloc_v2(&freed, 64) == 0);
  CHECK(cuMemFree_v2(freed) == 0);
  EXPECT_DEATH("no device memory that is alive", [&] { cuMemFree_v2(freed); });
  EXPECT_DEATH("no device memory that is alive", [&] { cuMemsetD8Async(freed, 0, 4, gpu.stream); });
  EXPECT_DEATH("9 bytes from byte 8 on of an allocation of 16",
               [&] { cuMemsetD8Async(x.address() + 8, 0, 9, gpu.stream); });
  EXPECT_DEATH("no device memory that is alive", [&] { cuMemFree_v2(x.address() + 4); });
  EXPECT_DEATH("left when the context is released: 1 device allocations", [] { cuDevicePrimaryCtxRelease_v2(0); });
  EXPECT_DEATH("left at the end of the process", [&] {
    setenv("FAKE_CUDA_EXIT", "strict", 1);
    fakeCudaReset();
    std::exit(0);
  });
}

TEST("page-locked memory must outlive the copies that use it") {
  const Gpu gpu;
  const OnDevice<float> x(gpu, size_t(4));
  void* pinned = nullptr;
  CHECK(cuMemHostAlloc(&pinned, 16, 0) == 0);
  EXPECT_DEATH("a copy that is not done",
               [&] { cuMemcpyDtoHAsync_v2(pinned, x.address(), 16, gpu.stream), cuMemFreeHost(pinned); });
  EXPECT_DEATH("run past the end",
               [&] { cuMemcpyDtoHAsync_v2(static_cast<char*>(pinned) + 8, x.address(), 16, gpu.stream); });
  EXPECT_DEATH("no page-locked memory that is alive", [&] { cuMemFreeHost(static_cast<char*>(pinned) + 8); });
  CHECK(cuMemFreeHost(pinned) == 0);
}

TEST("handles are checked for their kind and for being alive, and threads for having the context") {
  const Gpu gpu;
  void* stream = nullptr;
  CHECK(cuStreamCreate(&stream, 1) == 0);
  CHECK(cuStreamDestroy_v2(stream) == 0);
  EXPECT_DEATH("no stream that is alive", [&] { cuStreamSynchronize(stream); });
  EXPECT_DEATH("the stream is null", [&] { cuStreamSynchronize(nullptr); });
  EXPECT_DEATH("no stream that is alive", [&] { cuStreamSynchronize(gpu.blas); });
  EXPECT_DEATH("no cuBLAS handle that is alive", [&] { cublasSetMathMode(gpu.solver, 0); });
  EXPECT_DEATH("no context that is alive is current", [] { cuCtxSetCurrent(nullptr), cuMemFree_v2(0); });
  EXPECT_DEATH("the stream is null", [&] {
    const float one = 1;
    void* blas = nullptr;
    cublasCreate_v2(&blas);
    cublasSgemm_v2(blas, 0, 0, 0, 0, 0, &one, nullptr, 1, nullptr, 1, &one, nullptr, 1);
  });
}

TEST("kernels may write where they have memory, and only there") {
  const Gpu gpu;
  void* module = nullptr;
  void* const function = sumBlocksFunction(&module);
  {
    const OnDevice<float> x(gpu, numbers<float>(1024, 2));
    const OnDevice<float> sums(gpu, size_t(4));
    float host = 0;
    const auto launch = [&](int64_t size, float* out, unsigned blocks, unsigned threads) {
      launchSumBlocks(gpu, function, size, x.data(), out, blocks, threads);
      cuStreamSynchronize(gpu.stream);
    };
    EXPECT_DEATH("parameter 2 of sumBlocks: ", [&] { launch(1024, &host, 4, 256); });
    EXPECT_DEATH("sumBlocks touched",
                 [&] { launch(5000, sums.data(), 4, 256), launch(1 << 20, sums.data(), 4096, 256); });
    EXPECT_DEATH("was written next to an allocation",
                 [&] { launch(1024, sums.data() + 1, 4, 256), cuMemFree_v2(sums.address()); });
    EXPECT_DEATH("a block of 1025 by 1 by 1 threads", [&] { launch(1024, sums.data(), 1, 1025); });
    EXPECT_DEATH("a grid of 0 by 1 by 1 blocks", [&] { launch(1024, sums.data(), 0, 256); });
  }
  CHECK(cuModuleUnload(module) == 0);
}

TEST("the threads of a block must agree on the barrier") {
  const auto uneven = [] {
    if (threadIdx.x < 10) barrier(1);
  };
  const auto different = [] { barrier(threadIdx.x < 10 ? 1 : 2); };
  EXPECT_DEATH("10 threads of a block wait at the barrier in line 1, 22 have ended",
               [&] { runGrid({1, 1, 1}, {32, 1, 1}, uneven); });
  EXPECT_DEATH("wait at different barriers", [&] { runGrid({1, 1, 1}, {32, 1, 1}, different); });
}

TEST("grids run every thread once, whatever their shape, and change the order from launch to launch") {
  std::vector<int> first;
  for (int launch = 0; launch < 2; ++launch) {
    std::vector<int> order;
    runGrid({2, 3, 1}, {4, 2, 2}, [&] {
      const unsigned thread = (threadIdx.z * 2 + threadIdx.y) * 4 + threadIdx.x;
      order.push_back(static_cast<int>((blockIdx.y * 2 + blockIdx.x) * 16 + thread));
    });
    CHECK(order.size() == 96);
    if (launch == 0) first = order;
    if (launch == 1) CHECK(order != first);
    std::sort(order.begin(), order.end());
    for (int i = 0; i < 96; ++i) CHECK(order[static_cast<size_t>(i)] == i);
  }
}

TEST("PTX is refused by a driver that is too old, by a device that is too small and when it is not of the source") {
  addKernel(kernelOf("sumBlocks", &sumBlocks));
  const auto load = [](const std::string& text) {
    void* module = nullptr;
    const int status = cuModuleLoadDataEx(&module, text.c_str(), 0, nullptr, nullptr);
    if (status == 0) cuModuleUnload(module);
    return status;
  };
  const Gpu gpu;
  CHECK(load(ptxOf("9.0", "sm_75", sumBlocksParameters)) == 0);
  CHECK(load(ptxOf("9.1", "sm_75", sumBlocksParameters)) == driverUnsupportedPtxVersion);
  CHECK(load(ptxOf("6.3", "sm_100", sumBlocksParameters)) == driverNoBinaryForGpu);
  EXPECT_DEATH("the image is no PTX", [&] { load("nothing"); });
  const std::string other = ptxOf("6.3", "sm_75", ".param .u64 sumBlocks_param_0,\n.param .u32 sumBlocks_param_1\n");
  EXPECT_DEATH("the PTX of kernel sumBlocks and its source differ in its parameters", [&] {
    void* module = nullptr;
    void* function = nullptr;
    cuModuleLoadDataEx(&module, other.c_str(), 0, nullptr, nullptr);
    cuModuleGetFunction(&function, module, "sumBlocks");
  });
  // NVIDIA's release notes: CUDA 11.2 came with PTX 7.2, CUDA 12.4 with 8.4, CUDA 12.6 with no newer one than 12.5.
  CHECK(newestPtx(11020) == 72 && newestPtx(12040) == 84 && newestPtx(12060) == 85);
}

TEST("calls fail when they are told to, by number, from a number on, and for good once the device is lost") {
  setenv("FAKE_CUDA_FAIL", "cuMemAlloc_v2:2:2,cuStreamCreate:3+:999", 1);
  {
    const Gpu gpu;
    FakeDeviceAddress a = 0;
    CHECK(cuMemAlloc_v2(&a, 8) == 0);
    CHECK(cuMemFree_v2(a) == 0);
    CHECK(cuMemAlloc_v2(&a, 8) == driverOutOfMemory);
    void* stream = nullptr;
    CHECK(cuStreamCreate(&stream, 1) == 0);
    CHECK(cuStreamDestroy_v2(stream) == 0);
    CHECK(cuStreamCreate(&stream, 1) == 999 && cuStreamCreate(&stream, 1) == 999);
    fakeCudaFailCall("cublasSetMathMode", 2, 14);
    CHECK(cublasSetMathMode(gpu.blas, 0) == 0 && cublasSetMathMode(gpu.blas, 0) == 14 &&
          cublasSetMathMode(gpu.blas, 0) == 0);
    unsetenv("FAKE_CUDA_FAIL");
    fakeCudaReset();
    fakeCudaLoseDevice(1);
    CHECK(cublasSetMathMode(gpu.blas, 0) == 0);
    CHECK(cuStreamSynchronize(gpu.stream) == driverIllegalAddress);
    CHECK(cublasSetMathMode(gpu.blas, 0) == blasExecutionFailed);
  }
  fakeCudaReset();
  CHECK(fakeCudaReport(nullptr, 0) == 0);
}

TEST("memory has a limit, and free memory is what is left of it") {
  const Gpu gpu;
  fakeCudaLimitMemory(1000);
  FakeDeviceAddress a = 0;
  FakeDeviceAddress b = 0;
  CHECK(cuMemAlloc_v2(&a, 600) == 0);
  CHECK(cuMemAlloc_v2(&b, 600) == driverOutOfMemory);
  size_t free = 0;
  size_t total = 0;
  CHECK(cuMemGetInfo_v2(&free, &total) == 0);
  CHECK(free == 400 && total == 1000);
  CHECK(cuMemFree_v2(a) == 0);
}

TEST("a machine without a device, and libraries newer than the driver") {
  setenv("FAKE_CUDA_DEVICES", "0", 1);
  fakeCudaReset();
  CHECK(cuInit(0) == driverNoDevice);
  setenv("FAKE_CUDA_DEVICES", "1", 1);
  setenv("FAKE_CUDA_DRIVER", "12040", 1);
  fakeCudaReset();
  void* context = nullptr;
  void* blas = nullptr;
  CHECK(cuInit(0) == 0);
  CHECK(cuDevicePrimaryCtxRetain(&context, 0) == 0);
  CHECK(cuCtxSetCurrent(context) == 0);
  CHECK(cublasCreate_v2(&blas) == blasNotInitialized);
  CHECK(cuDevicePrimaryCtxRelease_v2(0) == 0);
  unsetenv("FAKE_CUDA_DRIVER");
  fakeCudaReset();
}

TEST("violations are counted when a test asks for that") {
  const Gpu gpu;
  fakeCudaRecordViolations(true);
  CHECK(cuStreamSynchronize(nullptr) == driverInvalidHandle);
  CHECK(fakeCudaViolations() == 1);
  CHECK(std::string(fakeCudaLastViolation()) == "cuStreamSynchronize: the stream is null");
  fakeCudaRecordViolations(false);
}

int main() { return runTests(); }
