#include "tests/integration/harness/processes.hpp"

#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>
#include <stdexcept>

#include "common/base/error.hpp"

namespace mpb::test {
namespace {

namespace fs = std::filesystem;

std::string proc(pid_t pid, std::string_view file) {
  return "/proc/" + std::to_string(pid) + "/" + std::string(file);
}

std::vector<fs::path> entries_of(const fs::path& folder) {
  std::vector<fs::path> entries;
  std::error_code error;
  for (fs::directory_iterator entry(folder, error), end; !error && entry != end;
       entry.increment(error)) {
    entries.push_back(entry->path());
  }
  std::sort(entries.begin(), entries.end());
  return entries;
}

void set_limit(pid_t pid, rlim_t most) {
  rlimit limit{};
  if (::prlimit(pid, RLIMIT_NOFILE, nullptr, &limit) != 0) {
    throw std::runtime_error(system_error("prlimit").text);
  }
  limit.rlim_cur = std::min(most, limit.rlim_max);
  if (::prlimit(pid, RLIMIT_NOFILE, &limit, nullptr) != 0) {
    throw std::runtime_error(system_error("prlimit").text);
  }
}

}  // namespace

std::string read_file(const std::string& path) {
  // What a file of /proc still tells when its process ends meanwhile (ESRCH).
  std::ostringstream text;
  text << std::ifstream(path, std::ios::binary).rdbuf();
  return text.str();
}

char state_of(pid_t pid) {
  const std::string stat = read_file(proc(pid, "stat"));
  // The program's name stands in parentheses and may contain anything.
  const auto name_end = stat.rfind(')');
  return name_end == std::string::npos || name_end + 2 >= stat.size() ? '\0' : stat[name_end + 2];
}

std::vector<pid_t> children_of(pid_t pid) {
  std::vector<pid_t> children;
  for (const fs::path& task : entries_of(proc(pid, "task"))) {
    std::istringstream list(read_file(task / "children"));
    children.insert(children.end(), std::istream_iterator<pid_t>(list), {});
  }
  return children;
}

std::vector<pid_t> zombies_of(pid_t pid) {
  std::vector<pid_t> zombies = children_of(pid);
  std::erase_if(zombies, [](pid_t child) { return state_of(child) != 'Z'; });
  return zombies;
}

std::size_t descriptors_of(pid_t pid) {
  return entries_of(proc(pid, "fd")).size();
}

std::vector<std::string> descriptor_names_of(pid_t pid) {
  std::vector<std::string> names;
  for (const fs::path& entry : entries_of(proc(pid, "fd"))) {
    std::error_code error;
    const fs::path target = fs::read_symlink(entry, error);
    if (!error) names.push_back(target.string());
  }
  return names;
}

std::size_t own_descriptors_of(pid_t worker, pid_t broker) {
  const std::vector<std::string> theirs = descriptor_names_of(broker);
  const std::vector<std::string> its = descriptor_names_of(worker);
  return static_cast<std::size_t>(std::ranges::count_if(its, [&](const std::string& name) {
    return !name.starts_with("socket:") || std::ranges::find(theirs, name) == theirs.end();
  }));
}

void forbid_descriptors(pid_t pid) {
  // The limit is on numbers, and those below are in use; what is open above stays open.
  constexpr rlim_t kStandardStreams = 3;
  set_limit(pid, kStandardStreams);
}

void allow_descriptors(pid_t pid) {
  set_limit(pid, RLIM_INFINITY);
}

namespace {

std::vector<pid_t> all_processes() {
  std::vector<pid_t> pids;
  for (const fs::path& entry : entries_of("/proc")) {
    const std::string name = entry.filename();
    pid_t pid = 0;
    const auto [end, status] = std::from_chars(name.data(), name.data() + name.size(), pid);
    if (status == std::errc() && end == name.data() + name.size()) pids.push_back(pid);
  }
  return pids;
}

}  // namespace

std::vector<pid_t> processes_with(std::string_view variable) {
  std::string wanted(1, '\0');
  wanted.append(variable).append(1, '\0');
  std::vector<pid_t> found = all_processes();
  std::erase_if(found, [&](pid_t pid) {
    return ('\0' + read_file(proc(pid, "environ"))).find(wanted) == std::string::npos;
  });
  return found;
}

std::vector<pid_t> processes_of_session(pid_t session) {
  std::vector<pid_t> found = all_processes();
  std::erase_if(found,
                [session](pid_t pid) { return ::getsid(pid) != session || !is_running(pid); });
  return found;
}

std::string program_of(pid_t pid) {
  std::string name = read_file("/proc/" + std::to_string(pid) + "/comm");
  if (name.ends_with('\n')) name.pop_back();
  return name;
}

}  // namespace mpb::test
