// What must not matter: neighbours, grouping, threads, the instruction set's unused lanes, memory.
#include <atomic>
#include <cstddef>
#include <new>
#include <string>
#include <thread>

#include "alignedMemory.h"
#include "check.h"
#include "core/buffer.h"
#include "cpu/simd/kernels.h"
#include "gallery.h"

using namespace natgrad;
using namespace natgrad::test;

namespace {

std::atomic<int64_t> liveAllocations{0};
std::atomic<int64_t> refuseAbove{INT64_MAX};

void* allocate(size_t size, size_t alignment) {
  if (static_cast<int64_t>(size) > refuseAbove) throw std::bad_alloc();
  void* p = allocateAligned(alignment, (std::max<size_t>(size, 1) + alignment - 1) / alignment * alignment);
  if (p == nullptr) throw std::bad_alloc();
  ++liveAllocations;
  return p;
}

void release(void* p) {
  if (p == nullptr) return;
  --liveAllocations;
  freeAligned(p);
}

}  // namespace

void* operator new(size_t size) { return allocate(size, alignof(std::max_align_t)); }
void* operator new(size_t size, std::align_val_t alignment) { return allocate(size, static_cast<size_t>(alignment)); }
void operator delete(void* p) noexcept { release(p); }
void operator delete(void* p, size_t) noexcept { release(p); }
void operator delete(void* p, std::align_val_t) noexcept { release(p); }
void operator delete(void* p, size_t, std::align_val_t) noexcept { release(p); }

namespace {

// Inverse jobs with storage of their own.
template <class T>
class Inverses {
 public:
  void add(const Matrix& a, int64_t n, double damping) {
    sizes_.push_back(n);
    matrices_.push_back(lowerOf<T>(a, n));
    outs.emplace_back(static_cast<size_t>(n * n), T(7));
    damping_.push_back(damping);
  }
  Phase phase() {
    Phase jobs;
    for (size_t i = 0; i < sizes_.size(); ++i) {
      jobs.push_back(TypedJob<T>(InverseJob<T>{matrices_[i].data(), sizes_[i], damp<T>(damping_[i]), outs[i].data()}));
    }
    return jobs;
  }
  std::vector<std::vector<T>> outs;

 private:
  std::vector<int64_t> sizes_;
  std::vector<std::vector<T>> matrices_;
  std::vector<double> damping_;
};

std::vector<Backend> everyInstructionSet() {
  std::vector<Backend> all;
  const std::string best = cpuInstructionSet();
  Backend backend = cpuBackend();
  baseline::fillKernels(backend.f32);
  baseline::fillKernels(backend.f64);
  all.push_back(backend);
#if defined(__x86_64__)
  if (best != "baseline") {
    avx2::fillKernels(backend.f32);
    avx2::fillKernels(backend.f64);
    all.push_back(backend);
  }
  if (best == "avx512") {
    avx512::fillKernels(backend.f32);
    avx512::fillKernels(backend.f64);
    all.push_back(backend);
  }
#endif
  return all;
}

template <class T>
void checkGrouping(const Backend& backend, int64_t n) {
  const int64_t count = 37;
  Inverses<T> together;
  std::vector<std::vector<T>> alone;
  std::vector<Report> reportsAlone;
  for (int64_t k = 0; k < count; ++k) {
    // A bad neighbour here and there: one with a NaN, one that is indefinite.
    Matrix a = withSpectrum(geometric(n, 100), static_cast<unsigned>(k));
    if (k % 9 == 4) a[static_cast<size_t>(n * n - 1)] = std::nan("");
    if (k % 9 == 7) a[static_cast<size_t>(n * n - 1)] = -5;
    together.add(a, n, 1e-2);
    Inverses<T> one;
    one.add(a, n, 1e-2);
    reportsAlone.push_back(run(backend, {one.phase()}, 1)[0][0]);
    alone.push_back(one.outs[0]);
  }
  const Reports reports = run(backend, {together.phase()}, 1);
  for (int64_t k = 0; k < count; ++k) {
    const size_t i = static_cast<size_t>(k);
    CHECK_THAT(together.outs[i] == alone[i], "n = " + std::to_string(n) + ", matrix " + std::to_string(k));
    CHECK((reports[0][i].status == Status::notFinite) == (k % 9 == 4));
    CHECK(reports[0][i].residual == reportsAlone[i].residual);
    CHECK(reports[0][i].retries == reportsAlone[i].retries);
  }
}

template <class T>
void checkStack(int64_t n, int threads) {
  const int64_t count = 37;
  Inverses<T> apart;
  std::vector<T> stack;
  for (int64_t k = 0; k < count; ++k) {
    Matrix a = withSpectrum(geometric(n, 100), static_cast<unsigned>(k));
    if (k == count / 2) a[static_cast<size_t>(n * n - 1)] = std::nan("");
    const std::vector<T> lower = lowerOf<T>(a, n);
    stack.insert(stack.end(), lower.begin(), lower.end());
    apart.add(a, n, 1e-2);
  }
  const Reports reports = run(cpuBackend(), {apart.phase()}, 1);
  std::vector<T> expected;
  Report worst;
  for (size_t k = 0; k < static_cast<size_t>(count); ++k) {
    expected.insert(expected.end(), apart.outs[k].begin(), apart.outs[k].end());
    const Report& report = reports[0][k];
    worst.residual = std::max(worst.residual, report.residual);
    worst.minEigenvalue = std::fmin(worst.minEigenvalue, report.minEigenvalue);
    worst.damping = std::max(worst.damping, report.damping);
  }

  std::vector<T> out(stack.size(), T(7));
  const InverseJob<T> job{stack.data(), n, damp<T>(1e-2), out.data(), count};
  const Report report = run(cpuBackend(), {{TypedJob<T>(job)}}, threads)[0][0];
  CHECK_THAT(out == expected, "n = " + std::to_string(n) + ", " + std::to_string(threads) + " threads");
  CHECK(out[static_cast<size_t>(count / 2 * n * n)] == T(7));
  CHECK(report.status == Status::notFinite && !report.converged);
  CHECK(report.residual == worst.residual);
  CHECK(report.minEigenvalue == worst.minEigenvalue);
  CHECK(report.damping == worst.damping);
}

// Inverses, roots, eigendecompositions and products of several sizes.
struct Mixture {
  Inverses<float> inverses;
  std::vector<std::vector<float>> matrices;
  std::vector<std::vector<float>> outs;
  Phase jobs;

