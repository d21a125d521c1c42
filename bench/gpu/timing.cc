// Times the CUDA back end: gpuTiming PLUGIN PRECISION, then lines "operation sizes rows seconds" on stdin
//
// The answer to a line is the mean time of doing the work of all these sizes once, in seconds, measured for about so
// many, and the number of iterations that it took; or "error:" and why. The line "about" is answered with the device
// and the libraries. Work is done when its reports have come down, which needs no further synchronisation. What a line
// needs stays on the device until another asks for something else.
#include <chrono>
#include <cstdio>
#include <iostream>
#include <memory>
#include <new>
#include <sstream>
#include <stdexcept>
#include <string>

#include "gpu.h"
#include "workload.h"

using namespace natgrad;
using namespace natgrad::bench;

namespace {

class Timer {
 public:
  explicit Timer(Gpu& gpu) : gpu_(gpu) {}

  std::string answer(const std::string& line) {
    if (line == "about") return gpu_.describe();
    std::istringstream words(line);
    std::string operation, sizes;
    int64_t rows = 0;
    double seconds = 0;
    if (!(words >> operation >> sizes >> rows >> seconds)) throw std::runtime_error("'" + line + "' is no request");
    prepare(operation, sizes, rows);
    using Clock = std::chrono::steady_clock;
    const auto begin = Clock::now();
    double elapsed = 0;
    int64_t count = 0;
    int64_t iterations = 0;
    do {
      iterations = workload_->run();
      ++count;
      elapsed = std::chrono::duration<double>(Clock::now() - begin).count();
    } while (elapsed < seconds);
    std::ostringstream text;
    text << elapsed / static_cast<double>(count) << " " << iterations;
    return text.str();
  }

 private:
  void prepare(const std::string& operation, const std::string& sizes, int64_t rows) {
    const std::string name = operation + " " + sizes + " " + std::to_string(rows);
    if (name == name_) return;
    workload_.reset();
    name_.clear();
    workload_ = std::make_unique<Workload>(gpu_.device(), operationNamed(operation), sizesOf(sizes), rows);
    workload_->run();
    name_ = name;
  }

  Gpu& gpu_;
  std::string name_;
  std::unique_ptr<Workload> workload_;
};

}  // namespace

int main(int count, char** arguments) {
  try {
    if (count != 3) throw std::runtime_error("usage: gpuTiming PLUGIN PRECISION");
    Gpu gpu(arguments[1], precisionNamed(arguments[2]));
    Timer timer(gpu);
    for (std::string line; std::getline(std::cin, line);) {
      try {
        std::cout << timer.answer(line) << std::endl;
      } catch (const std::bad_alloc&) {
        std::cout << "error: not enough memory" << std::endl;
      } catch (const std::exception& error) {
        std::cout << "error: " << error.what() << std::endl;
      }
    }
    return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "gpuTiming: %s\n", error.what());
    return 2;
  }
}
