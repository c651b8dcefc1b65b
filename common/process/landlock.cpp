#include "common/process/landlock.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstddef>

namespace mpb::landlock {
namespace {

// The kernel's own header is often older than the kernel. Call numbers are the same everywhere.
constexpr long kCreateRuleset = 444;
constexpr long kAddRule = 445;
constexpr long kRestrictSelf = 446;
constexpr unsigned kAskVersion = 1;
constexpr int kPathBeneath = 1;

struct RulesetAttributes {
  std::uint64_t files;
  std::uint64_t network;
  std::uint64_t scoped;
};
struct [[gnu::packed]] PathBeneath {
  std::uint64_t allowed;
  std::int32_t parent;
};

constexpr std::uint64_t bit(unsigned number) {
  return 1ULL << number;
}
constexpr std::uint64_t kExecuteBit = bit(0);
constexpr std::uint64_t kWriteFile = bit(1);
constexpr std::uint64_t kReadFile = bit(2);
constexpr std::uint64_t kReadFolder = bit(3);
constexpr std::uint64_t kRemoveFile = bit(5);
constexpr std::uint64_t kMakeSocket = bit(9);
constexpr std::uint64_t kTruncate = bit(14);
constexpr std::uint64_t kDeviceIoctl = bit(15);
constexpr std::uint64_t kReading = kReadFile | kReadFolder;
constexpr std::uint64_t kForFiles = kExecuteBit | kWriteFile | kReadFile | kTruncate | kDeviceIoctl;

constexpr std::uint64_t kTcpBind = bit(0);
constexpr std::uint64_t kTcpConnect = bit(1);
constexpr std::uint64_t kScopeAbstract = bit(0);
constexpr std::uint64_t kScopeSignals = bit(1);

/// All rights over files that a version knows.
std::uint64_t file_rights(int version) {
  constexpr unsigned kFirst = 13;
  constexpr int kRefers = 2;
  constexpr int kDeviceIoctls = 5;
  unsigned count = kFirst;
  for (const int since : {kRefers, kTruncates, kDeviceIoctls}) count += version >= since ? 1 : 0;
  return bit(count) - 1;
}

std::uint64_t handled_by(Files files, int version) {
  const std::uint64_t all = file_rights(version);
  switch (files) {
    case Files::kNothing:
      return 0;
    case Files::kWriting:
      return all & (kWriteFile | kTruncate);
    case Files::kChanging:
      return all & ~kReading;
    case Files::kAll:
      return all;
  }
  return 0;
}

std::uint64_t rights(Access access) {
  switch (access) {
    case Access::kRead:
      return kReading;
    case Access::kWrite:
      return ~kExecuteBit;
    case Access::kSockets:
      return kReading | kMakeSocket | kRemoveFile;
    case Access::kExecute:
      return kReading | kExecuteBit;
    case Access::kDevice:
      return kWriteFile | kDeviceIoctl;
  }
  return 0;
}

}  // namespace

int version() {
  const long known = ::syscall(kCreateRuleset, nullptr, 0, kAskVersion);
  return known < 0 ? 0 : static_cast<int>(known);
}

Result<Ruleset> Ruleset::make(const Wishes& wishes) {
  const int known = version();
  RulesetAttributes attributes{};
  attributes.files = handled_by(wishes.files, known);
  if (known >= kKnowsTcp && wishes.tcp_bind) attributes.network |= kTcpBind;
  if (known >= kKnowsTcp && wishes.tcp_connect) attributes.network |= kTcpConnect;
  if (known >= kScopesSignals && wishes.abstract) attributes.scoped |= kScopeAbstract;
  if (known >= kScopesSignals && wishes.signals) attributes.scoped |= kScopeSignals;
  std::size_t size = sizeof attributes;
  if (known < kScopesSignals) size = offsetof(RulesetAttributes, scoped);
  if (known < kKnowsTcp) size = offsetof(RulesetAttributes, network);
  UniqueFd fd(static_cast<int>(::syscall(kCreateRuleset, &attributes, size, 0)));
  if (!fd) return system_error("landlock_create_ruleset");
  return Ruleset(std::move(fd), attributes.files);
}

void Ruleset::allow(const std::string& path, Access access) {
  const UniqueFd parent(::open(path.c_str(), O_PATH | O_CLOEXEC));
  struct stat info {};
  if (!parent || ::fstat(parent.get(), &info) != 0) return;
  PathBeneath rule{rights(access) & handled_, parent.get()};
  if (!S_ISDIR(info.st_mode)) rule.allowed &= kForFiles;
  if (rule.allowed == 0) return;
  ::syscall(kAddRule, fd_.get(), kPathBeneath, &rule, 0);
}

bool Ruleset::restrict_self() const {
  return ::syscall(kRestrictSelf, fd_.get(), 0) == 0;
}

}  // namespace mpb::landlock