  Mixture() {
    for (const int64_t n : {3, 16, 16, 64, 64, 65, 100, 130, 200}) {
      inverses.add(withSpectrum(geometric(n, 1e3), static_cast<unsigned>(n)), n, 1e-3);
    }
    jobs = inverses.phase();
    const std::vector<int64_t> sizes{10, 64, 90};
    // No vector moves once a job points to it.
    matrices.reserve(sizes.size() + 2);
    outs.reserve(4 * sizes.size() + 7);
    for (const int64_t n : sizes) {
      matrices.push_back(lowerOf<float>(withSpectrum(geometric(n, 1e3), 1), n));
      const float* m = matrices.back().data();
      float* root = output(n * n);
      float* values = output(n);
      float* vectors = output(n * n);
      float* product = output(n);
      jobs.push_back(
          TypedJob<float>(InverseRootJob<float>{m, n, damp<float>(1e-2), 2, RootMethod::automatic, 0, 0, root}));
      jobs.push_back(TypedJob<float>(EighJob<float>{m, n, values, vectors}));
      jobs.push_back(TypedJob<float>(KroneckerJob<float>{m, n, MatrixForm::lower, m, 1, MatrixForm::full,
                                                         m + (n - 1) * n, nullptr, product, nullptr}));
    }
    addParts();
  }

 private:
  static std::vector<float> symmetricNumbers(int64_t n) {
    const Matrix a = withSpectrum(geometric(n, 1e3), 2);
    return std::vector<float>(a.begin(), a.end());
  }

  // Products and statistics that are large enough to be done in parts.
  void addParts() {
    const int64_t m = 600;
    const int64_t n = 310;
    matrices.push_back(symmetricNumbers(n));
    const float* right = matrices.back().data();
    matrices.push_back(symmetricNumbers(m));
    const float* left = matrices.back().data();
    float* out = output(m * n);
    float* apart = output(m * n);
    float* factor = output((m + 1) * (m + 1));
    // Any numbers will do for V.
    const float* v = left;
    const float* lastInput = v + (m - 1) * n;
    float* lastOut = apart + (m - 1) * n;
    jobs.push_back(TypedJob<float>(
        KroneckerJob<float>{left, m, MatrixForm::full, right, n, MatrixForm::full, v, nullptr, out, nullptr}));
    jobs.push_back(TypedJob<float>(
        KroneckerJob<float>{left, m, MatrixForm::full, right, n, MatrixForm::lower, v, lastInput, apart, lastOut}));
    jobs.push_back(TypedJob<float>(FactorJob<float>{{{left, m, m, false, {}, 0.1}}, true, 0.9, factor, m + 1}));
    const Rows<float> rows{left, 1000, 64, false, {}};
    float* product = output(m * n);
    float* stack = output(10 * 100 * 300);
    float* scores = output(100 * 65 * 80);
    float* factors = output(80 * 65 * 65);
    jobs.push_back(TypedJob<float>(ProductJob<float>{left, v, m, m, n, true, true, 1, 0, product}));
    jobs.push_back(TypedJob<float>(ProductJob<float>{left, v, 100, 100, 300, false, false, 1, 0, stack, 10}));
    jobs.push_back(TypedJob<float>(ScoresJob<float>{rows, left, 80, 100, true, 1, 0, scores}));
    jobs.push_back(TypedJob<float>(UnitFactorsJob<float>{{{rows, 1, left}}, true, 0, factors, 65, 80}));
  }

