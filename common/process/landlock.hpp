// Landlock: what a process may do with files, sockets and other processes from now on, it and all
// that it starts. See landlock(7).
#pragma once

#include <cstdint>
#include <string>

#include "common/base/error.hpp"
#include "common/base/unique_fd.hpp"

namespace mpb::landlock {

/// The kernel's version of it; 0: it has none, or will not give it.
int version();
constexpr int kTruncates = 3;  // since this version
constexpr int kKnowsTcp = 4;
constexpr int kScopesSignals = 6;

/// What a folder (with all in it) or file may be used for.
enum class Access : std::uint8_t {
  kRead,
  kWrite,    // and read, make and remove files and sockets
  kSockets,  // make and remove what clients connect to, and read
  kExecute,  // and read
  kDevice,   // of a file: write and ioctl
};

/// What of files is only for what allow() names.
enum class Files : std::uint8_t {
  kNothing,
  kWriting,   // opening to write
  kChanging,  // all but reading
  kAll,
};

struct Wishes {
  Files files = Files::kNothing;
  bool tcp_bind = false;     // no TCP port may be bound
  bool tcp_connect = false;  // no TCP connection made
  bool signals = false;      // none to processes outside
  bool abstract = false;     // no unix socket of an abstract name that others made
};

/// Rules in the making. Wishes that the kernel does not know are left out.
class Ruleset {
 public:
  static Result<Ruleset> make(const Wishes& wishes);
  /// A path that is not there needs no rule.
  void allow(const std::string& path, Access access);
  /// For this thread and those that it starts later, for good: it needs PR_SET_NO_NEW_PRIVS.
  /// Async-signal-safe. False: errno says why.
  [[nodiscard]] bool restrict_self() const;

 private:
  Ruleset(UniqueFd fd, std::uint64_t handled) : fd_(std::move(fd)), handled_(handled) {}

  UniqueFd fd_;
  std::uint64_t handled_;  // rights over files
};

}  // namespace mpb::landlock
