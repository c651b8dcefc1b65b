#include "common/process/confinement.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <linux/capability.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <filesystem>
#include <system_error>

#include "common/log/log.hpp"
#include "common/process/forbidden_calls.hpp"

#if defined(__has_feature)
#define MPB_HAS_FEATURE(name) __has_feature(name)
#else
#define MPB_HAS_FEATURE(name) 0
#endif

namespace mpb {
namespace {

/// Leak checkers stop all threads by ptrace from a process that they clone, and write reports to
/// files.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) || \
    MPB_HAS_FEATURE(address_sanitizer) || MPB_HAS_FEATURE(thread_sanitizer)
constexpr bool kSanitized = true;
#else
constexpr bool kSanitized = false;
#endif

// For some of what these allow the kernel asks nobody else, Landlock included. CAP_SYS_RESOURCE
// stays: with it descriptors on their way are not counted.
constexpr unsigned kGivenUp[] = {
    CAP_SYS_ADMIN,      CAP_SYS_PTRACE,     CAP_PERFMON,       CAP_BPF,
    CAP_SYS_MODULE,     CAP_SYS_RAWIO,      CAP_SYS_BOOT,      CAP_SYS_TIME,
    CAP_SYS_PACCT,      CAP_SYSLOG,         CAP_MAC_ADMIN,     CAP_MAC_OVERRIDE,
    CAP_MKNOD,          CAP_SYS_CHROOT,     CAP_AUDIT_WRITE,   CAP_AUDIT_CONTROL,
    CAP_NET_ADMIN,      CAP_WAKE_ALARM,     CAP_BLOCK_SUSPEND, CAP_CHECKPOINT_RESTORE,
    CAP_SYS_TTY_CONFIG, CAP_DAC_READ_SEARCH};

bool drop_capabilities() {
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {};
  if (::syscall(SYS_capget, &header, data) != 0) return false;
  for (const unsigned capability : kGivenUp) {
    ::prctl(PR_CAPBSET_DROP, capability, 0, 0, 0);  // only who may set it has it to lose
    __user_cap_data_struct& part = data[CAP_TO_INDEX(capability)];
    part.effective &= ~CAP_TO_MASK(capability);
    part.permitted &= ~CAP_TO_MASK(capability);
    part.inheritable &= ~CAP_TO_MASK(capability);
  }
  return ::syscall(SYS_capset, &header, data) == 0;
}

/// Not the files by which the kernel is told what to do with processes: who is killed first, which
/// group of them stands still.
void allow_writing_but_to_kernel(landlock::Ruleset& rules) {
  std::error_code ignored;
  for (std::filesystem::directory_iterator entry("/", ignored), end; !ignored && entry != end;
       entry.increment(ignored)) {
    const std::string path = entry->path();
    if (path != "/proc" && path != "/sys") rules.allow(path, landlock::Access::kWrite);
  }
}

}  // namespace

bool give_up_rights() {
  return ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && drop_capabilities();
}

bool missing_all_of_sandbox() {
  return kSanitized;
}

bool can_filter_calls() {
  const std::uint32_t action = SECCOMP_RET_ERRNO;
  return !kSanitized && filters_are_known_here() &&
         ::syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action) == 0;
}

std::vector<std::string> missing_for_sandbox() {
  if (kSanitized) return {"all of it: this program is built with a sanitizer"};
  std::vector<std::string> missing;
  if (!can_filter_calls()) missing.emplace_back("seccomp: system calls are not filtered");
  const int version = landlock::version();
  if (version == 0) {
    missing.emplace_back("Landlock: workers open what their user may");
    return missing;
  }
  if (version < landlock::kTruncates) missing.emplace_back("Landlock 3: files may be truncated");
  if (version < landlock::kKnowsTcp) missing.emplace_back("Landlock 4: TCP is seccomp's alone");
  if (version < landlock::kScopesSignals) {
    missing.emplace_back("Landlock 6: abstract unix sockets are open to them");
  }
  return missing;
}

void log_missing_sandbox() {
  const std::vector<std::string> missing = missing_for_sandbox();
  if (missing.empty()) return;
  log_warning("sandbox")("missing", fmt::format("{}", fmt::join(missing, "; ")))(
      "help", "the kernel, or the container around it, does not give it; workers run without");
}

bool install_filter(const std::vector<sock_filter>& filter) {
  const sock_fprog program{static_cast<std::uint16_t>(filter.size()),
                           const_cast<sock_filter*>(filter.data())};
  // Without the second flag kernels before 5.16 slow the whole process down, against code of others
  // that runs within it.
  constexpr unsigned kFlags = SECCOMP_FILTER_FLAG_TSYNC | SECCOMP_FILTER_FLAG_SPEC_ALLOW;
  return ::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, kFlags, &program) == 0;
}

Result<std::shared_ptr<Confinement>> Confinement::make() {
  std::shared_ptr<Confinement> made(new Confinement);
  if (kSanitized) return made;
  if (landlock::version() > 0) {
    auto apart = landlock::Ruleset::make({.files = landlock::Files::kWriting, .signals = true});
    if (!apart) return apart.error();
    allow_writing_but_to_kernel(*apart);
    made->apart_ = std::make_shared<landlock::Ruleset>(*std::move(apart));
  }
  made->filter_ = filter(SignalRule::kItself);
  return made;
}

std::vector<sock_filter> Confinement::filter(SignalRule without_landlock) {
  if (!can_filter_calls()) return {};
  const bool scoped = landlock::version() >= landlock::kScopesSignals;
  CallRules rules;
  forbid_reaching_out(rules, kOwnPid, scoped ? SignalRule::kLeftToOthers : without_landlock);
  return rules.compile(let_pass());
}

Result<std::shared_ptr<Confinement>> Confinement::get() {
  static std::shared_ptr<Confinement> only;
  if (only) return only;
  auto made = make();
  if (made) only = *made;
  return made;
}

Result<std::shared_ptr<Confinement>> Confinement::of_zygote() {
  static std::shared_ptr<Confinement> only;
  if (only) return only;
  auto whole = get();
  if (!whole) return whole.error();
  only.reset(new Confinement(**whole));
  only->filter_ = filter(SignalRule::kLeftToOthers);
  return only;
}

bool Confinement::apply() {
  if (!apart_ && filter_.empty()) return true;
  if (!give_up_rights()) return false;
  if (apart_ && !apart_->restrict_self()) return false;
  put_own_pid(filter_, static_cast<std::uint32_t>(::getpid()));
  return filter_.empty() || install_filter(filter_);
}

}  // namespace mpb
