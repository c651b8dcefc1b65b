#include "broker/workers/cgroup_division.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <iterator>
#include <vector>

#include "common/base/unique_fd.hpp"

namespace mpb {
namespace {

constexpr int kTries = 3;  // a process may have begun another meanwhile

std::vector<std::string> words_of(const std::string& path) {
  std::ifstream file(path);
  return {std::istream_iterator<std::string>(file), std::istream_iterator<std::string>()};
}

}  // namespace

bool write_group_file(const std::string& path, std::string_view text) {
  const UniqueFd file(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
  return file && ::write(file.get(), text.data(), text.size()) == static_cast<ssize_t>(text.size());
}

bool CgroupDivision::move_all(const std::string& from, const std::string& to) {
  bool all = true;
  for (const std::string& pid : words_of(from + "/cgroup.procs")) {
    all = (write_group_file(to + "/cgroup.procs", pid) || errno == ESRCH) && all;
  }
  return all;
}

bool CgroupDivision::write_controllers(std::span<const std::string_view> controllers, char sign) {
  std::string text;
  for (const std::string_view controller : controllers) {
    text.append(text.empty() ? "" : " ").append(1, sign).append(controller);
  }
  return write_group_file(folder_ + "/cgroup.subtree_control", text);
}

std::string CgroupDivision::enable(std::span<const std::string_view> controllers) {
  if (!enabled_.empty()) return {};
  const std::vector<std::string> there = words_of(folder_ + "/cgroup.controllers");
  for (const std::string_view controller : controllers) {
    if (std::find(there.begin(), there.end(), controller) == there.end()) {
      return fmt::format("{} has no controller {}", folder_, controller);
    }
  }
  bool done = write_controllers(controllers, '+');
  for (int tries = 0; !done && errno == EBUSY && tries < kTries; ++tries) {
    moved_ = ::mkdir(own_.c_str(), 0755) == 0 || errno == EEXIST;
    if (!moved_ || !move_all(folder_, own_)) break;
    done = write_controllers(controllers, '+');
  }
  if (!done) return fmt::format("{}: {}", folder_, std::strerror(errno));
  for (const std::string_view controller : controllers) {
    enabled_.append(enabled_.empty() ? "-" : " -").append(controller);
  }
  return {};
}

CgroupDivision::~CgroupDivision() {
  if (!enabled_.empty()) write_group_file(folder_ + "/cgroup.subtree_control", enabled_);
  if (moved_ && move_all(own_, folder_)) ::rmdir(own_.c_str());
}

}  // namespace mpb
