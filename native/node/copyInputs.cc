#include <algorithm>
#include <cstring>
#include <map>
#include <utility>

#include "node/parseJobs.h"

namespace natgrad {

namespace {

// Work whose inputs were moved to copies: where each one went, by phase and address.
using Moved = std::map<std::pair<int64_t, uintptr_t>, std::byte*>;

template <class T>
void redirect(const Moved& moved, int64_t phase, const T*& data) {
  const auto found = moved.find({phase, reinterpret_cast<uintptr_t>(data)});
  if (data && found != moved.end()) data = reinterpret_cast<const T*>(found->second);
}

// The inputs of the jobs whose inputs are copied, and of no others.
template <class Kind>
void redirectInputs(const Moved&, int64_t, Kind&) {}

template <class T>
void redirectInputs(const Moved& moved, int64_t phase, FactorJob<T>& job) {
  for (FactorInput<T>& input : job.inputs) redirect(moved, phase, input.data);
}

template <class T>
void redirectInputs(const Moved& moved, int64_t phase, DiagonalFactorJob<T>& job) {
  for (DiagonalFactorInput<T>& input : job.inputs) {
    redirect(moved, phase, input.data);
    redirect(moved, phase, input.indices);
  }
}

template <class T>
void redirectInputs(const Moved& moved, int64_t phase, UnitFactorsJob<T>& job) {
  for (UnitFactorInput<T>& input : job.inputs) {
    redirect(moved, phase, input.data);
    redirect(moved, phase, input.gradients);
  }
}

template <class T>
void redirectInputs(const Moved& moved, int64_t phase, ScoresJob<T>& job) {
  redirect(moved, phase, job.activation.data);
  redirect(moved, phase, job.outputGradient);
}

template <class T>
void redirectInputs(const Moved& moved, int64_t phase, LowRankScoresJob<T>& job) {
  redirect(moved, phase, job.activation.data);
  redirect(moved, phase, job.outputGradient);
}

template <class T>
void redirectInputs(const Moved& moved, int64_t phase, RationalFactorJob<T>& job) {
  for (RationalInput<T>& input : job.inputs) {
    for (const T** data : {&input.activation, &input.gradient, &input.numerator, &input.denominator, &input.noise}) {
      redirect(moved, phase, *data);
    }
  }
}

}  // namespace

void keepIntermediateInputs(Work& work) {
  for (Access& input : work.accesses) {
    if (!input.copied) continue;
    for (const Access& other : work.accesses) {
      if (other.write && other.place.phase < input.place.phase && other.overlaps(input)) input.copied = false;
    }
  }
}

std::vector<Buffer<std::byte>> copyInputs(Work& work) {
  // Inputs that start at one address share a copy that is long enough for each.
  std::map<std::pair<int64_t, uintptr_t>, size_t> lengths;
  for (const Access& access : work.accesses) {
    if (!access.copied) continue;
    size_t& length = lengths[{access.place.phase, access.begin}];
    length = std::max(length, static_cast<size_t>(access.end - access.begin));
  }
  std::vector<Buffer<std::byte>> copies;
  Moved moved;
  for (const auto& [key, length] : lengths) {
    copies.emplace_back(static_cast<int64_t>(length));
    std::memcpy(copies.back().data(), reinterpret_cast<const void*>(key.second), length);
    moved[key] = copies.back().data();
  }
  for (size_t p = 0; p < work.phases.size(); p++) {
    const auto phase = static_cast<int64_t>(p);
    for (Job& job : work.phases[p]) {
      const auto each = [&](auto& kind) { redirectInputs(moved, phase, kind); };
      std::visit([&](auto& typed) { std::visit(each, typed); }, job);
    }
  }
  return copies;
}

}  // namespace natgrad
