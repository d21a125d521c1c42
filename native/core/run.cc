// Turns the jobs of each phase into tasks for the thread pool.
#include <algorithm>
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
      for (size_t begin = 0; begin < group.jobs.size(); begin += smallGroup) {
        const size_t end = std::min(group.jobs.size(), begin + smallGroup);
        addGroup(group, begin, end);
      }
    }
  }

  // When all tasks are done.
  void merge() const {
    for (const Split& split : splits_) split.merge();
  }

 private:
  void addJob(const KroneckerJob<T>& job, Report& report) { addParts<KroneckerParts<T>>(job, report); }

  void addJob(const FactorJob<T>& job, Report& report) { addParts<FactorParts<T>>(job, report); }

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

  template <class Parts, class J>
  void addParts(const J& job, Report& report) {
    const auto shared = std::make_shared<Parts>(backend_, job);
    const size_t count = static_cast<size_t>(shared->count());
    Split& split = splits_.emplace_back(Split{&report, std::vector<Report>(count)});
    for (size_t i = 0; i < count; ++i) {
      Report* part = &split.parts[i];
      tasks_.push_back({cost(job) / static_cast<double>(count), [shared, part, i] {
                          try {
                            *part = shared->compute(static_cast<int64_t>(i));
                          } catch (const std::bad_alloc&) {
                            markOutOfMemory(*part);
                          }
                        }});
    }
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
                        Report* const* reports = group.reports.data() + begin;
                        try {
                          computeSmallInverses<T>(backend_, end - begin, group.jobs.data() + begin, reports);
                        } catch (const std::bad_alloc&) {
                          for (size_t i = 0; i < end - begin; ++i) markOutOfMemory(*reports[i]);
                        }
                      }});
  }

  const Backend& backend_;
  std::vector<Task>& tasks_;
  std::map<int64_t, SmallGroup<T>> groups_;
  std::deque<Split> splits_;  // stay where they are while others are added
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
