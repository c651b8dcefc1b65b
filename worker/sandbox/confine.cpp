#include "worker/sandbox/confine.hpp"

#include <sys/prctl.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <filesystem>
#include <string_view>
#include <system_error>
#include <utility>

#include "common/process/confinement.hpp"
#include "common/process/landlock.hpp"
#include "worker/sandbox/allowed_calls.hpp"

namespace mpb {
namespace {

using landlock::Access;

// What libraries read by themselves, some of them long after the start: code, tables, the clock.
constexpr std::array kSystemFiles{"/usr",
                                  "/lib",
                                  "/lib32",
                                  "/lib64",
                                  "/nix/store",
                                  "/gnu/store",
                                  "/etc/ld.so.cache",
                                  "/etc/localtime",
                                  "/dev/null",
                                  "/dev/urandom",
                                  "/dev/random",
                                  "/proc/sys/vm/overcommit_memory",
                                  "/sys/devices/system/cpu"};
// Where the files are by which names are looked up, on most systems also before they are there.
constexpr std::array kNameFolders{"/run/systemd/resolve", "/run/resolvconf", "/run/NetworkManager",
                                  "/run/nscd"};
// What leads out of /etc on others.
constexpr std::array kNameFiles{"resolv.conf", "hosts", "nsswitch.conf", "host.conf", "gai.conf"};

Status failed(const char* what) {
  return with_help(system_error(std::string("sandbox: ") + what),
                   "sandbox = no runs workers without it");
}

/// A terminal, which is opened again to write to it without waiting.
void allow_standard_error(landlock::Ruleset& rules) {
  rules.allow("/proc/self/fd/2", Access::kDevice);
  rules.allow("/dev/null", Access::kDevice);
}

void allow_declared(landlock::Ruleset& rules, const Needs& needs) {
  for (const std::string& path : needs.read) rules.allow(path, Access::kRead);
  for (const std::string& path : needs.write) rules.allow(path, Access::kWrite);
  if (!needs.programs) return;
  for (const char* path : {"/usr", "/bin", "/sbin", "/lib", "/lib64", "/opt"}) {
    rules.allow(path, Access::kExecute);
  }
}

Status give_up_what_is_not_needed() {
  if (!give_up_rights()) return failed("PR_SET_NO_NEW_PRIVS or capset");
  // With Landlock its siblings cannot look into it whatever it says here, and the broker of an
  // ordinary user can still read what it uses from /proc.
  if (landlock::version() == 0) ::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
  return {};
}

Status restrict(const landlock::Ruleset& rules) {
  if (rules.restrict_self()) return {};
  return failed("landlock_restrict_self");
}

// What of the needs matters to calls, as a number.
constexpr std::size_t kKinds = 16;
std::size_t kind_of(const Needs& needs) {
  return (needs.connect ? 1U : 0U) | (needs.listen ? 2U : 0U) | (needs.programs ? 4U : 0U) |
         (needs.write.empty() ? 0U : 8U);
}
Needs needs_of_kind(std::size_t kind) {
  Needs needs{
      .connect = (kind & 1U) != 0, .listen = (kind & 2U) != 0, .programs = (kind & 4U) != 0};
  if ((kind & 8U) != 0) needs.write.emplace_back();
  return needs;
}

bool has_abstract_service_manager() {
  const char* path = std::getenv("NOTIFY_SOCKET");
  return path != nullptr && *path == '@';
}

}  // namespace

std::vector<std::string> paths_of_names(const std::filesystem::path& etc) {
  std::vector<std::string> paths{etc.string()};
  for (const char* name : kNameFiles) {
    std::error_code error;
    const auto file = std::filesystem::canonical(etc / name, error);
    if (error) continue;
    const auto folder = file.parent_path();
    const bool is_shared = folder == folder.root_path() || folder.parent_path() == "/";
    paths.push_back((is_shared ? file : folder).string());
  }
  return paths;
}

Result<WorkerConfinement> WorkerConfinement::make(const Needs& needs) {
  WorkerConfinement made;
  if (missing_all_of_sandbox()) return made;
  if (const Status given_up = give_up_what_is_not_needed(); !given_up) return given_up.error();
  if (landlock::version() == 0) return made;
  auto rules = landlock::Ruleset::make({.files = landlock::Files::kAll,
                                        .tcp_bind = !needs.listen,
                                        .tcp_connect = !needs.connect,
                                        .signals = true,
                                        .abstract = true});
  if (!rules) return rules.error();
  for (const char* path : kSystemFiles) rules->allow(path, Access::kRead);
  if (needs.connect) {
    for (const char* path : kNameFolders) rules->allow(path, Access::kRead);
    for (const auto& path : paths_of_names("/etc")) rules->allow(path, Access::kRead);
  }
  allow_standard_error(*rules);
  allow_declared(*rules, needs);
  made.rules_ = *std::move(rules);
  return made;
}

Status WorkerConfinement::give_up_calls_of_all(const Needs& needs) {
  if (missing_all_of_sandbox() || !can_filter_calls()) return {};
  rests_.resize(kKinds);
  for (std::size_t kind = 0; kind < kKinds; ++kind) {
    const Needs some = needs_of_kind(kind);
    if (needs.leave_calls_for(some)) rests_[kind] = forked_filter(some, needs, kOwnPid);
  }
  if (install_filter(zygote_filter(needs))) return {};
  return failed("seccomp");
}

Status WorkerConfinement::give_up_files() {
  const auto rules = std::exchange(rules_, std::nullopt);
  return rules ? restrict(*rules) : Status{};
}

Status WorkerConfinement::give_up_calls(const Needs& needs) const {
  if (rests_.empty()) return confine_calls(needs);
  std::vector<sock_filter> rest = rests_[kind_of(needs)];
  put_own_pid(rest, static_cast<std::uint32_t>(::getpid()));
  if (install_filter(rest)) return {};
  return failed("seccomp");
}

Status confine_single_process(const Needs& needs, std::span<const ListenerSettings> listeners) {
  if (missing_all_of_sandbox()) return {};
  if (const Status given_up = give_up_what_is_not_needed(); !given_up) return given_up;
  if (landlock::version() == 0) return {};
  auto rules = landlock::Ruleset::make({.files = landlock::Files::kChanging,
                                        .signals = true,
                                        .abstract = !has_abstract_service_manager()});
  if (!rules) return rules.error();
  constexpr std::string_view kUnix = "unix:";
  for (const ListenerSettings& listener : listeners) {
    if (!listener.listen.starts_with(kUnix)) continue;
    const std::filesystem::path path(listener.listen.substr(kUnix.size()));
    rules->allow(path.has_parent_path() ? path.parent_path().string() : ".", Access::kSockets);
  }
  allow_standard_error(*rules);
  allow_declared(*rules, needs);
  return restrict(*rules);
}

Status confine_calls(const Needs& needs) {
  if (missing_all_of_sandbox() || !can_filter_calls()) return {};
  if (install_filter(worker_filter(needs, static_cast<std::uint32_t>(::getpid())))) return {};
  return failed("seccomp");
}

Needs needs_of_single_process() {
  return {.connect = true, .listen = true};
}

}  // namespace mpb
