#include "core/processors.h"

#include <algorithm>
#include <cinttypes>
#include <cmath>
#include <cstdio>
#include <fstream>
#include <iterator>
#include <sstream>
#include <thread>

namespace natgrad {

namespace {

std::optional<std::string> readFile(const std::string& path) {
  std::ifstream file(path);
  if (!file) return std::nullopt;
  return std::string(std::istreambuf_iterator<char>(file), {});
}

// What the process may run on, from the line `Cpus_allowed_list: 0-3,8` of /proc/self/status. Source: proc(5).
std::optional<unsigned> allowedProcessors(const ReadText& read) {
  const std::string name = "Cpus_allowed_list:";
  std::istringstream lines(read("/proc/self/status").value_or(""));
  for (std::string line; std::getline(lines, line);) {
    if (line.compare(0, name.size(), name) != 0) continue;
    unsigned count = 0;
    std::istringstream ranges(line.substr(name.size()));
    for (std::string range; std::getline(ranges, range, ',');) {
      unsigned first = 0, last = 0;
      const int numbers = std::sscanf(range.c_str(), "%u-%u", &first, &last);
      if (numbers == 1) count += 1;
      if (numbers == 2 && last >= first) count += last - first + 1;
    }
    return count;
  }
  return std::nullopt;
}

// Processor time per time, in microseconds; a group without a bound has no positive number there.
std::optional<double> grant(const std::string& quotaAndPeriod) {
  int64_t quota = 0, period = 0;
  if (std::sscanf(quotaAndPeriod.c_str(), "%" SCNd64 " %" SCNd64, &quota, &period) != 2) return std::nullopt;
  if (quota <= 0 || period <= 0) return std::nullopt;
  return static_cast<double>(quota) / static_cast<double>(period);
}

// Source: the Linux kernel's Documentation/admin-guide/cgroup-v2.rst.
std::optional<double> grantOfVersion2(const ReadText& read, const std::string& group) {
  return grant(read("/sys/fs/cgroup" + group + "/cpu.max").value_or(""));
}

// Source: the Linux kernel's Documentation/scheduler/sched-bwc.rst.
std::optional<double> grantOfVersion1(const ReadText& read, const std::string& group) {
  const std::string prefix = "/sys/fs/cgroup/cpu" + group + "/cpu.cfs_";
  return grant(read(prefix + "quota_us").value_or("") + " " + read(prefix + "period_us").value_or(""));
}

bool lists(const std::string& controllers, const std::string& wanted) {
  std::istringstream names(controllers);
  for (std::string name; std::getline(names, name, ',');) {
    if (name == wanted) return true;
  }
  return false;
}

// The least that the groups of the process, and the groups around these, grant. A container sees its own group as the
// outermost one, whatever the host calls it, so that folders which are not there are passed over.
std::optional<double> grantedProcessors(const ReadText& read) {
  std::optional<double> least;
  // A line is hierarchy:controllers:group; version 2 has hierarchy 0 and names no controllers.
  std::istringstream lines(read("/proc/self/cgroup").value_or(""));
  for (std::string line; std::getline(lines, line);) {
    const size_t first = line.find(':');
    const size_t second = first == std::string::npos ? first : line.find(':', first + 1);
    if (second == std::string::npos) continue;
    const std::string controllers = line.substr(first + 1, second - first - 1);
    if (!controllers.empty() && !lists(controllers, "cpu")) continue;
    const auto grantOf = controllers.empty() ? grantOfVersion2 : grantOfVersion1;
    std::string group = line.substr(second + 1);
    if (group == "/") group.clear();
    for (;;) {
      const std::optional<double> granted = grantOf(read, group);
      if (granted && (!least || *granted < *least)) least = granted;
      const size_t parent = group.rfind('/');
      if (parent == std::string::npos) break;
      group.resize(parent);
    }
  }
  return least;
}

}  // namespace

unsigned availableProcessors(unsigned machine, const ReadText& read) {
  unsigned available = std::max(machine, 1u);
  if (const auto allowed = allowedProcessors(read); allowed && *allowed > 0) available = std::min(available, *allowed);
  if (const auto granted = grantedProcessors(read); granted && *granted < available) {
    available = static_cast<unsigned>(std::ceil(*granted));
  }
  return available;
}

unsigned availableProcessors() { return availableProcessors(std::thread::hardware_concurrency(), readFile); }

}  // namespace natgrad