  float* output(int64_t size) {
    outs.emplace_back(static_cast<size_t>(size));
    return outs.back().data();
  }
};

}  // namespace

TEST("a small inverse has the same bits alone and among others, on every instruction set") {
  for (const Backend& backend : everyInstructionSet()) {
    for (const int64_t n : {1, 2, 3, 4, 5, 7, 8, 9, 12, 15, 16, 17, 20, 31, 32, 33, 47, 63, 64}) {
      checkGrouping<float>(backend, n);
      checkGrouping<double>(backend, n);
    }
  }
}

TEST("a stack has the bits of separate jobs, also around a matrix with a NaN, and the report of the worst") {
  for (const int64_t n : {1, 3, 8, 16, 33, 64, 65, 100}) {
    for (const int threads : {1, 3}) {
      checkStack<float>(n, threads);
      checkStack<double>(n, threads);
    }
  }
}

TEST("stacks without matrices, or of matrices without elements, are fine") {
  for (const int64_t n : {0, 8, 65}) {
    const InverseJob<float> none{nullptr, n, damp<float>(1), nullptr, 0};
    CHECK(run(cpuBackend(), {{TypedJob<float>(none)}}, 1)[0][0].status == Status::ok);
  }
  const InverseJob<float> many{nullptr, 0, damp<float>(1), nullptr, INT32_MAX};
  CHECK(run(cpuBackend(), {{TypedJob<float>(many)}}, 1)[0][0].status == Status::ok);
}

TEST("a small inverse is written only if its norm is within the limit, and the norm is right") {
  const int64_t count = 20;
  for (const Backend& backend : everyInstructionSet()) {
    for (const int64_t n : {1, 4, 7, 16, 40, 64}) {
      // The identity times k + 1, whose inverse has the norm sqrt(n) / (k + 1); one of them is negative.
      std::vector<std::vector<float>> matrices;
      std::vector<std::vector<float>> outs(count, std::vector<float>(static_cast<size_t>(n * n), 7.0f));
      std::vector<const float*> in;
      std::vector<float*> out;
      std::vector<double> limit;
      for (int64_t k = 0; k < count; ++k) {
        const double norm = std::sqrt(static_cast<double>(n)) / static_cast<double>(k + 1);
        limit.push_back(k % 2 == 0 ? norm * 1.001 : norm * 0.999);
        const double diagonal = k == 3 ? -1 : static_cast<double>(k + 1);
        const Matrix a = diagonalMatrix(std::vector<double>(static_cast<size_t>(n), diagonal));
        matrices.emplace_back(a.begin(), a.end());
      }
      for (size_t k = 0; k < matrices.size(); ++k) {
        in.push_back(matrices[k].data());
        out.push_back(outs[k].data());
      }
      const std::vector<double> damping(count, 0.0);
      const std::vector<double> scale(count, 0.25);
      std::vector<double> norms(count);
      Buffer<float> workspace(backend.f32.invertSmallWorkspace(n));
      backend.f32.invertSmall(n, count, in.data(), damping.data(), scale.data(), limit.data(), out.data(), norms.data(),
                              workspace.data());
      for (size_t k = 0; k < matrices.size(); ++k) {
        const double inverse = 1 / static_cast<double>(k + 1);
        if (k == 3) {
          CHECK(std::isnan(norms[k]));
        } else {
          // Two roundings of the elements and n of the sum, in float32.
          const double expected = std::sqrt(static_cast<double>(n)) * inverse;
          CHECK(std::fabs(norms[k] - expected) <= static_cast<double>(n + 4) * roundoff<float> * expected);
        }
        const double corner = k % 2 == 0 ? inverse : 7.0;
        CHECK(std::fabs(static_cast<double>(outs[k].back()) - corner) <= 4 * roundoff<float> * corner);
      }
    }
  }
}

