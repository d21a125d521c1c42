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

void Leases::add(Lane lane, uint64_t ticket, const std::vector<Access>& accesses) {
  for (const Access& access : accesses) {
    if (!access.copied) leases_.push_back({lane, ticket, access});
  }
}

void Leases::releaseUpTo(Lane lane, uint64_t ticket) {
  const auto ended = [=](const Lease& lease) { return lease.lane == lane && lease.ticket <= ticket; };
  leases_.erase(std::remove_if(leases_.begin(), leases_.end(), ended), leases_.end());
}

void Leases::check(Napi::Env env, const Access& access, const std::string& path) const {
  for (const Lease& lease : leases_) {
    if (lease.conflictsWith(access)) refuse(env, path, lease);
  }
}

void Leases::check(Napi::Env env, const std::vector<Access>& accesses, std::optional<Lane> lane) const {
  for (const Lease& lease : leases_) {
    if (lease.lane == lane) continue;
    for (const Access& access : accesses) {
      if (lease.conflictsWith(access)) refuse(env, access.place.text(), lease);
    }
  }
}

void Leases::refuse(Napi::Env env, const std::string& path, const Lease& lease) {
  fail(env, errBuffer, path + " belongs to work that was submitted (as its " + lease.access.place.text() +
                           "); wait for that work first");
}

}  // namespace natgrad
