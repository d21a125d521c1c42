// What becomes of jobs and of kept arrays when the device fails: no memory, a call that fails, a device that is lost, a
// library that is missing.
#include <cmath>
#include <cstdlib>
#include <random>
#include <string>

#include "check.h"
#include "cudaDevice.h"
#include "gallery.h"

using namespace natgrad;
using namespace natgrad::test;

namespace {

// The sanitizers make a step so slow that they see only some of the faults.
#ifdef __SANITIZE_ADDRESS__
constexpr long stride = 6;
#else
constexpr long stride = 1;
#endif

constexpr int outOfMemory = 2;
constexpr int blasAllocationFailed = 3;

std::vector<float> numbers(int64_t size, unsigned seed) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal;
  std::vector<float> values(static_cast<size_t>(size));
  for (float& x : values) x = normal(random);
  return values;
}

// A training step in small: a factor with its inverse, root and eigenvectors, of which one is above the size of the
// small kernel, and a preconditioned update; some of its arrays are kept.
struct Step {
  std::vector<float> x = numbers(90 * 70, 1), v = numbers(70 * 9, 2);
  std::vector<float> factor = widen<float>(lowerOf<float>(withSpectrum(geometric(71, 10), 1), 71), 71), other = factor;
  std::vector<float> inverse = numbers(71 * 71, 3), otherInverse = inverse, root = numbers(71 * 71, 4),
                     small = numbers(81, 5), fromEarlier = inverse;
  std::vector<float> smallFactor = widen<float>(lowerOf<float>(withSpectrum(geometric(9, 10), 1), 9), 9);
  std::vector<float> values = numbers(9, 6), vectors = numbers(81, 7), direction = numbers(71 * 9, 8),
                     last = numbers(9, 9);
  // Near enough to that of `other` after its update.
  std::vector<float> start = earlierInverse();
  std::vector<float> weights = numbers(70 * 9, 10), scores = numbers(2 * 5 * 7, 11);

  std::vector<std::vector<float>*> kept() { return {&factor, &inverse, &weights, &smallFactor, &scores}; }
  std::vector<std::vector<float>*> all() {
    return {&factor,  &other,     &inverse, &otherInverse, &fromEarlier, &root, &small, &smallFactor, &values,
            &vectors, &direction, &last,    &weights,      &scores};
  }

  Phases phases() {
    const auto rows = [](const std::vector<float>& data, int64_t count, int64_t columns) {
      return Rows<float>{data.data(), count, columns, false, ConvGeometry()};
    };
    return {
        {TypedJob<float>(FactorJob<float>{{{rows(x, 90, 70), 0.01}}, true, 0.5, factor.data(), 71}),
         TypedJob<float>(
             FactorJob<float>{{{rows(x, 40, 70), 0.01}, {rows(x, 90, 70), 0.01}}, true, 0.5, other.data(), 71})},
        {TypedJob<float>(InverseJob<float>{factor.data(), 71, {0.1, smallFactor.data(), 9, false}, inverse.data()}),
         TypedJob<float>(InverseJob<float>{other.data(), 71, damp<float>(0.1), otherInverse.data()}),
         TypedJob<float>(InverseJob<float>{other.data(), 71, damp<float>(0.1), fromEarlier.data(), 1, start.data()}),
         TypedJob<float>(InverseJob<float>{smallFactor.data(), 9, damp<float>(0.1), small.data()}),
         TypedJob<float>(
             InverseRootJob<float>{factor.data(), 71, damp<float>(0.1), 2, RootMethod::automatic, 0, 0, root.data()}),
         TypedJob<float>(EighJob<float>{smallFactor.data(), 9, values.data(), vectors.data()}),
         TypedJob<float>(ScoresJob<float>{rows(x, 4, 5), x.data(), 7, 2, false, 1, 0.5, scores.data()})},
        {TypedJob<float>(KroneckerJob<float>{inverse.data(), 71, MatrixForm::full, small.data(), 9, MatrixForm::full,
                                             v.data(), v.data() + 70, direction.data(), last.data()})},
        {TypedJob<float>(UpdateJob<float>{weights.data(), direction.data(), nullptr, 630, 0, -0.1, 0.9})}};
  }

  Reports run(Device& device) { return device.run(cpuBackend(), phases(), 1); }

 private:
  std::vector<float> earlierInverse() const {
    std::vector<float> updated = other, earlier(updated.size());
    const Rows<float> few{x.data(), 40, 70, false, ConvGeometry()}, all{x.data(), 90, 70, false, ConvGeometry()};
    runOne<float>(FactorJob<float>{{{few, 0.01}, {all, 0.01}}, true, 0.5, updated.data(), 71});
    runOne<float>(InverseJob<float>{updated.data(), 71, damp<float>(0.15), earlier.data()});
    return earlier;
  }
};

