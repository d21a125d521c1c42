// Turns the jobs of each phase into tasks for the thread pool.
#include <algorithm>
#include <cmath>
#include <deque>
#include <map>
#include <memory>
#include <new>
#include <utility>

#include "core/backend.h"
#include "core/cost.h"
#include "core/eigen.h"
#include "core/elementwise.h"
#include "core/factor.h"
#include "core/inverse.h"
#include "core/jobs.h"
#include "core/kronecker.h"
#include "core/lowRankScores.h"
#include "core/product.h"
#include "core/rational.h"
#include "core/root.h"
#include "core/scores.h"
#include "core/threadPool.h"
#include "core/unitFactors.h"

namespace natgrad {

namespace {

void markOutOfMemory(Report& report) { report = failure(Status::outOfMemory); }

// A job that is done in parts, each a task with a report of its own.
struct Split {
  Report* whole;
  std::vector<Report> parts;

  // In the order of the parts, whichever was done first.
  void merge() const {
    *whole = parts.front();
    for (size_t i = 1; i < parts.size(); ++i) {
      whole->dot += parts[i].dot;
      if (whole->status == Status::ok && parts[i].status != Status::ok) {
        whole->status = parts[i].status;
        whole->converged = parts[i].converged;
      }
    }
  }
};

// A job of several matrices, each with a report of its own.
struct Stack {
  Report* whole;
  std::vector<Report> matrices;

  void merge() const { *whole = worstOf(matrices); }
};

template <class T>
class TypedTasks {
 public:
  TypedTasks(const Backend& backend, std::vector<Task>& tasks) : backend_(backend), tasks_(tasks) {}

  void add(const TypedJob<T>& job, Report& report) {
    std::visit([&](const auto& j) { addJob(j, report); }, job);
  }

  // When all jobs are known.
  void close() {
    for (const auto& [size, group] : groups_) {
      for (size_t begin = 0; begin < group.size(); begin += smallGroup) {
        addGroup(group.data() + begin, std::min(group.size() - begin, smallGroup));
      }
    }
  }

  // When all tasks are done.
  void merge() const {
    for (const Split& split : splits_) split.merge();
    for (const Stack& stack : stacks_) stack.merge();
  }

 private:
  void addJob(const KroneckerJob<T>& job, Report& report) { addParts<KroneckerParts<T>>(job, report); }

  void addJob(const FactorJob<T>& job, Report& report) { addParts<FactorParts<T>>(job, report); }

  void addJob(const ProductJob<T>& job, Report& report) { addParts<ProductParts<T>>(job, report); }

  void addJob(const ScoresJob<T>& job, Report& report) { addParts<ScoresParts<T>>(job, report); }

  void addJob(const LowRankScoresJob<T>& job, Report& report) { addParts<LowRankScoresParts<T>>(job, report); }

  void addJob(const UnitFactorsJob<T>& job, Report& report) { addParts<UnitFactorsParts<T>>(job, report); }

  void addJob(const InverseJob<T>& job, Report& report) {
    if (job.count == 1) return addInverses(job, 1, &report);
    // Matrices without elements are all alike, and nothing else limits their number.
    const int64_t count = job.size == 0 ? std::min<int64_t>(job.count, 1) : job.count;
    Stack& stack = stacks_.emplace_back(Stack{&report, std::vector<Report>(static_cast<size_t>(count))});
    addInverses(job, count, stack.matrices.data());
  }

  void addInverses(const InverseJob<T>& job, int64_t count, Report* reports) {
    if (job.size <= smallSize) {
      std::vector<SmallInverse<T>>& group = groups_[job.size];
      const size_t before = group.size();
      group.resize(before + static_cast<size_t>(count));
      SmallInverse<T>* next = group.data() + before;
      for (int64_t i = 0; i < count; ++i) next[i] = {&job, i, reports + i};
    } else {
      for (int64_t i = 0; i < count; ++i) {
        addTask(cube(job.size), reports[i], [this, &job, i] { return compute(backend_, job.at(i)); });
      }
    }
  }

  template <class J>
  void addJob(const J& job, Report& report) {
    addTask(cost(job), report, [this, &job] { return compute(backend_, job); });
  }

  template <class Parts, class J>
  void addParts(const J& job, Report& report) {
    const auto shared = std::make_shared<Parts>(backend_, job);
    const size_t count = static_cast<size_t>(shared->count());
    Split& split = splits_.emplace_back(Split{&report, std::vector<Report>(count)});
    for (size_t i = 0; i < count; ++i) {
      addTask(cost(job) / static_cast<double>(count), split.parts[i],
              [shared, i] { return shared->compute(static_cast<int64_t>(i)); });
    }
  }

  template <class Compute>
  void addTask(double cost, Report& report, const Compute& compute) {
    tasks_.push_back({cost, [compute, &report] {
                        try {
                          report = compute();
                        } catch (const std::bad_alloc&) {
                          markOutOfMemory(report);
                        }
                      }});
  }

  void addGroup(const SmallInverse<T>* group, size_t count) {
    const double one = cube(group->job->size);
    tasks_.push_back({one * static_cast<double>(count), [this, group, count] {
                        try {
                          computeSmallInverses(backend_, count, group);
                        } catch (const std::bad_alloc&) {
                          for (size_t i = 0; i < count; ++i) markOutOfMemory(*group[i].report);
                        }
                      }});
  }

  const Backend& backend_;
  std::vector<Task>& tasks_;
  std::map<int64_t, std::vector<SmallInverse<T>>> groups_;  // by size; they share SIMD registers
  std::deque<Split> splits_;                                // stay where they are while others are added
  std::deque<Stack> stacks_;                                // so do these
};

void runPhase(const Backend& backend, const Phase& phase, std::vector<Report>& reports, int threads) {
  std::vector<Task> tasks;
  TypedTasks<float> single(backend, tasks);
  TypedTasks<double> twice(backend, tasks);
  for (size_t i = 0; i < phase.size(); ++i) {
    if (const auto* job = std::get_if<TypedJob<float>>(&phase[i])) {
      single.add(*job, reports[i]);
    } else {
      twice.add(std::get<TypedJob<double>>(phase[i]), reports[i]);
    }
  }
  single.close();
  twice.close();
  runTasks(tasks, threads);
  single.merge();
  twice.merge();
}

}  // namespace

Reports run(const Backend& backend, const Phases& phases, int threads) {
  Reports reports;
  try {
    for (const Phase& phase : phases) reports.emplace_back(phase.size());
  } catch (const std::bad_alloc&) {
    return {};
  }
  for (size_t i = 0; i < phases.size(); ++i) {
    try {
      runPhase(backend, phases[i], reports[i], threads);
    } catch (const std::bad_alloc&) {
      // The tasks themselves never throw, so none of this phase has been started.
      for (Report& report : reports[i]) markOutOfMemory(report);
    }
  }
  return reports;
}

}  // namespace natgrad
