// What must not matter: neighbours, threads, callers, phases without jobs.
#include <atomic>
#include <thread>

#include "check.h"
#include "gallery.h"
#include "inverses.h"

using namespace natgrad;
using namespace natgrad::test;

namespace {

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

int main() { return runTests(); }
