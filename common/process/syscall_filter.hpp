// A filter of system calls (seccomp(2)), from rules to the kernel's program. Pure: installs
// nothing.
#pragma once

#include <linux/filter.h>

#include <cstdint>
#include <map>
#include <vector>

namespace mpb {

/// Whether this is an architecture for which programs can be made: x86_64 or aarch64.
bool filters_are_known_here();

/// What the kernel does with a call: SECCOMP_RET_*.
using CallVerdict = std::uint32_t;
CallVerdict let_pass();
CallVerdict fail_with(int error);

/// Of argument number `argument`, whose upper 32 bits count for nothing: the kernel itself takes
/// only the lower ones of all arguments that are tested so.
struct ArgumentTest {
  std::uint8_t argument = 0;
  std::uint32_t mask = UINT32_MAX;
  std::uint32_t value = 0;
  friend bool operator==(const ArgumentTest&, const ArgumentTest&) = default;
};
using AllOf = std::vector<ArgumentTest>;

/// `verdict` when all tests of one of `cases` hold, else `otherwise`; without cases `verdict`.
struct CallRule {
  CallVerdict verdict = 0;
  std::vector<AllOf> cases{};
  CallVerdict otherwise = 0;
  friend bool operator==(const CallRule&, const CallRule&) = default;
};

/// The place of a pid in a program that is made before its process is.
inline constexpr std::uint32_t kOwnPid = 0x7ffffffe;  // above any pid
/// Puts `own` there. Async-signal-safe.
void put_own_pid(std::vector<sock_filter>& program, std::uint32_t own);

class CallRules {
 public:
  void add(int number, CallRule rule) { rules_[number] = std::move(rule); }
  void allow(std::initializer_list<int> numbers);
  /// With EPERM.
  void forbid(std::initializer_list<int> numbers);
  /// Passes when one of `cases` holds, else fails with EPERM.
  void allow_if(int number, std::vector<AllOf> cases);
  /// Fails with EPERM when one of `cases` holds, else passes.
  void forbid_if(int number, std::vector<AllOf> cases);

  /// Those that `others` has not or has otherwise: what a process that is held to the latter lacks
  /// to be held to these, where these let through less.
  [[nodiscard]] CallRules beyond(const CallRules& others) const;

  /// The program: `otherwise` is for calls without a rule. A call by another architecture's numbers
  /// (on x86_64 i386 and x32) ends the process. What is let through whatever its arguments costs
  /// nothing more: the kernel remembers such calls by number (since Linux 5.11).
  [[nodiscard]] std::vector<sock_filter> compile(CallVerdict otherwise) const;

 private:
  std::map<int, CallRule> rules_;
};

}  // namespace mpb
