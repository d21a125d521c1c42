// Turns the jobs of each phase into tasks for the thread pool.
#include <algorithm>
#include <map>
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
#include "core/root.h"
#include "core/threadPool.h"

namespace natgrad {

namespace {

void markOutOfMemory(Report& report) {
  report = Report();
  report.status = Status::outOfMemory;
  report.converged = false;
}

// Small inverses of one size and precision, which share SIMD registers.
template <class T>
struct SmallGroup {
  std::vector<const InverseJob<T>*> jobs;
  std::vector<Report*> reports;
};

// Enough matrices to fill the widest registers several times, few enough to leave work for other threads.
constexpr size_t groupSize = 32;

template <class T>
class TypedTasks {
 public:
  TypedTasks(const Backend& backend, std::vector<Task>& tasks) : backend_(backend), tasks_(tasks) {}

  void add(const TypedJob<T>& job, Report& report) {
    std::visit([&](const auto& j) { addJob(j, report); }, job);
  }

  void finish() {
    for (const auto& [size, group] : groups_) {
      for (size_t begin = 0; begin < group.jobs.size(); begin += groupSize) {
        const size_t end = std::min(group.jobs.size(), begin + groupSize);
        addGroup(group, begin, end);
      }
    }
  }

 private:
  void addJob(const InverseJob<T>& job, Report& report) {
    if (job.size > smallSize) return addTask(job, report);
    SmallGroup<T>& group = groups_[job.size];
    group.jobs.push_back(&job);
    group.reports.push_back(&report);
  }

  template <class J>
  void addJob(const J& job, Report& report) {
    addTask(job, report);
  }

  template <class J>
  void addTask(const J& job, Report& report) {
    tasks_.push_back({cost(job), [this, &job, &report] {
                        try {
                          report = compute(backend_, job);
                        } catch (const std::bad_alloc&) {
                          markOutOfMemory(report);
                        }
                      }});
  }

  void addGroup(const SmallGroup<T>& group, size_t begin, size_t end) {
    const double one = cost(*group.jobs[begin]);
    tasks_.push_back({one * static_cast<double>(end - begin), [this, &group, begin, end] {
                        const auto b = static_cast<std::ptrdiff_t>(begin);
                        const auto e = static_cast<std::ptrdiff_t>(end);
                        try {
                          computeSmallInverses<T>(backend_, {group.jobs.begin() + b, group.jobs.begin() + e},
                                                  {group.reports.begin() + b, group.reports.begin() + e});
                        } catch (const std::bad_alloc&) {
                          std::for_each(group.reports.begin() + b, group.reports.begin() + e,
                                        [](Report* report) { markOutOfMemory(*report); });
                        }
                      }});
  }

  const Backend& backend_;
  std::vector<Task>& tasks_;
  std::map<int64_t, SmallGroup<T>> groups_;
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
  single.finish();
  twice.finish();
  runTasks(tasks, threads);
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
