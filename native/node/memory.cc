#include "node/memory.h"

#include <algorithm>

namespace natgrad {

std::string Place::text() const {
  std::string path = "phases[" + std::to_string(phase) + "][" + std::to_string(job) + "]";
  if (list) {
    path += std::string(".") + list;
    if (item >= 0) path += "[" + std::to_string(item) + "]";
  }
  if (inner) path += std::string(".") + inner;
  if (name) path += std::string(".") + name;
  return path;
}

void checkOverlaps(Napi::Env env, std::vector<Access>& phase) {
  std::sort(phase.begin(), phase.end(), [](const Access& a, const Access& b) { return a.begin < b.begin; });
  for (size_t i = 0; i < phase.size(); i++) {
    for (size_t j = i + 1; j < phase.size() && phase[j].begin < phase[i].end; j++) {
      const Access &a = phase[i], &b = phase[j];
      if (!a.write && !b.write) continue;
      const bool ownTerm = a.place.job == b.place.job && a.begin == b.begin && a.end == b.end &&
                           (a.inPlace || b.inPlace) && !(a.write && b.write);
      if (ownTerm) continue;
      const Access &written = a.write ? a : b, &other = a.write ? b : a;
      fail(env, errBuffer, written.place.text() + " is written and overlaps " + other.place.text() +
                               "; use separate memory or separate phases");
    }
  }
}

void Leases::add(uint64_t ticket, const std::vector<Access>& accesses) {
  for (const Access& access : accesses) {
    if (!access.copied) leases_.push_back({ticket, access});
  }
}

void Leases::releaseUpTo(uint64_t ticket) {
  const auto later = std::find_if(leases_.begin(), leases_.end(), [=](const Lease& lease) { return lease.ticket > ticket; });
  leases_.erase(leases_.begin(), later);
}

void Leases::check(Napi::Env env, const Access& access, const std::string& path) const {
  for (const Lease& lease : leases_) {
    if (!(access.write || lease.access.write) || !access.overlaps(lease.access)) continue;
    fail(env, errBuffer, path + " belongs to work that was submitted (as its " + lease.access.place.text() +
                             "); wait for that work first");
  }
}

void Leases::check(Napi::Env env, const std::vector<Access>& accesses) const {
  if (leases_.empty()) return;
  for (const Access& access : accesses) check(env, access, access.place.text());
}

}  // namespace natgrad
