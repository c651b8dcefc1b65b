#include "common/process/syscall_filter.hpp"

#include <linux/audit.h>
#include <linux/seccomp.h>

#include <cerrno>
#include <cstddef>
#include <iterator>
#include <span>
#include <utility>

namespace mpb {
namespace {

using Program = std::vector<sock_filter>;

#if defined(__x86_64__)
constexpr std::uint32_t kArchitecture = AUDIT_ARCH_X86_64;
constexpr std::uint32_t kX32Bit = 0x40000000;  // of the numbers of x32, which has the same name
#elif defined(__aarch64__)
constexpr std::uint32_t kArchitecture = AUDIT_ARCH_AARCH64;
constexpr std::uint32_t kX32Bit = 0;
#else
constexpr std::uint32_t kArchitecture = 0;
constexpr std::uint32_t kX32Bit = 0;
#endif

constexpr std::uint16_t kLoad = BPF_LD | BPF_W | BPF_ABS;
constexpr std::uint16_t kIfEqual = BPF_JMP | BPF_JEQ | BPF_K;
constexpr std::uint16_t kIfAtLeast = BPF_JMP | BPF_JGE | BPF_K;
constexpr std::uint16_t kSkip = BPF_JMP | BPF_JA;
constexpr std::uint16_t kAnd = BPF_ALU | BPF_AND | BPF_K;
constexpr std::size_t kMaxJump = 255;  // of a conditional one

/// From `first` up to the next range's first.
struct Range {
  std::uint32_t first;
  const CallRule* rule;
};

void put(Program& program, std::uint16_t code, std::uint32_t operand, std::uint8_t if_true = 0,
         std::uint8_t if_false = 0) {
  program.push_back({code, if_true, if_false, operand});
}

void put_return(Program& program, CallVerdict verdict) {
  put(program, BPF_RET | BPF_K, verdict);
}

std::uint32_t place_of(std::uint8_t argument) {
  static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__);
  return static_cast<std::uint32_t>(offsetof(seccomp_data, args) +
                                    sizeof(std::uint64_t) * argument);
}

/// What is behind it is another case: a test that fails jumps there.
Program one_case(const AllOf& tests, CallVerdict verdict) {
  Program program;
  put_return(program, verdict);
  for (auto test = tests.rbegin(); test != tests.rend(); ++test) {
    Program before;
    put(before, kLoad, place_of(test->argument));
    if (test->mask != UINT32_MAX) put(before, kAnd, test->mask);
    put(before, kIfEqual, test->value, 0, static_cast<std::uint8_t>(program.size()));
    program.insert(program.begin(), before.begin(), before.end());
  }
  return program;
}

Program leaf(const CallRule& rule) {
  Program program;
  for (const AllOf& tests : rule.cases) {
    const Program next = one_case(tests, rule.verdict);
    program.insert(program.end(), next.begin(), next.end());
  }
  put_return(program, rule.cases.empty() ? rule.verdict : rule.otherwise);
  return program;
}

/// A binary search for the number in the accumulator.
Program search(std::span<const Range> ranges) {
  if (ranges.size() == 1) return leaf(*ranges.front().rule);
  const auto half = ranges.size() / 2;
  const Program below = search(ranges.first(half));
  const Program above = search(ranges.subspan(half));
  Program program;
  if (below.size() <= kMaxJump) {
    put(program, kIfAtLeast, ranges[half].first, static_cast<std::uint8_t>(below.size()));
  } else {
    put(program, kIfAtLeast, ranges[half].first, 0, 1);
    put(program, kSkip, static_cast<std::uint32_t>(below.size()));
  }
  program.insert(program.end(), below.begin(), below.end());
  program.insert(program.end(), above.begin(), above.end());
  return program;
}

bool plain_equal(const CallRule& a, const CallRule& b) {
  return a.cases.empty() && b.cases.empty() && a.verdict == b.verdict;
}

}  // namespace

bool filters_are_known_here() {
  return kArchitecture != 0;
}

CallVerdict let_pass() {
  return SECCOMP_RET_ALLOW;
}

CallVerdict fail_with(int error) {
  return SECCOMP_RET_ERRNO | (static_cast<std::uint32_t>(error) & SECCOMP_RET_DATA);
}

void put_own_pid(std::vector<sock_filter>& program, std::uint32_t own) {
  for (sock_filter& instruction : program) {
    if (instruction.k == kOwnPid) instruction.k = own;
  }
}

void CallRules::allow(std::initializer_list<int> numbers) {
  for (const int number : numbers) add(number, {let_pass()});
}

void CallRules::forbid(std::initializer_list<int> numbers) {
  for (const int number : numbers) add(number, {fail_with(EPERM)});
}

void CallRules::allow_if(int number, std::vector<AllOf> cases) {
  add(number, {let_pass(), std::move(cases), fail_with(EPERM)});
}

void CallRules::forbid_if(int number, std::vector<AllOf> cases) {
  add(number, {fail_with(EPERM), std::move(cases), let_pass()});
}

CallRules CallRules::beyond(const CallRules& others) const {
  CallRules more;
  for (const auto& [number, rule] : rules_) {
    const auto other = others.rules_.find(number);
    if (other == others.rules_.end() || other->second != rule) more.add(number, rule);
  }
  return more;
}

std::vector<sock_filter> CallRules::compile(CallVerdict otherwise) const {
  const CallRule unknown{otherwise};
  std::vector<Range> ranges{{0, &unknown}};
  const auto begin_range = [&ranges](std::uint32_t first, const CallRule& rule) {
    if (ranges.back().first == first) ranges.pop_back();
    if (!ranges.empty() && plain_equal(*ranges.back().rule, rule)) return;
    ranges.push_back({first, &rule});
  };
  for (auto at = rules_.begin(); at != rules_.end(); ++at) {
    begin_range(static_cast<std::uint32_t>(at->first), at->second);
    const auto next = std::next(at);
    if (next == rules_.end() || next->first != at->first + 1) {
      begin_range(static_cast<std::uint32_t>(at->first) + 1, unknown);
    }
  }
  Program program;
  put(program, kLoad, offsetof(seccomp_data, arch));
  put(program, kIfEqual, kArchitecture, 1, 0);
  put_return(program, SECCOMP_RET_KILL_PROCESS);
  put(program, kLoad, offsetof(seccomp_data, nr));
  if (kX32Bit != 0) {
    put(program, kIfAtLeast, kX32Bit, 0, 1);
    put_return(program, SECCOMP_RET_KILL_PROCESS);
  }
  const Program rest = search(ranges);
  program.insert(program.end(), rest.begin(), rest.end());
  return program;
}

}  // namespace mpb
