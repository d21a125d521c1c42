#include <algorithm>
#include <cstring>
#include <map>
#include <utility>

#include "node/parseJobs.h"

namespace natgrad {

namespace {

// Jobs whose inputs are copied by `submit`.
template <class Kind>
constexpr bool hasIndices = false;
template <class T>
constexpr bool hasIndices<DiagonalFactorJob<T>> = true;
template <class Kind>
constexpr bool hasFactorInputs = hasIndices<Kind>;
template <class T>
constexpr bool hasFactorInputs<FactorJob<T>> = true;

// Work whose inputs were moved to copies: where each one went, by phase and address.
using Moved = std::map<std::pair<int64_t, uintptr_t>, std::byte*>;

template <class T>
void redirect(const Moved& moved, int64_t phase, const T*& data) {
  const auto found = moved.find({phase, reinterpret_cast<uintptr_t>(data)});
  if (data && found != moved.end()) data = reinterpret_cast<const T*>(found->second);
}

template <class Kind>
void redirectInputs(const Moved& moved, int64_t phase, Kind& job) {
  if constexpr (hasFactorInputs<Kind>) {
    for (auto& input : job.inputs) {
      redirect(moved, phase, input.data);
      if constexpr (hasIndices<Kind>) redirect(moved, phase, input.indices);
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

std::vector<Buffer<std::byte>> copyFactorInputs(Work& work) {
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
