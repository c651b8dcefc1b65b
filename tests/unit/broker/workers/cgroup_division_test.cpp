// With real control groups: hugetlb stands for memory and cpu, which may be of version 1 here.
#include "broker/workers/cgroup_division.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <filesystem>
#include <fstream>
#include <functional>
#include <sstream>
#include <string>

namespace mpb {
namespace {

namespace fs = std::filesystem;

std::string read(const std::string& path) {
  std::ifstream file(path);
  return (std::ostringstream() << file.rdbuf()).str();
}

std::string mount_of_version_2() {
  std::ifstream mounts("/proc/self/mounts");
  for (std::string line; std::getline(mounts, line);) {
    std::istringstream fields(line);
    std::string device, folder, type;
    fields >> device >> folder >> type;
    if (type == "cgroup2") return folder;
  }
  return {};
}

/// A group of the test's own with a controller to give away.
class CgroupDivisionTest : public testing::Test {
 protected:
  void SetUp() override {
    const std::string root = mount_of_version_2();
    if (root.empty() || read(root + "/cgroup.controllers").find("hugetlb") == std::string::npos ||
        !write_group_file(root + "/cgroup.subtree_control", "+hugetlb")) {
      GTEST_SKIP() << "no control groups of version 2 with a controller to give away";
    }
    folder = root + "/mpb-division-" + std::to_string(::getpid());
    ASSERT_EQ(::mkdir(folder.c_str(), 0755), 0);
  }
  void TearDown() override {
    if (folder.empty()) return;
    EXPECT_EQ(::rmdir(folder.c_str()), 0) << "groups or processes are left";
  }
  /// What a process within the group makes of it, as an exit code.
  int within(const std::function<int()>& body) const {
    const pid_t pid = ::fork();
    if (pid == 0) ::_exit(write_group_file(folder + "/cgroup.procs", "0") ? body() : 99);
    int status = 0;
    ::waitpid(pid, &status, 0);
    return WEXITSTATUS(status);
  }
  std::string folder;
};

TEST_F(CgroupDivisionTest, GroupsWithinHaveTheControllerAndAllIsPutBack) {
  const int failed = within([this] {
    constexpr std::array<std::string_view, 1> kControllers{"hugetlb"};
    {
      CgroupDivision division(folder, "own");
      if (!division.enable(kControllers).empty()) return 1;
      if (!division.enable(kControllers).empty()) return 2;
      if (read(folder + "/cgroup.subtree_control") != "hugetlb\n") return 3;
      if (read(folder + "/own/cgroup.procs") != std::to_string(::getpid()) + "\n") return 4;
      if (!read(folder + "/cgroup.procs").empty()) return 5;
      const std::string worker = folder + "/worker";
      if (::mkdir(worker.c_str(), 0755) != 0) return 6;
      const bool limits = fs::exists(worker + "/hugetlb.2MB.max");
      ::rmdir(worker.c_str());
      if (!limits) return 7;
    }
    return fs::exists(folder + "/own") ? 8 : 0;
  });
  EXPECT_EQ(failed, 0);
}

TEST_F(CgroupDivisionTest, AControllerThatIsNotThereIsToldAndNothingChanges) {
  const int failed = within([this] {
    constexpr std::array<std::string_view, 2> kControllers{"hugetlb", "no-controller"};
    CgroupDivision division(folder, "own");
    if (division.enable(kControllers).find("no-controller") == std::string::npos) return 1;
    if (!read(folder + "/cgroup.subtree_control").empty()) return 2;
    return fs::exists(folder + "/own") ? 3 : 0;
  });
  EXPECT_EQ(failed, 0);
}

}  // namespace
}  // namespace mpb
