#include "core/device/roots.h"

#include <cmath>
#include <limits>
#include <numeric>
#include <tuple>

#include "core/newtonSchulzSchedule.h"

namespace natgrad {

namespace {

// What TF32 rounds to, and how far it goes: at this condition number a root keeps two to three digits, and soon after
// it has none.
constexpr double tf32Roundoff = 0x1p-11;
constexpr double tf32IsEnough = 1e2;

}  // namespace

template <class T, class S>
typename Roots<T, S>::Plan Roots<T, S>::planFor(const RootTarget<S>& target, bool tf32) const {
  const Stop stop = stopOf<T>(*target.job);
  Plan plan;
  plan.interval = intervalOf<T>(target.info, target.damping);
  plan.second = rootsOf(plan.interval);
  plan.minimax = target.job->method != RootMethod::newtonSchulz;
  if (tf32 && sizeof(T) == 4 && plan.interval.upper <= tf32IsEnough * plan.interval.lower)
    plan.math = ProductMath::tf32;
  const double unit = plan.math == ProductMath::tf32 ? tf32Roundoff : unitRoundoff<T>;
  const auto steps = [&](Interval x) {
    return newtonSchulzSteps({std::sqrt(x.lower / x.upper), 1}, stop, plan.minimax);
  };
  const auto limit = [&](Interval x) { return rootLimit(unit, target.size, stop.tolerance, x); };
  plan.steps = steps(plan.interval);
  plan.limit = limit(plan.interval);
  if (target.job->p == 4) {
    plan.secondSteps = steps(plan.second);
    plan.secondLimit = limit(plan.second);
  }
  return plan;
}

template <class T, class S>
bool Roots<T, S>::before(size_t a, size_t b) const {
  const auto key = [&](size_t i) {
    const Plan& plan = plans_[i];
    return std::make_tuple(targets_[i].size, plan.steps, plan.secondSteps, plan.minimax, plan.math);
  };
  return key(a) < key(b);
}

template <class T, class S>
bool Roots<T, S>::together(size_t a, size_t b) const {
  return !before(a, b) && !before(b, a);
}

template <class T, class S>
Roots<T, S>::Roots(const Queue& queue, Results& results, std::vector<RootTarget<S>> targets, bool tf32)
    : queue_(queue), targets_(std::move(targets)), order_(targets_.size()) {
  for (const RootTarget<S>& target : targets_) plans_.push_back(planFor(target, tf32));
  std::iota(order_.begin(), order_.end(), size_t{0});
  std::stable_sort(order_.begin(), order_.end(), [&](size_t a, size_t b) { return before(a, b); });
  for (size_t begin = 0; begin < order_.size();) {
    size_t end = begin;
    while (end < order_.size() && together(order_[begin], order_[end])) ++end;
    inParts(
        begin, end, static_cast<size_t>(stackLimit<T>(targets_[order_[begin]].size)),
        [&](size_t first, size_t last) { enqueue(results, first, last); }, [](size_t) {});
    begin = end;
  }
}

template <class T, class S>
double Roots<T, S>::rootOfScale(size_t i) const {
  return std::pow(targets_[i].info.scale, 1.0 / targets_[i].job->p);
}

template <class T, class S>
void Roots<T, S>::enqueue(Results& results, size_t first, size_t last) {
  const DeviceBackend& backend = queue_.backend();
  const DeviceOperations<T>& ops = deviceOperations<T>(backend);
  const size_t size = last - first;
  const Plan& shared = plans_[order_[first]];
  const int64_t n = targets_[order_[first]].size, count = static_cast<int64_t>(size);
  const bool fourth = shared.secondSteps > 0;

  std::vector<const S*> matrices;
  std::vector<S*> out;
  std::vector<double> scales, dampings, bounds, secondBounds, limits, secondLimits, normLimits, factors;
  std::vector<Interval> intervals, secondIntervals;
  for (size_t k = first; k < last; ++k) {
    const size_t i = order_[k];
    const RootTarget<S>& target = targets_[i];
    const Plan& plan = plans_[i];
    // With a limit set by the caller, what the iteration has reached by then is the result.
    const bool anyResidual = target.job->maxIterations > 0;
    const double whatever = std::numeric_limits<double>::max();
    matrices.push_back(target.matrix);
    out.push_back(target.out);
    scales.push_back(target.info.scale);
    dampings.push_back(target.damping);
    intervals.push_back(plan.interval);
    secondIntervals.push_back(plan.second);
    bounds.push_back(1 / std::sqrt(plan.interval.upper));
    limits.push_back(anyResidual ? whatever : plan.limit);
    secondLimits.push_back(anyResidual ? whatever : plan.secondLimit);
    // What the iteration leaves is the root times the root of the upper bound of its interval.
    factors.push_back(rootOfScale(i) / std::sqrt(fourth ? plan.second.upper : plan.interval.upper));
    normLimits.push_back(static_cast<double>(std::numeric_limits<S>::max()) / factors.back());
  }
  DeviceArray<T> a(queue_, count * n * n);
  const RootStacks<T> stacks(queue_, n, count);
  Parameters parameters(queue_);
  const size_t from = parameters.add(matrices), to = parameters.add(out), scale = parameters.add(scales);
  const size_t damping = parameters.add(dampings), bound = parameters.add(bounds);
  const size_t limit = parameters.add(limits), secondLimit = parameters.add(secondLimits),
               normLimit = parameters.add(normLimits);
  const size_t factor = parameters.add(factors), none = parameters.add(std::vector<double>(size, 0.0));
  const size_t places = parameters.add(stacked(a.data(), n, size)),
               zPlaces = parameters.add(stacked(stacks.z.data(), n, size));
  const size_t productPlaces = parameters.add(stacked(stacks.product.data(), n, size));
  const size_t sizes = parameters.add(std::vector<int64_t>(size, n)),
               accepted = parameters.add(std::vector<int32_t>(size, 1));
  parameters.send();
  const Results::Numbers residuals = results.reserve(count), secondResiduals = results.reserve(count),
                         norms = results.reserve(count);
  int32_t* const good = parameters.at<int32_t>(accepted);

  queue_.call(deviceConversions<S, T>(backend).mirror, n, count, parameters.at<const S*>(from),
              parameters.at<T*>(places), parameters.at<double>(scale), parameters.at<double>(damping), nullptr);
  const RootSteps steps{shared.steps, shared.minimax, shared.math};
  iterateRoots(queue_, stacks, stacked(a.data(), n, size), intervals, steps, residuals.device);
  queue_.call(backend.accept, count, nullptr, residuals.device, parameters.at<double>(limit), good);
  if (fourth) {
    // A^(-1/4) = (A A^(-1/2))^(-1/2), whose second root has the square root of the condition number.
    queue_.call(ops.gemmStack, shared.math, false, false, n, n, n, T(1), a.data(), stacks.z.data(), T(0),
                stacks.product.data(), count);
    queue_.call(deviceConversions<T, T>(backend).mirror, n, count, parameters.at<T*>(productPlaces),
                parameters.at<T*>(places), parameters.at<double>(bound), parameters.at<double>(none), nullptr);
    const RootSteps secondSteps{shared.secondSteps, shared.minimax, shared.math};
    iterateRoots(queue_, stacks, stacked(a.data(), n, size), secondIntervals, secondSteps, secondResiduals.device);
    queue_.call(backend.accept, count, nullptr, secondResiduals.device, parameters.at<double>(secondLimit), good);
  }
  queue_.call(ops.norms, count, n, parameters.at<T*>(zPlaces), parameters.at<int64_t>(sizes), nullptr, norms.device);
  queue_.call(backend.accept, count, nullptr, norms.device, parameters.at<double>(normLimit), good);
  queue_.call(deviceConversions<T, S>(backend).mirror, n, count, parameters.at<T*>(zPlaces), parameters.at<S*>(to),
              parameters.at<double>(factor), parameters.at<double>(none), good);
  for (size_t k = first; k < last; ++k) {
    Plan& plan = plans_[order_[k]];
    plan.residual = residuals.host + (k - first);
    plan.secondResidual = fourth ? secondResiduals.host + (k - first) : nullptr;
    plan.norm = norms.host + (k - first);
  }
}

template <class T, class S>
Attempt Roots<T, S>::attempt(size_t i) const {
  const RootTarget<S>& target = targets_[i];
  const Plan& plan = plans_[i];
  if (plan.residual == nullptr) throw std::bad_alloc();
  Attempt attempt;
  attempt.residual = *plan.residual;
  attempt.iterations = plan.steps;
  attempt.converged = attempt.residual <= plan.limit;
  const bool goesOn = attempt.converged || (target.job->maxIterations > 0 && std::isfinite(attempt.residual));
  if (plan.secondResidual != nullptr && goesOn) {
    attempt.residual = std::max(attempt.residual, *plan.secondResidual);
    attempt.iterations += plan.secondSteps;
    attempt.converged = attempt.converged && *plan.secondResidual <= plan.secondLimit;
  }
  const double bound = plan.secondResidual != nullptr ? plan.second.upper : plan.interval.upper;
  const double norm = *plan.norm / std::sqrt(bound);
  if (!std::isfinite(norm) || !representable<S>(norm * rootOfScale(i))) return Attempt();
  attempt.accepted = attempt.converged || (target.job->maxIterations > 0 && std::isfinite(attempt.residual));
  if (attempt.accepted) attempt.minEigenvalue = std::pow(norm, -target.job->p) / target.info.scale;
  return attempt;
}

template <class T, class S>
Attempt tryRoot(const Queue& queue, const RootTarget<S>& target) {
  Results results(queue);
  const Roots<T, S> root(queue, results, {target}, false);
  results.download();
  queue.synchronize();
  return root.attempt(0);
}

#define NATGRAD_INSTANTIATE(T, S) \
  template class Roots<T, S>;     \
  template Attempt tryRoot<T, S>(const Queue&, const RootTarget<S>&);
NATGRAD_INSTANTIATE(float, float)
NATGRAD_INSTANTIATE(double, float)
NATGRAD_INSTANTIATE(double, double)
#undef NATGRAD_INSTANTIATE

}  // namespace natgrad
