#include "core/device/runMemory.h"

#include <algorithm>

namespace natgrad {

RunMemory::~RunMemory() {
  for (const auto& [begin, mirror] : used_) kept_.release(*mirror);
}

void RunMemory::announce(const Job& job) {
  visitRanges(job, [&](uintptr_t address, int64_t bytes, Use) {
    if (Mirror* mirror = kept_.find(address, bytes)) {
      if (used_.emplace(mirror->begin, mirror).second) ++mirror->keepers;
      return;
    }
    staged_.push_back({address, address + static_cast<uintptr_t>(bytes), std::nullopt, false});
  });
}

void RunMemory::announced() {
  std::sort(staged_.begin(), staged_.end(), [](const Range& a, const Range& b) { return a.begin < b.begin; });
  std::vector<Range> merged;
  for (Range& range : staged_) {
    if (!merged.empty() && range.begin < merged.back().end) {
      merged.back().end = std::max(merged.back().end, range.end);
    } else {
      merged.push_back(std::move(range));
    }
  }
  staged_ = std::move(merged);
}

bool RunMemory::usesKept(const Job& job) const {
  bool kept = false;
  visitRanges(job,
              [&](uintptr_t address, int64_t bytes, Use) { kept = kept || keptAt(address, bytes) != nullptr; });
  return kept;
}

void RunMemory::prepare(const Job& job) {
  visitRanges(job, [&](uintptr_t address, int64_t bytes, Use use) {
    if (keptAt(address, bytes) != nullptr) return;
    Range& range = *stagedAt(address);
    if (!range.memory) {
      range.memory.emplace(queue_, range.bytes());
      const bool replaced = use == Use::write && bytes == range.bytes();
      if (!replaced) queue_.upload(reinterpret_cast<const void*>(range.begin), range.memory->data(), range.bytes());
    }
    if (use != Use::read) range.written = true;
  });
}

void RunMemory::bringDown(const Job& job) const {
  visitRanges(job, [&](uintptr_t address, int64_t bytes, Use use) {
    if (use == Use::write) return;
    const Mirror* mirror = keptAt(address, bytes);
    const Range* range = mirror == nullptr ? stagedAt(address) : nullptr;
    if (mirror != nullptr) queue_.download(mirror->at(address), reinterpret_cast<void*>(address), bytes);
    if (range != nullptr && range->memory && range->written) {
      queue_.download(range->at(address), reinterpret_cast<void*>(address), bytes);
    }
  });
}

void RunMemory::bringUp(const Job& job) const {
  visitRanges(job, [&](uintptr_t address, int64_t bytes, Use use) {
    if (use == Use::read) return;
    const Mirror* mirror = keptAt(address, bytes);
    const Range* range = mirror == nullptr ? stagedAt(address) : nullptr;
    if (mirror != nullptr) queue_.upload(reinterpret_cast<const void*>(address), mirror->at(address), bytes);
    if (range != nullptr && range->memory)
      queue_.upload(reinterpret_cast<const void*>(address), range->at(address), bytes);
  });
}

void RunMemory::finish() const {
  for (const Range& range : staged_) {
    if (range.memory && range.written) {
      queue_.download(range.memory->data(), reinterpret_cast<void*>(range.begin), range.bytes());
    }
  }
}

const Mirror* RunMemory::keptAt(uintptr_t address, int64_t bytes) const {
  const auto after = used_.upper_bound(address);
  if (after == used_.begin()) return nullptr;
  const Mirror* mirror = std::prev(after)->second;
  return mirror->holds(address, bytes) ? mirror : nullptr;
}

const RunMemory::Range* RunMemory::stagedAt(uintptr_t address) const {
  const auto after = std::upper_bound(staged_.begin(), staged_.end(), address,
                                      [](uintptr_t value, const Range& range) { return value < range.begin; });
  if (after == staged_.begin()) return nullptr;
  const Range& range = *std::prev(after);
  return address < range.end ? &range : nullptr;
}

RunMemory::Range* RunMemory::stagedAt(uintptr_t address) {
  return const_cast<Range*>(static_cast<const RunMemory*>(this)->stagedAt(address));
}

std::byte* RunMemory::find(uintptr_t host) const {
  if (const Mirror* mirror = keptAt(host, 1)) return mirror->at(host);
  const Range* range = stagedAt(host);
  return range != nullptr && range->memory ? range->at(host) : nullptr;
}

}  // namespace natgrad
