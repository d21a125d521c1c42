// The jobs of one phase that the device computes, those of one precision: examined together, computed together, judged
// together.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "core/device/device.h"
#include "core/device/examination.h"
#include "core/device/inverses.h"
#include "core/device/newtonInverse.h"
#include "core/device/roots.h"
#include "core/device/runMemory.h"

namespace natgrad {

// What the phases of a run share.
struct RunState {
  const Queue& queue;
  RunMemory& memory;
  Results& results;
  Precision precision;
  std::vector<std::function<void()>> endings;  // fill in reports once all results have come down
};

template <class T>
class TypedPhase {
 public:
  // Jobs for which there is no device memory go to `unfit`, by their number in the phase.
  TypedPhase(RunState& run, std::vector<Report>& reports, std::vector<size_t>& unfit);

  // Stages the job. Throws std::bad_alloc.
  void add(const Job& whole, const TypedJob<T>& job, size_t number);

  // First whatever decisions depend on; true if there is something to wait for.
  bool examine();
  // Once the results have come down, all the rest; true if there is something to judge.
  bool compute();
  // Once the results have come down again: reports, and the later rungs of the ladder.
  void judge();

 private:
  // Newton's iteration, if there was memory for it, and what to do where it has failed.
  struct FromStart {
    Target<T> target;
    std::function<Attempt()> attempt;
    std::function<void()> store;
  };
  struct Inverse {
    InverseJob<T> job;
    size_t number;
    size_t firstMatrix, partner;  // of the examination
    std::vector<Report> reports;  // of each matrix
    std::vector<int64_t> open;    // matrices that are not settled,
    size_t firstTarget = 0;       // whose targets begin here
    std::optional<FromStart> fromStart;  // of one matrix, which then has no target there
  };
  enum class RootPlan { settled, single, twice, eigen };
  struct Root {
    InverseRootJob<T> job;
    size_t number;
    size_t matrix, partner;
    DampedMatrix info;
    RootPlan plan = RootPlan::settled;
    size_t target = 0;
  };
  template <class J>
  struct Factor {
    J job;
    size_t number;
  };
  struct DiagonalInverse {
    DiagonalInverseJob<T> job;
    size_t number;
    size_t diagonal, partner;
  };
  struct Eigh {
    EighJob<T> job;
    size_t number;
    std::function<void()> start;
    std::function<Report()> report;
  };

  void take(InverseJob<T> job, size_t number);
  void take(InverseRootJob<T> job, size_t number);
  void take(EighJob<T> job, size_t number);
  void take(DiagonalInverseJob<T> job, size_t number);
  void take(FactorJob<T> job, size_t number) { factors_.push_back({std::move(job), number}); }
  void take(DiagonalFactorJob<T> job, size_t number) { diagonalFactors_.push_back({std::move(job), number}); }
  void take(KroneckerJob<T> job, size_t number);
  void take(ProductJob<T> job, size_t number);
  template <class J>
  void takePass(J job, size_t number);
  void take(ScaleJob<T> job, size_t number) { takePass(job, number); }
  void take(UpdateJob<T> job, size_t number) { takePass(job, number); }
  void take(CombineJob<T> job, size_t number) { takePass(std::move(job), number); }
  void take(ElementwiseJob<T> job, size_t number) { takePass(job, number); }
  void take(DotJob<T> job, size_t number) { takePass(job, number); }
  template <class J>
  void take(const J&, size_t number) {
    unfit_.push_back(number);  // has no device form
  }

  template <class C>
  void prepareEigh(Eigh& eigh);
  void settleInverses();
  FromStart beginFromStart(const Target<T>& target, const T* start);
  template <class C>
  void beginNewton(FromStart& inverse, const T* start);
  Attempt firstInverse(const Inverse& inverse, size_t place) const;
  void planRoots();
  void computeFactors();
  void judgeInverse(Inverse& inverse);
  void judgeRoot(const Root& root);
  Attempt firstRoot(const Root& root) const;
  Attempt preciseRoot(const Root& root, double damping) const;
  RootTarget<T> targetOf(const Root& root, double damping) const;
  ProductMath math() const;
  bool computesTwice() const { return sizeof(T) == 8 || run_.precision == Precision::fp64; }
  // Runs this for the job, which is left to the host if there is no device memory.
  template <class Body>
  void attempt(size_t number, const Body& body);

  RunState& run_;
  std::vector<Report>& reports_;
  std::vector<size_t>& unfit_;
  Examination<T> examination_;
  std::deque<Inverse> inverses_;
  std::deque<Root> roots_;
  std::deque<Eigh> eighs_;
  std::deque<DiagonalInverse> diagonalInverses_;
  std::deque<Factor<FactorJob<T>>> factors_;
  std::deque<Factor<DiagonalFactorJob<T>>> diagonalFactors_;
  std::vector<std::pair<size_t, std::function<void()>>> plain_;  // jobs that need no examination
  std::vector<int32_t> marks_;                                   // of the inputs of all factors
  std::vector<Target<T>> targets_;
  std::vector<RootTarget<T>> singleRoots_, twiceRoots_;
  std::optional<Inverses<T, T>> invertedAsAsked_;
  std::optional<Inverses<double, T>> invertedTwice_;
  std::optional<Roots<T, T>> rootedAsAsked_;
  std::optional<Roots<double, T>> rootedTwice_;
};

}  // namespace natgrad
