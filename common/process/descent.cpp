#include "common/process/descent.hpp"

#include <dirent.h>
#include <fmt/format.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>
#include <string_view>

namespace mpb {
namespace {

using Folder = std::unique_ptr<DIR, int (*)(DIR*)>;

/// Calls `visit(pid)` for each entry of a folder whose name is a number.
template <class F>
void for_each_pid(const std::string& path, F&& visit) {
  const Folder folder(::opendir(path.c_str()), &::closedir);
  while (const dirent* entry = folder ? ::readdir(folder.get()) : nullptr) {
    const auto pid = static_cast<pid_t>(std::strtol(entry->d_name, nullptr, 10));
    if (pid > 0) visit(pid);
  }
}

// The mark is a limit on the time of real-time scheduling, in microseconds, so large that it never
// matters: inherited, kept by execve(2), and lowered by anybody but raised by root alone.
constexpr rlim_t kLargestMark = rlim_t{1} << 60U;

/// That of this process's children; 0: none is possible.
rlim_t mark() {
  rlimit own{};
  if (::getrlimit(RLIMIT_RTTIME, &own) != 0 || own.rlim_max == 0) return 0;
  return std::min(own.rlim_max, kLargestMark) - 1;
}

}  // namespace

std::vector<pid_t> children_of(pid_t pid) {
  std::vector<pid_t> children;
  bool listed = false;
  const std::string threads = fmt::format("/proc/{}/task", pid);
  for_each_pid(threads, [&](pid_t thread) {
    std::ifstream list(fmt::format("{}/{}/children", threads, thread));
    listed = listed || list.is_open();
    children.insert(children.end(), std::istream_iterator<pid_t>(list), {});
  });
  if (listed) return children;
  // A kernel without that file.
  for_each_pid("/proc", [&](pid_t other) {
    if (parent_of(other) == pid) children.push_back(other);
  });
  return children;
}

std::vector<pid_t> own_children() {
  return children_of(::getpid());
}

std::vector<pid_t> descendants_of(pid_t pid, std::size_t most) {
  std::vector<pid_t> found{pid};
  for (std::size_t i = 0; i < found.size() && found.size() <= most; ++i) {
    const std::vector<pid_t> more = children_of(found[i]);
    found.insert(found.end(), more.begin(), more.end());
  }
  found.erase(found.begin());
  if (found.size() > most) found.resize(most);
  return found;
}

std::optional<pid_t> parent_of(pid_t pid) {
  std::ifstream file(fmt::format("/proc/{}/stat", pid));
  std::string line;
  std::getline(file, line);
  // "PID (NAME) STATE PARENT ...": the name may contain anything.
  const auto name_end = line.rfind(") ");
  constexpr std::size_t kToParent = 4;
  if (name_end == std::string::npos || name_end + kToParent >= line.size()) return std::nullopt;
  return static_cast<pid_t>(std::strtol(line.c_str() + name_end + kToParent, nullptr, 10));
}

void begin_descent() {
  ::prctl(PR_SET_CHILD_SUBREAPER, 1);
  if (const rlim_t limit = mark(); limit != 0) {
    const rlimit marked{limit, limit};
    ::setrlimit(RLIMIT_RTTIME, &marked);
  }
}

bool has_mark_of_descent(pid_t pid) {
  constexpr std::string_view kName = "Max realtime timeout";
  const rlim_t most = mark();
  if (most == 0) return false;
  std::ifstream file(fmt::format("/proc/{}/limits", pid));
  if (!file.is_open()) {
    // There is no /proc, or it is hidden there. This is for one's own user (or root) alone.
    rlimit limit{};
    return ::prlimit(pid, RLIMIT_RTTIME, nullptr, &limit) == 0 && limit.rlim_max <= most;
  }
  for (std::string line; std::getline(file, line);) {
    if (!line.starts_with(kName)) continue;
    char* hard = nullptr;
    std::strtoull(line.c_str() + kName.size(), &hard, 10);
    char* end = nullptr;
    const rlim_t limit = std::strtoull(hard, &end, 10);
    return end != hard && limit <= most;  // "unlimited" is no number
  }
  return false;
}

}  // namespace mpb