bool close(const std::vector<float>& a, const std::vector<float>& b) {
  float largest = 0;
  for (const float x : b) largest = std::max(largest, std::fabs(x));
  for (size_t i = 0; i < a.size(); ++i) {
    if (!(std::fabs(a[i] - b[i]) <= 1e-3f * largest)) return false;
  }
  return true;
}

bool is(const Reports& reports, Status status) {
  for (const std::vector<Report>& phase : reports) {
    for (const Report& report : phase) {
      if (report.status != status) return false;
    }
  }
  return true;
}

// Eigenvectors have no sign of their own.
void fixSigns(Step& step) {
  for (size_t j = 0; j < 9; ++j) {
    if (step.vectors[j] >= 0) continue;
    for (size_t i = 0; i < 9; ++i) step.vectors[i * 9 + j] *= -1;
  }
}

struct Outcome {
  bool kept = true;  // all arrays that were to be
  bool lost = false, right = false, reported = false;
};

// One step on a fresh device, with the fault that `arm` prepares once all is kept.
template <class Arm>
Outcome stepWith(const Arm& arm) {
  static Step expected = [] {
    Step step;
    const Reports reports = run(cpuBackend(), step.phases(), 1);
    CHECK(reports[1][2].iterations > 0);
    fixSigns(step);
    return step;
  }();
  Outcome outcome;
  fakeCudaReset();
  {
    const OpenDevice device;
    Step step;
    for (std::vector<float>* array : step.kept()) outcome.kept = keep(*device, *array) && outcome.kept;
    arm();
    const Reports reports = step.run(*device);
    outcome.lost = device->lost();
    if (outcome.lost) {
      outcome.reported = is(reports, Status::deviceLost) && !device->reason().empty();
    } else {
      outcome.reported = is(reports, Status::ok);
      for (std::vector<float>* array : step.kept()) CHECK(fetch(*device, *array));
      fixSigns(step);
      outcome.right = true;
      const auto mine = step.all(), theirs = expected.all();
      for (size_t i = 0; i < mine.size(); ++i) outcome.right = outcome.right && close(*mine[i], *theirs[i]);
    }
    fakeCudaReset();
  }
  return outcome;
}

std::string leaked() {
  char text[2000] = "";
  return fakeCudaReport(text, sizeof text) == 0 ? std::string() : text;
}

}  // namespace

TEST("a step is right, and nothing is left when the device is closed") {
  const Outcome outcome = stepWith([] {});
  CHECK(!outcome.lost && outcome.right && outcome.reported);
  CHECK_THAT(leaked().empty(), leaked());
}

// More than a step makes; those that are not reached change nothing.
TEST("when any allocation finds no memory, and nothing can be given back, the result is still right") {
  constexpr long allocations = 45;
  for (long nth = 1; nth <= allocations; nth += stride) {
    const Outcome outcome = stepWith([&] {
      fakeCudaFailCall("cuMemAlloc_v2", nth, outOfMemory);
      // What the pool gives back would help at once: the second try fails as well.
      fakeCudaFailCall("cuMemAlloc_v2", nth + 1, outOfMemory);
    });
    CHECK_THAT(!outcome.lost && outcome.right && outcome.reported, "allocation " + std::to_string(nth));
    CHECK_THAT(leaked().empty(), leaked());
  }
}

TEST("a device that is too small for everything leaves the work to the host") {
  fakeCudaReset();
  const OpenDevice device;
  Step step, expected;
  fakeCudaLimitMemory(0);
  for (std::vector<float>* array : step.kept()) CHECK(!keep(*device, *array));
  const Reports reports = step.run(*device);
  run(cpuBackend(), expected.phases(), 1);
  CHECK(is(reports, Status::ok) && !device->lost());
  const auto mine = step.all(), theirs = expected.all();
  for (size_t i = 0; i < mine.size(); ++i) CHECK_THAT(*mine[i] == *theirs[i], std::to_string(i));
  fakeCudaReset();
}

TEST("when any call fails, the device is lost and says why, or the result is right") {
  const int unknown = 999;
  fakeCudaReset();
  long calls = 0;
  {
    const OpenDevice device;
    Step step;
    for (std::vector<float>* array : step.kept()) keep(*device, *array);
    fakeCudaReset();
    step.run(*device);
    calls = fakeCudaCalls("*");
  }
  CHECK_THAT(calls > 100, std::to_string(calls));
  int lost = 0;
  // Every call at the beginning, and then one in nineteen.
  for (long nth = 1; nth <= calls; nth += (nth < 30 ? 1 : 19) * stride) {
    const Outcome outcome = stepWith([&] { fakeCudaFailCall("*", nth, unknown); });
    CHECK_THAT(outcome.reported && (outcome.lost || outcome.right), "call " + std::to_string(nth));
    lost += outcome.lost ? 1 : 0;
  }
  CHECK_THAT(lost > 25 / stride, std::to_string(lost));
}

