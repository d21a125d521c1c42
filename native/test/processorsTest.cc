// The number of processors that a process may use, from the texts in which Linux says so. Their form: proc(5), and
// cgroup-v2.rst and sched-bwc.rst of the kernel's documentation.
#include <map>
#include <string>

#include "check.h"
#include "core/processors.h"

using namespace natgrad;

namespace {

unsigned available(unsigned machine, const std::map<std::string, std::string>& files) {
  return availableProcessors(machine, [&](const std::string& path) {
    const auto file = files.find(path);
    return file == files.end() ? std::nullopt : std::optional<std::string>(file->second);
  });
}

std::string status(const std::string& list) {
  return "Name:\tnode\nCpus_allowed:\tffff\nCpus_allowed_list:\t" + list + "\nMems_allowed_list:\t0\n";
}

}  // namespace

TEST("a system that says nothing leaves every processor, and there is always one") {
  CHECK(available(6, {}) == 6);
  CHECK(available(0, {}) == 1);
  CHECK(availableProcessors() >= 1);
}

TEST("an affinity mask leaves the processors in its list") {
  CHECK(available(16, {{"/proc/self/status", status("0-15")}}) == 16);
  CHECK(available(16, {{"/proc/self/status", status("3")}}) == 1);
  CHECK(available(16, {{"/proc/self/status", status("0-2,8,10-11")}}) == 6);
  // Processors that are off are in the list and not in the machine.
  CHECK(available(4, {{"/proc/self/status", status("0-127")}}) == 4);
  CHECK(available(4, {{"/proc/self/status", "Name:\tnode\n"}}) == 4);
}

TEST("version 2 of control groups grants a part of the time, rounded up") {
  const auto inContainer = [](const std::string& max) {
    return available(16, {{"/proc/self/cgroup", "0::/\n"}, {"/sys/fs/cgroup/cpu.max", max}});
  };
  CHECK(inContainer("max 100000\n") == 16);
  CHECK(inContainer("200000 100000\n") == 2);
  CHECK(inContainer("150000 100000\n") == 2);
  CHECK(inContainer("10000 100000\n") == 1);
  CHECK(inContainer("5000000 100000\n") == 16);
  CHECK(inContainer("nonsense") == 16);
  CHECK(inContainer("") == 16);
}

TEST("the groups around the process's own bound it too") {
  const std::map<std::string, std::string> files = {
      {"/proc/self/cgroup", "0::/system.slice/train.service\n"},
      {"/sys/fs/cgroup/system.slice/train.service/cpu.max", "max 100000\n"},
      {"/sys/fs/cgroup/system.slice/cpu.max", "300000 100000\n"}};
  CHECK(available(16, files) == 3);
}

TEST("version 1 of control groups has the quota and the period in two files") {
  const std::string groups = "12:memory:/docker/1f\n4:cpuset:/docker/1f\n3:cpu,cpuacct:/docker/1f\n1:name=systemd:/\n";
  const auto inContainer = [&](const std::string& quota, const std::string& folder) {
    return available(16, {{"/proc/self/cgroup", groups},
                          {folder + "/cpu.cfs_quota_us", quota},
                          {folder + "/cpu.cfs_period_us", "100000\n"}});
  };
  CHECK(inContainer("250000\n", "/sys/fs/cgroup/cpu/docker/1f") == 3);
  // Inside the container its own group is the outermost.
  CHECK(inContainer("250000\n", "/sys/fs/cgroup/cpu") == 3);
  CHECK(inContainer("-1\n", "/sys/fs/cgroup/cpu") == 16);
}

TEST("the smallest of mask and grant counts") {
  const std::map<std::string, std::string> files = {{"/proc/self/status", status("0-1")},
                                                    {"/proc/self/cgroup", "0::/\n"},
                                                    {"/sys/fs/cgroup/cpu.max", "800000 100000\n"}};
  CHECK(available(16, files) == 2);
}

int main() { return test::runTests(); }
