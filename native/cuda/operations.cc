#include "cuda/operations.h"

namespace natgrad::cuda {

namespace {

DeviceStatus allocate(void* device, int64_t bytes, void** pointer) {
  return within(device, [&](Context& context) { return context.allocate(static_cast<size_t>(bytes), pointer); });
}

DeviceStatus release(void* device, void* pointer) {
  return within(device, [&](Context& context) {
    context.pool.free(pointer);
    return DeviceStatus::ok;
  });
}

DeviceStatus upload(void* device, const void* host, void* pointer, int64_t bytes) {
  return within(device, [&](Context& context) {
    return context.checkDriver("cuMemcpyHtoDAsync", context.staging.upload(context.libraries.driver, context.stream,
                                                                           host, pointer, static_cast<size_t>(bytes)));
  });
}

DeviceStatus download(void* device, const void* pointer, void* host, int64_t bytes) {
  return within(device, [&](Context& context) {
    return context.checkDriver(
        "cuMemcpyDtoHAsync",
        context.staging.download(context.libraries.driver, context.stream, pointer, host, static_cast<size_t>(bytes)));
  });
}

DeviceStatus copy(void* device, const void* from, void* to, int64_t bytes) {
  return within(device, [&](Context& context) {
    if (bytes == 0) return DeviceStatus::ok;
    return context.checkDriver(
        "cuMemcpyDtoDAsync", context.libraries.driver.cuMemcpyDtoDAsync_v2(addressOf(to), addressOf(from),
                                                                           static_cast<size_t>(bytes), context.stream));
  });
}

DeviceStatus clear(void* device, void* pointer, int64_t bytes) {
  return within(device, [&](Context& context) {
    if (bytes == 0) return DeviceStatus::ok;
    return context.checkDriver(
        "cuMemsetD8Async",
        context.libraries.driver.cuMemsetD8Async(addressOf(pointer), 0, static_cast<size_t>(bytes), context.stream));
  });
}

DeviceStatus synchronize(void* device) {
  return within(device, [](Context& context) { return context.synchronize(); });
}

DeviceStatus memory(void* device, int64_t* freeBytes, int64_t* totalBytes) {
  return within(device, [&](Context& context) {
    size_t available = 0, total = 0;
    NATGRAD_TRY(context.checkDriver("cuMemGetInfo", context.libraries.driver.cuMemGetInfo_v2(&available, &total)));
    *freeBytes = static_cast<int64_t>(available);
    *totalBytes = static_cast<int64_t>(total);
    return DeviceStatus::ok;
  });
}

const char* reason(void* device) { return static_cast<Context*>(device)->reason.c_str(); }

DeviceStatus accept(void* device, int64_t count, const int32_t* info, double* values, const double* limits,
                    int32_t* accepted) {
  return within(device, [&](Context& context) {
    return context.launch(context.kernels.accept, blocksFor(count), blockThreads, count, info, values, limits,
                          accepted);
  });
}

template <class T>
void fill(DeviceOperations<T>& operations) {
  fillProducts(operations);
  fillFactorizations(operations);
  fillMatrices(operations);
  fillPasses(operations);
}

}  // namespace

DeviceBackend deviceBackend() {
  DeviceBackend backend{};
  backend.abiVersion = deviceAbiVersion;
  backend.score = 2;
  backend.name = "cuda";
  backend.allocate = allocate;
  backend.free = release;
  backend.upload = upload;
  backend.download = download;
  backend.copy = copy;
  backend.clear = clear;
  backend.synchronize = synchronize;
  backend.memory = memory;
  backend.reason = reason;
  backend.accept = accept;
  fill(backend.f32);
  fill(backend.f64);
  fillConversions(backend.f32ToF32);
  fillConversions(backend.f32ToF64);
  fillConversions(backend.f64ToF32);
  fillConversions(backend.f64ToF64);
  return backend;
}

}  // namespace natgrad::cuda
