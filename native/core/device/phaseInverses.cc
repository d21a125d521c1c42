// The part of a phase that decides how inverses and roots are computed, and judges them.
#include <cmath>
#include <new>

#include "core/device/eigenvectors.h"
#include "core/device/typedPhase.h"

namespace natgrad {

template <class T>
void TypedPhase<T>::settleInverses() {
  for (Inverse& inverse : inverses_) {
    const int64_t n = inverse.job.size;
    inverse.reports.assign(static_cast<size_t>(inverse.job.count), Report());
    inverse.firstTarget = targets_.size();
    for (int64_t i = 0; i < inverse.job.count; ++i) {
      const InverseJob<T> one = inverse.job.at(i);
      const DampedMatrix info =
          examination_.matrix(inverse.firstMatrix + static_cast<size_t>(i), inverse.partner, one.damped, 1);
      double diagonal = 0;
      if (!settle<T>(info, n, 1, inverse.reports[static_cast<size_t>(i)], diagonal)) {
        const Target<T> target{one.matrix, one.out, n, info, info.damping};
        inverse.open.push_back(i);
        if (one.start != nullptr && n > smallSize) {
          inverse.fromStart = beginFromStart(target, one.start);
        } else {
          targets_.push_back(target);
        }
      } else if (!std::isnan(diagonal)) {
        run_.queue.call(deviceOperations<T>(run_.queue.backend()).identity, n, diagonal, one.out);
      }
    }
  }
}

template <class T>
template <class C>
void TypedPhase<T>::beginNewton(FromStart& inverse, const T* start) {
  const auto newton = std::make_shared<NewtonInverse<C, T>>(run_.queue, run_.results, inverse.target, start);
  inverse.attempt = [newton] { return newton->attempt(); };
  inverse.store = [newton] { newton->store(); };
}

template <class T>
typename TypedPhase<T>::FromStart TypedPhase<T>::beginFromStart(const Target<T>& target, const T* start) {
  FromStart inverse{target, [] { return Attempt(); }, [] {}};
  try {
    if (computesTwice()) {
      beginNewton<double>(inverse, start);
    } else {
      beginNewton<T>(inverse, start);
    }
  } catch (const std::bad_alloc&) {
    // Cholesky needs less memory.
  }
  return inverse;
}

template <class T>
Attempt TypedPhase<T>::firstInverse(const Inverse& inverse, size_t place) const {
  if (!inverse.fromStart) {
    return computesTwice() ? invertedTwice_->attempt(place) : invertedAsAsked_->attempt(place);
  }
  const auto& [target, attempt, store] = *inverse.fromStart;
  const Attempt newton = attempt();
  if (newton.accepted) {
    store();
    return newton;
  }
  return computesTwice() ? tryInverse<double, T>(run_.queue, target) : tryInverse<T, T>(run_.queue, target);
}

template <class T>
RootTarget<T> TypedPhase<T>::targetOf(const Root& root, double damping) const {
  return {{root.job.matrix, root.job.out, root.job.size, root.info, damping}, &root.job};
}

template <class T>
void TypedPhase<T>::planRoots() {
  for (Root& root : roots_) {
    root.info = examination_.matrix(root.matrix, root.partner, root.job.damped, root.job.p);
    double diagonal = 0;
    if (settle<T>(root.info, root.job.size, root.job.p, reports_[root.number], diagonal)) {
      if (!std::isnan(diagonal)) {
        run_.queue.call(deviceOperations<T>(run_.queue.backend()).identity, root.job.size, diagonal, root.job.out);
      }
      continue;
    }
    const Interval interval = intervalOf<float>(root.info, root.info.damping);
    const bool automatic = root.job.method == RootMethod::automatic;
    const bool wellConditioned = interval.upper <= singleIsEnough * interval.lower;
    if (root.job.method == RootMethod::eigen || (automatic && !(root.info.damping > 0))) {
      root.plan = RootPlan::eigen;
    } else if (computesTwice() || (automatic && !wellConditioned)) {
      root.plan = RootPlan::twice;
      root.target = twiceRoots_.size();
      twiceRoots_.push_back(targetOf(root, root.info.damping));
    } else {
      root.plan = RootPlan::single;
      root.target = singleRoots_.size();
      singleRoots_.push_back(targetOf(root, root.info.damping));
    }
  }
}

template <class T>
void TypedPhase<T>::judgeInverse(Inverse& inverse) {
  for (size_t k = 0; k < inverse.open.size(); ++k) {
    const size_t place = inverse.firstTarget + k;
    Target<T> target = inverse.fromStart ? inverse.fromStart->target : targets_[place];
    const Attempt first = firstInverse(inverse, place);
    const auto precise = [&](double damping) {
      target.damping = damping;
      return tryInverse<double, T>(run_.queue, target);
    };
    const auto clipped = [&](double damping) {
      target.damping = damping;
      return eigenRoot(run_.queue, target, 1, true);
    };
    inverse.reports[static_cast<size_t>(inverse.open[k])] =
        climb(first, target.info.damping, !computesTwice(), precise, clipped);
  }
  reports_[inverse.number] = inverse.reports.size() == 1 ? inverse.reports.front() : worstOf(inverse.reports);
}

template <class T>
Attempt TypedPhase<T>::preciseRoot(const Root& root, double damping) const {
  const RootTarget<T> target = targetOf(root, damping);
  if (root.job.method == RootMethod::eigen) return eigenRoot<T>(run_.queue, target, root.job.p, false);
  const bool automatic = root.job.method == RootMethod::automatic;
  if (!automatic || damping > 0) {
    const Attempt attempt = tryRoot<double, T>(run_.queue, target);
    if (attempt.accepted || !automatic) return attempt;
  }
  return eigenRoot<T>(run_.queue, target, root.job.p, false);
}

template <class T>
Attempt TypedPhase<T>::firstRoot(const Root& root) const {
  if (root.plan == RootPlan::single) return rootedAsAsked_->attempt(root.target);
  if (root.plan == RootPlan::twice) {
    const Attempt attempt = rootedTwice_->attempt(root.target);
    if (attempt.accepted || root.job.method != RootMethod::automatic) return attempt;
  }
  return eigenRoot<T>(run_.queue, targetOf(root, root.info.damping), root.job.p, false);
}

template <class T>
void TypedPhase<T>::judgeRoot(const Root& root) {
  if (root.plan == RootPlan::settled) return;
  reports_[root.number] = climb(
      firstRoot(root), root.info.damping, root.plan == RootPlan::single,
      [&](double damping) { return preciseRoot(root, damping); },
      [&](double damping) { return eigenRoot<T>(run_.queue, targetOf(root, damping), root.job.p, true); });
}

#define NATGRAD_INSTANTIATE(T)                         \
  template void TypedPhase<T>::settleInverses();       \
  template void TypedPhase<T>::planRoots();            \
  template void TypedPhase<T>::judgeInverse(Inverse&); \
  template void TypedPhase<T>::judgeRoot(const Root&);
NATGRAD_INSTANTIATE(float)
NATGRAD_INSTANTIATE(double)
#undef NATGRAD_INSTANTIATE

}  // namespace natgrad
