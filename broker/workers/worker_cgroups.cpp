#include "broker/workers/worker_cgroups.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "common/base/units.hpp"
#include "common/process/descriptor_store.hpp"

namespace mpb {
namespace {

constexpr std::string_view kPrefix = "mpbroker.";  // then PID.SLOT.NUMBER
constexpr std::string_view kOwnGroup = "/mpbroker.broker";

/// Where the tree is, and which part of it is seen there.
struct Mount {
  std::string folder;
  std::string root;
};

Mount find_mount() {
  std::ifstream file("/proc/self/mountinfo");
  for (std::string line; std::getline(file, line);) {
    if (line.find(" - cgroup2 ") == std::string::npos) continue;
    std::istringstream fields(line);
    std::string id, parent, device;
    Mount mount;
    fields >> id >> parent >> device >> mount.root >> mount.folder;
    return mount;
  }
  return {};
}

/// The group of a process ("self": this one), as this one's mount shows it. Empty: there is none to
/// be seen.
std::string group_of(std::string_view process) {
  const Mount mount = find_mount();
  std::ifstream file(fmt::format("/proc/{}/cgroup", process));
  for (std::string line; !mount.folder.empty() && std::getline(file, line);) {
    if (!line.starts_with("0::")) continue;
    std::string path = line.substr(3);
    if (mount.root != "/") {
      if (!path.starts_with(mount.root)) return {};
      path.erase(0, mount.root.size());
    }
    return mount.folder + (path == "/" ? "" : path);
  }
  return {};
}

/// Whoever manages the tree has given this part of it away: it says so, or the owner is no longer
/// root. What root merely may is not its to do: the manager takes no notice of what is made there.
bool is_delegated(const std::string& group) {
  char value = '0';
  for (const char* name : {"trusted.delegate", "user.delegate"}) {
    if (::getxattr(group.c_str(), name, &value, 1) == 1 && value == '1') return true;
  }
  struct stat folder {};
  struct stat members {};
  return ::geteuid() != 0 && ::stat(group.c_str(), &folder) == 0 &&
         ::stat((group + "/cgroup.procs").c_str(), &members) == 0 && folder.st_uid == ::geteuid() &&
         members.st_uid == ::geteuid();
}

bool kill_all(const std::string& group) {
  const UniqueFd file(::open((group + "/cgroup.kill").c_str(), O_WRONLY | O_CLOEXEC));
  return file && ::write(file.get(), "1", 1) == 1;
}

bool set_limits(const std::string& group, const GroupLimits& limits) {
  bool set = true;
  if (limits.memory_max > 0) {
    set = write_group_file(group + "/memory.max", fmt::to_string(limits.memory_max));
    // Else the kernel would end one of its processes, and perhaps not the worker.
    set = write_group_file(group + "/memory.oom.group", "1") && set;
  }
  if (limits.cpu_weight > 0) {
    set = write_group_file(group + "/cpu.weight", fmt::to_string(limits.cpu_weight)) && set;
  }
  return set;
}

/// Whether the kernel can end a group at one stroke (since Linux 5.14).
bool can_kill(const std::string& group) {
  const std::string trial = fmt::format("{}/{}{}.trial", group, kPrefix, ::getpid());
  if (::mkdir(trial.c_str(), 0755) != 0) return false;
  const bool can = ::access((trial + "/cgroup.kill").c_str(), W_OK) == 0;
  ::rmdir(trial.c_str());
  return can;
}

}  // namespace

WorkerCgroups::WorkerCgroups() {
  std::string group = group_of("self");
  // A broker before this one has put its guard there, in which this one was started.
  if (group.ends_with(kOwnGroup)) group.resize(group.size() - kOwnGroup.size());
  if (group.empty() || !is_delegated(group) || !can_kill(group)) return;
  folder_ = std::move(group);
  remove_stale();
  division_.emplace(folder_, std::string(kOwnGroup.substr(1)));
}

WorkerCgroups::~WorkerCgroups() {
  for (auto& [slot, group] : groups_) ended_.push_back(std::move(group));
  remove_ended();
}

void WorkerCgroups::remove_stale() const {
  std::error_code ignored;
  for (std::filesystem::directory_iterator entry(folder_, ignored), end; entry != end;
       entry.increment(ignored)) {
    const std::string name = entry->path().filename();
    if (!name.starts_with(kPrefix)) continue;
    const auto pid =
        parse_integer(std::string_view(name).substr(
                          kPrefix.size(), name.find('.', kPrefix.size()) - kPrefix.size()),
                      1, INT32_MAX);
    const bool dead = pid && ::kill(static_cast<pid_t>(*pid), 0) != 0 && errno == ESRCH;
    if (dead) ::rmdir(entry->path().c_str());  // fails while somebody is in it
  }
}

std::string WorkerCgroups::prepare_limits() {
  constexpr std::array<std::string_view, 2> kControllers{"memory", "cpu"};
  if (!available()) return "mpbroker was given no control groups of version 2 to divide";
  // The kernel lets nobody into a group that is divided so.
  if (holder() == Holder::kSystemd) {
    return "systemd could not start the next mpbroker in a group that is divided";
  }
  std::string why = division_->enable(kControllers);
  limits_ = why.empty();
  return why;
}

UniqueFd WorkerCgroups::enter(Slot slot, const GroupLimits& limits) {
  if (!available()) return {};
  end(slot);
  const std::string group =
      fmt::format("{}/{}{}.{}.{}", folder_, kPrefix, ::getpid(), slot, ++made_);
  if (::mkdir(group.c_str(), 0755) != 0) return {};
  if (limits_ && !set_limits(group, limits)) {
    ::rmdir(group.c_str());
    return {};
  }
  groups_[slot] = group;
  return UniqueFd(::open((group + "/cgroup.procs").c_str(), O_WRONLY | O_CLOEXEC));
}

void WorkerCgroups::take_over(Slot slot, pid_t pid) {
  const std::string group = available() ? group_of(fmt::to_string(pid)) : std::string();
  if (group.starts_with(fmt::format("{}/{}", folder_, kPrefix)) && !group.ends_with(kOwnGroup)) {
    groups_[slot] = group;
  }
}

void WorkerCgroups::end(Slot slot) {
  const auto group = groups_.find(slot);
  if (group == groups_.end()) return;
  kill_all(group->second);
  ended_.push_back(std::move(group->second));
  groups_.erase(group);
}

void WorkerCgroups::remove_ended() {
  std::erase_if(ended_, [](const std::string& group) {
    return ::rmdir(group.c_str()) == 0 || errno == ENOENT;
  });
}

}  // namespace mpb
