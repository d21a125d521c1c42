// What tests of the fake device have in common.
#pragma once

#include <sys/wait.h>
#include <unistd.h>

#include <cmath>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "check.h"
#include "fakeCuda.h"
#include "functions.h"

namespace natgrad::test {

// An open device with one stream.
struct Gpu {
  void* context = nullptr;
  void* stream = nullptr;
  void* blas = nullptr;
  void* solver = nullptr;

  Gpu() {
    fakeCudaReset();
    CHECK(cuInit(0) == 0);
    CHECK(cuDevicePrimaryCtxRetain(&context, 0) == 0);
    CHECK(cuCtxSetCurrent(context) == 0);
    CHECK(cuStreamCreate(&stream, 1) == 0);
    CHECK(cublasCreate_v2(&blas) == 0);
    CHECK(cublasSetStream_v2(blas, stream) == 0);
    CHECK(cusolverDnCreate(&solver) == 0);
    CHECK(cusolverDnSetStream(solver, stream) == 0);
  }
  ~Gpu() {
    cublasDestroy_v2(blas);
    cusolverDnDestroy(solver);
    cuStreamDestroy_v2(stream);
    cuDevicePrimaryCtxRelease_v2(0);
  }
  Gpu(const Gpu&) = delete;
  Gpu& operator=(const Gpu&) = delete;

  void wait() const { CHECK(cuStreamSynchronize(stream) == 0); }
};

// Device memory with its contents. Copies from ordinary memory, which need no waiting.
template <class T>
class OnDevice {
 public:
  OnDevice(const Gpu& gpu, const std::vector<T>& values) : OnDevice(gpu, values.size()) {
    CHECK(cuMemcpyHtoDAsync_v2(address_, values.data(), values.size() * sizeof(T), gpu.stream) == 0);
  }
  OnDevice(const Gpu& gpu, size_t size) : gpu_(gpu), size_(size) {
    CHECK(cuMemAlloc_v2(&address_, size * sizeof(T)) == 0);
  }
  ~OnDevice() { cuMemFree_v2(address_); }
  OnDevice(const OnDevice&) = delete;
  OnDevice& operator=(const OnDevice&) = delete;

  FakeDeviceAddress address() const { return address_; }
  T* data() const { return reinterpret_cast<T*>(static_cast<uintptr_t>(address_)); }
  std::vector<T> values() const {
    std::vector<T> host(size_);
    CHECK(cuMemcpyDtoHAsync_v2(host.data(), address_, size_ * sizeof(T), gpu_.stream) == 0);
    return host;
  }

 private:
  const Gpu& gpu_;
  FakeDeviceAddress address_ = 0;
  size_t size_;
};

template <class T>
std::vector<T> numbers(size_t size, int seed) {
  std::vector<T> values(size);
  for (size_t i = 0; i < size; ++i) values[i] = static_cast<T>(std::sin(static_cast<double>(i * 7 + 1) * seed));
  return values;
}

// What a process of its own writes to stderr before it dies, or "it lives" if it does not die.
inline std::string lastWords(const std::function<void()>& body) {
  int ends[2];
  if (pipe(ends) != 0) return "no pipe";
  const pid_t child = fork();
  if (child == 0) {
    dup2(ends[1], STDERR_FILENO);
    body();
    _exit(0);
  }
  close(ends[1]);
  std::string text;
  char buffer[512];
  for (ssize_t got; (got = read(ends[0], buffer, sizeof buffer)) > 0;) text.append(buffer, static_cast<size_t>(got));
  close(ends[0]);
  int status = 0;
  waitpid(child, &status, 0);
  return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? "it lives" : text;
}

inline void expectDeath(const std::function<void()>& body, const std::string& message, int line) {
  const std::string words = lastWords(body);
  CHECK_THAT(words.find(message) != std::string::npos,
             "line " + std::to_string(line) + ": expected '" + message + "', was '" + words + "'");
}

}  // namespace natgrad::test

#define EXPECT_DEATH(message, ...) natgrad::test::expectDeath(__VA_ARGS__, message, __LINE__)