TEST(
    "a call of cuBLAS or cuSOLVER that has no memory is done by the host; what was half done is not passed off as "
    "right") {
  for (const char* name : {"cublasSgemm_v2", "cublasSgemmStridedBatched", "cublasSsyrk_v2", "cusolverDnSpotrf",
                           "cusolverDnSpotri", "cusolverDnSpotrfBatched", "cublasStrsmBatched", "cusolverDnSsyevd"}) {
    for (long nth = 1; nth < 3; ++nth) {
      const int code = std::string(name).rfind("cublas", 0) == 0 ? blasAllocationFailed : 2;
      const Outcome outcome = stepWith([&] { fakeCudaFailCall(name, nth, code); });
      CHECK_THAT(outcome.reported && (outcome.lost || outcome.right), std::string(name) + " " + std::to_string(nth));
    }
  }
}

TEST("a device that is lost stays lost: nothing is kept, fetched, stored or computed, and closing does not fail") {
  {
    fakeCudaReset();
    const OpenDevice device;
    Step step;
    for (std::vector<float>* array : step.kept()) CHECK(keep(*device, *array));
    const std::vector<float> before = step.otherInverse;
    fakeCudaLoseDevice(20);
    CHECK(is(step.run(*device), Status::deviceLost));
    CHECK(device->lost() && !device->reason().empty());
    CHECK_THAT(step.otherInverse == before, "an array that is not kept is as it was");
    CHECK(!fetch(*device, step.factor) && !device->store(step.factor.data(), 4) && !keep(*device, step.other));
    CHECK(is(step.run(*device), Status::deviceLost));
    device->release(step.factor.data());
  }
  fakeCudaReset();
}

TEST("opening fails with the reason at every call in turn, and leaves nothing behind") {
  fakeCudaReset();
  {
    const OpenDevice device;
  }
  fakeCudaReset();
  long calls = 0;
  {
    char reason[256] = "";
    void* const context = cudaPlugin().open(0, reason, sizeof reason);
    calls = fakeCudaCalls("*");
    cudaPlugin().close(context);
  }
  for (long nth = 1; nth <= calls; nth += stride) {
    fakeCudaReset();
    fakeCudaFailCall("*", nth, 999);
    char reason[256] = "";
    void* const context = cudaPlugin().open(0, reason, sizeof reason);
    CHECK_THAT((context == nullptr) == (reason[0] != '\0'), "call " + std::to_string(nth) + ": " + reason);
    if (context != nullptr) cudaPlugin().close(context);
    CHECK_THAT(leaked().empty(), std::to_string(nth) + ": " + leaked());
  }
  fakeCudaReset();
}

TEST("the probe names what there is, and the reason where a device cannot be used") {
  fakeCudaReset();
  CudaProbe probe;
  cudaPlugin().probe(&probe);
  CHECK_THAT(probe.usable == 1 && probe.reason[0] == '\0', probe.reason);
  CHECK(probe.deviceCount == 1 && probe.devices[0].name[0] != '\0' && probe.devices[0].totalBytes > 0 &&
        probe.devices[0].freeBytes > 0);
  CHECK(std::string(probe.blas.name) == "libcublas.so.13" && std::string(probe.solver.name) == "libcusolver.so.12");
  CHECK(std::string(probe.blas.path).find("fake-cuda") != std::string::npos && probe.solver.version[0] != '\0');
  CHECK(probe.driverVersion == 13000 && std::string(probe.driver.version) == "13.0");
  setenv("FAKE_CUDA_DEVICES", "0", 1);
  fakeCudaReset();
  cudaPlugin().probe(&probe);
  CHECK(probe.usable == 0 && probe.reason[0] != '\0');
  setenv("FAKE_CUDA_DEVICES", "1", 1);
  fakeCudaReset();
  fakeCudaFailCall("cuInit", 1, 100);
  cudaPlugin().probe(&probe);
  CHECK_THAT(probe.usable == 0 && std::string(probe.reason).find("cuInit") == 0, probe.reason);
  fakeCudaReset();
  CHECK(leaked().empty());
}

int main() {
  // An older device, whose workspaces are smaller: there is much to open and close here.
  setenv("FAKE_CUDA_COMPUTE", "80", 1);
  fakeCudaReset();
  return runTests();
}
