#include "workload.h"

#include <map>
#include <new>
#include <random>
#include <sstream>
#include <stdexcept>
#include <thread>

#include "cpu/cpuBackend.h"
#include "test/gallery.h"

namespace natgrad::bench {
namespace {

std::vector<float> randomNumbers(int64_t size, unsigned seed) {
  std::mt19937 random(seed);
  std::uniform_real_distribution<float> uniform(-1, 1);
  std::vector<float> x(static_cast<size_t>(size));
  for (float& value : x) value = uniform(random);
  return x;
}

// Symmetric, of condition 1000; both triangles. Each is made once.
const std::vector<float>& positiveDefinite(int64_t n) {
  static std::map<int64_t, std::vector<float>> all;
  std::vector<float>& matrix = all[n];
  if (matrix.empty()) {
    const test::Matrix a = test::withSpectrum(test::geometric(n, 1e3), static_cast<unsigned>(n));
    matrix.assign(a.begin(), a.end());
  }
  return matrix;
}

int64_t bytesOf(const std::vector<float>& array) { return static_cast<int64_t>(array.size() * sizeof(float)); }

const Damped<float> damped{damping, nullptr, 0, false};

}  // namespace

Operation operationNamed(const std::string& name) {
  static const std::map<std::string, Operation> all{{"factor", Operation::factor},
                                                    {"factorUpload", Operation::factorUpload},
                                                    {"inverse", Operation::inverse},
                                                    {"root2", Operation::root2},
                                                    {"root4", Operation::root4},
                                                    {"eigh", Operation::eigh},
                                                    {"precondition", Operation::precondition}};
  const auto found = all.find(name);
  if (found == all.end()) throw std::runtime_error("'" + name + "' is no operation");
  return found->second;
}

std::vector<Size> sizesOf(const std::string& text) {
  std::vector<Size> sizes;
  std::istringstream list(text);
  for (std::string one; std::getline(list, one, ',');) {
    const size_t star = one.find('*');
    sizes.push_back({std::stoll(one), star == std::string::npos ? 1 : std::stoll(one.substr(star + 1))});
    if (sizes.back().n < 1 || sizes.back().count < 1) throw std::runtime_error("'" + text + "' is no list of sizes");
  }
  return sizes;
}

Workload::Workload(Device& device, Operation operation, const std::vector<Size>& sizes, int64_t rows)
    : device_(device), operation_(operation) {
  for (const Size& size : sizes) {
    for (int64_t i = 0; i < size.count; ++i) add(size.n, rows);
  }
}

Workload::~Workload() {
  for (const std::vector<float>* array : kept_) device_.release(array->data());
}

void Workload::keep(std::vector<float>& array) {
  if (!device_.keep(array.data(), bytesOf(array))) throw std::bad_alloc();
  kept_.push_back(&array);
}

void Workload::add(int64_t n, int64_t rows) {
  problems_.push_back(std::make_unique<Problem>());
  Problem& p = *problems_.back();
  p.n = n;
  p.rows = rows;
  p.out.assign(static_cast<size_t>(n * n), 0.0F);
  Phase& phase = phases_[0];
  const auto push = [&](auto job) { phase.push_back(TypedJob<float>(std::move(job))); };
  switch (operation_) {
    case Operation::factor:
    case Operation::factorUpload: {
      p.first = randomNumbers(n * rows, static_cast<unsigned>(n));
      p.second = randomNumbers(n * n, static_cast<unsigned>(n + 1));
      p.out = p.second;
      if (operation_ == Operation::factor) keep(p.first);
      FactorInput<float> input;
      static_cast<Rows<float>&>(input) = {p.first.data(), rows, n, false, {}};
      input.scale = (1 - decay) / static_cast<double>(rows);
      push(FactorJob<float>{{input}, false, decay, p.out.data(), n});
      break;
    }
    case Operation::precondition:
      p.first = p.third = positiveDefinite(n);
      p.second = randomNumbers(n * n, static_cast<unsigned>(n));
      keep(p.first);
      keep(p.second);
      keep(p.third);
      push(KroneckerJob<float>{p.first.data(), n, MatrixForm::full, p.third.data(), n, MatrixForm::full,
                               p.second.data(), nullptr, p.out.data(), nullptr});
      break;
    case Operation::eigh:
      p.first = positiveDefinite(n);
      p.values.assign(static_cast<size_t>(n), 0.0F);
      keep(p.first);
      keep(p.values);
      push(EighJob<float>{p.first.data(), n, p.values.data(), p.out.data()});
      break;
    case Operation::inverse:
      p.first = positiveDefinite(n);
      keep(p.first);
      push(InverseJob<float>{p.first.data(), n, damped, p.out.data()});
      break;
    case Operation::root2:
    case Operation::root4:
      p.first = positiveDefinite(n);
      keep(p.first);
      push(InverseRootJob<float>{p.first.data(), n, damped, operation_ == Operation::root2 ? 2 : 4,
                                 RootMethod::automatic, 0, 0, p.out.data()});
      break;
  }
  keep(p.out);
}

int64_t Workload::run() {
  const int threads = static_cast<int>(std::max(1U, std::thread::hardware_concurrency()));
  const Reports reports = device_.run(cpuBackend(), phases_, threads);
  int64_t iterations = 0;
  for (const Report& report : reports.at(0)) {
    if (report.status == Status::deviceLost) throw std::runtime_error("the device is lost: " + device_.reason());
    if (report.status != Status::ok)
      throw std::runtime_error("a job failed with status " + std::to_string(static_cast<int>(report.status)));
    iterations = std::max(iterations, report.iterations);
  }
  return iterations;
}

const std::vector<std::unique_ptr<Problem>>& Workload::fetch() {
  for (const auto& p : problems_) {
    const bool fetched = device_.fetch(p->out.data(), bytesOf(p->out)) &&
                         (p->values.empty() || device_.fetch(p->values.data(), bytesOf(p->values)));
    if (!fetched) throw std::runtime_error("the device is lost: " + device_.reason());
  }
  return problems_;
}

}  // namespace natgrad::bench