TEST("small inverses are right on every instruction set") {
  for (const Backend& backend : everyInstructionSet()) {
    for (const int64_t n : {1, 5, 16, 33, 64, 65, 129}) {
      Inverses<float> set;
      for (unsigned k = 0; k < 20; ++k) set.add(withSpectrum(geometric(n, 100), k), n, 0);
      run(backend, {set.phase()}, 1);
      for (unsigned k = 0; k < 20; ++k) {
        const std::vector<double> a = widen<double>(lowerOf<float>(withSpectrum(geometric(n, 100), k), n), n);
        const std::vector<double> x(set.outs[k].begin(), set.outs[k].end());
        std::vector<double> e = product(a, x, n);
        subtractIdentity(e, n);
        CHECK(oneNorm(e, n) < 10 * static_cast<double>(n) * oneNorm(a, n) * oneNorm(x, n) * roundoff<float>);
      }
    }
  }
}

TEST("the number of threads changes no bit") {
  Mixture one;
  const Reports first = run(cpuBackend(), {one.jobs}, 1);
  for (const int threads : {2, 3, 4, 8}) {
    for (int repeat = 0; repeat < 5; ++repeat) {
      Mixture several;
      const Reports again = run(cpuBackend(), {several.jobs}, threads);
      CHECK(one.inverses.outs == several.inverses.outs);
      CHECK(one.outs == several.outs);
      for (size_t i = 0; i < first[0].size(); ++i) {
        CHECK(first[0][i].status == again[0][i].status);
        CHECK(first[0][i].residual == again[0][i].residual);
        CHECK(first[0][i].dot == again[0][i].dot);
      }
    }
  }
}

TEST("several callers may run at once") {
  Mixture expected;
  run(cpuBackend(), {expected.jobs}, 1);
  std::vector<std::thread> callers;
  std::atomic<int> wrong{0};
  for (int c = 0; c < 4; ++c) {
    callers.emplace_back([&] {
      for (int repeat = 0; repeat < 5; ++repeat) {
        Mixture mine;
        run(cpuBackend(), {mine.jobs}, 3);
        if (mine.outs != expected.outs || mine.inverses.outs != expected.inverses.outs) ++wrong;
      }
    });
  }
  for (std::thread& caller : callers) caller.join();
  CHECK(wrong == 0);
}

TEST("a phase sees what the phases before it have written") {
  std::vector<double> x{1, 2, 3};
  std::vector<double> y(3);
  std::vector<double> z(3);
  const Phases phases{{Job(TypedJob<double>(CombineJob<double>{{{x.data(), 2}}, y.data(), 3}))},
                      {Job(TypedJob<double>(ScaleJob<double>{y.data(), y.data(), z.data(), 3}))}};
  run(cpuBackend(), phases, 2);
  CHECK((z == std::vector<double>{4, 16, 36}));
}

TEST("empty phases and no phases are fine") {
  CHECK(run(cpuBackend(), {}, 2).empty());
  CHECK(run(cpuBackend(), {{}, {}}, 2).size() == 2);
}

TEST("memory that runs out is reported for the job that asked for it, and the others go on") {
  Inverses<float> set;
  set.add(withSpectrum(geometric(200, 10), 1), 200, 0.1);
  set.add(withSpectrum(geometric(10, 10), 1), 10, 0.1);
  const Phases phases{set.phase()};
  run(cpuBackend(), phases, 1);
  std::fill(set.outs[0].begin(), set.outs[0].end(), 7.0f);
  refuseAbove = 100000;
  const Reports reports = run(cpuBackend(), phases, 2);
  refuseAbove = INT64_MAX;
  CHECK(reports[0][0].status == Status::outOfMemory);
  CHECK(set.outs[0][0] == 7.0f);
  CHECK(reports[0][1].status == Status::ok);
}

TEST("ten thousand calls leave no memory behind") {
  Inverses<float> set;
  for (unsigned k = 0; k < 4; ++k) set.add(withSpectrum(geometric(9, 10), k), 9, 0.1);
  const Phases phases{set.phase()};
  run(cpuBackend(), phases, 2);
  const int64_t before = liveAllocations;
  for (int i = 0; i < 10000; ++i) run(cpuBackend(), phases, 2);
  // Fewer, where a thread of the pool had not yet let go of an earlier test's batch.
  CHECK_THAT(liveAllocations <= before, std::to_string(liveAllocations - before));
}

int main() { return runTests(); }
