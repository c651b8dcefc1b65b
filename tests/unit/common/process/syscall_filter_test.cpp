#include "common/process/syscall_filter.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/audit.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include <cerrno>
#include <csignal>

#include "common/process/forbidden_calls.hpp"
#include "tests/support/filter_machine.hpp"
#include "worker/sandbox/allowed_calls.hpp"

namespace mpb {
namespace {

#if defined(__aarch64__)
constexpr std::uint32_t kHere = AUDIT_ARCH_AARCH64;
#else
constexpr std::uint32_t kHere = AUDIT_ARCH_X86_64;
#endif
constexpr std::uint32_t kOwn = 4711;
constexpr std::uint32_t kOther = 4712;

using Program = std::vector<sock_filter>;

std::uint32_t verdict(const Program& program, long number,
                      std::initializer_list<std::uint64_t> arguments = {}) {
  seccomp_data call{};
  call.nr = static_cast<int>(number);
  call.arch = kHere;
  std::copy(arguments.begin(), arguments.end(), std::begin(call.args));
  return test::run_filter(program, call);
}

bool passes(const Program& program, long number, std::initializer_list<std::uint64_t> arguments) {
  return verdict(program, number, arguments) == SECCOMP_RET_ALLOW;
}

TEST(SyscallFilter, GivesEachNumberItsVerdict) {
  CallRules rules;
  // Neighbours, gaps, and enough of them that conditional jumps do not reach across.
  for (int number = 3; number < 1500; number += 5) {
    rules.add(number, {fail_with(number), {{{0, UINT32_MAX, 1}, {2, 0xff, 2}}}, let_pass()});
    rules.allow({number + 1});
  }
  const Program program = rules.compile(fail_with(ENOSYS));
  ASSERT_LE(program.size(), BPF_MAXINSNS);
  for (int number = 0; number < 1510; ++number) {
    const bool ruled = number >= 3 && number < 1500;
    const bool tested = ruled && number % 5 == 3;
    const bool allowed = ruled && number % 5 == 4;
    const auto expected = tested || allowed ? let_pass() : fail_with(ENOSYS);
    ASSERT_EQ(verdict(program, number), expected) << number;
    ASSERT_EQ(verdict(program, number, {1, 0, 0x302}), tested ? fail_with(number) : expected);
    ASSERT_EQ(verdict(program, number, {1, 0, 3}), expected) << number;
    ASSERT_EQ(verdict(program, number, {2, 0, 2}), expected) << number;
  }
}

TEST(SyscallFilter, OneCaseOfSeveralIsEnough) {
  CallRules rules;
  rules.allow_if(7, {{{0, UINT32_MAX, 1}}, {{1, UINT32_MAX, 2}}});
  rules.forbid_if(8, {{{0, UINT32_MAX, 1}}, {{1, UINT32_MAX, 2}}});
  const Program program = rules.compile(let_pass());
  for (const auto& [first, second, matches] :
       {std::tuple{1U, 0U, true}, {0U, 2U, true}, {1U, 2U, true}, {2U, 1U, false}}) {
    EXPECT_EQ(verdict(program, 7, {first, second}), matches ? let_pass() : fail_with(EPERM));
    EXPECT_EQ(verdict(program, 8, {first, second}), matches ? fail_with(EPERM) : let_pass());
  }
}

TEST(SyscallFilter, WithoutARuleTheRestHolds) {
  const Program program = CallRules().compile(fail_with(EACCES));
  EXPECT_EQ(verdict(program, 0), fail_with(EACCES));
  EXPECT_EQ(verdict(program, 500), fail_with(EACCES));
}

TEST(SyscallFilter, NumbersOfAnotherArchitectureEndTheProcess) {
  const Program program = CallRules().compile(let_pass());
  seccomp_data call{};
  call.nr = 1;
  call.arch = AUDIT_ARCH_I386;
  EXPECT_EQ(test::run_filter(program, call), SECCOMP_RET_KILL_PROCESS);
#if defined(__x86_64__)
  constexpr int kX32 = 0x40000000;
  call.arch = AUDIT_ARCH_X86_64;
  call.nr = kX32 | SYS_ptrace;
  EXPECT_EQ(test::run_filter(program, call), SECCOMP_RET_KILL_PROCESS);
#endif
}

TEST(ForbiddenCalls, OthersCannotBeNamedOnlyOneself) {
  CallRules rules;
  forbid_reaching_out(rules, kOwn, SignalRule::kItself);
  const Program program = rules.compile(let_pass());
  for (const long call : {SYS_kill, SYS_tgkill, SYS_rt_sigqueueinfo, SYS_prlimit64,
                          SYS_sched_setaffinity, SYS_sched_setscheduler}) {
    EXPECT_TRUE(passes(program, call, {kOwn, 1})) << call;
    EXPECT_FALSE(passes(program, call, {kOther, 1})) << call;
    EXPECT_FALSE(passes(program, call, {static_cast<std::uint64_t>(-1), 1})) << call;
    // The kernel takes the lower half for the pid.
    EXPECT_FALSE(passes(program, call, {std::uint64_t{kOwn} << 32U | kOther, 1})) << call;
  }
  EXPECT_TRUE(passes(program, SYS_prlimit64, {0, 7}));
  EXPECT_FALSE(passes(program, SYS_kill, {0, SIGTERM})) << "its group has others";
}

TEST(ForbiddenCalls, SignalsAreLandlocksWhereItKnowsThem) {
  CallRules rules;
  forbid_reaching_out(rules, kOwn, SignalRule::kLeftToOthers);
  const Program program = rules.compile(let_pass());
  EXPECT_TRUE(passes(program, SYS_kill, {kOther, SIGTERM}));
  EXPECT_FALSE(passes(program, SYS_ptrace, {}));
}

TEST(ForbiddenCalls, DescriptorsSignalNobodyAndTypeNothing) {
  CallRules rules;
  forbid_reaching_out(rules, kOwn, SignalRule::kLeftToOthers);
  const Program program = rules.compile(let_pass());
  EXPECT_FALSE(passes(program, SYS_fcntl, {3, F_SETOWN, kOther}));
  EXPECT_TRUE(passes(program, SYS_fcntl, {3, F_SETFL, 0}));
  EXPECT_FALSE(passes(program, SYS_ioctl, {2, TIOCSTI}));
  EXPECT_TRUE(passes(program, SYS_ioctl, {2, FIONREAD}));
  EXPECT_FALSE(passes(program, SYS_ioctl, {2, std::uint64_t{1} << 32U | TIOCSTI}));
}

TEST(ForbiddenCalls, NoNamespaceIsMade) {
  CallRules rules;
  forbid_reaching_out(rules, kOwn, SignalRule::kItself);
  const Program program = rules.compile(let_pass());
  EXPECT_TRUE(passes(program, SYS_clone, {SIGCHLD}));
  EXPECT_FALSE(passes(program, SYS_clone, {CLONE_NEWUSER | SIGCHLD}));
  EXPECT_EQ(verdict(program, SYS_clone3), fail_with(ENOSYS)) << "libraries try clone then";
}

TEST(AllowedCalls, FollowTheNeeds) {
  const auto can = [](const Needs& needs, long call,
                      std::initializer_list<std::uint64_t> arguments = {}) {
    return passes(worker_filter(needs, kOwn), call, arguments);
  };
  const Needs none;
  const Needs connects{.connect = true};
  const Needs listens{.listen = true};
  const Needs starts{.programs = true};
  const Needs writes{.write = {"/var/lib/x"}};
  EXPECT_FALSE(can(none, SYS_socket, {AF_INET, SOCK_STREAM}));
  EXPECT_TRUE(can(connects, SYS_socket, {AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC}));
  EXPECT_FALSE(can(connects, SYS_socket, {AF_INET, SOCK_RAW}));
  EXPECT_FALSE(can(connects, SYS_socket, {AF_PACKET, SOCK_DGRAM}));
  EXPECT_TRUE(can(connects, SYS_connect));
  EXPECT_FALSE(can(none, SYS_connect));
  EXPECT_FALSE(can(connects, SYS_bind));
  EXPECT_TRUE(can(listens, SYS_bind) && can(listens, SYS_listen));
  EXPECT_FALSE(can(none, SYS_execve));
  EXPECT_TRUE(can(starts, SYS_execve));
  EXPECT_FALSE(can(none, SYS_clone, {SIGCHLD}));
  EXPECT_TRUE(can(starts, SYS_clone, {SIGCHLD}));
  EXPECT_TRUE(can(none, SYS_clone, {CLONE_VM | CLONE_SIGHAND | CLONE_THREAD}));
  EXPECT_FALSE(can(none, SYS_unlinkat));
  EXPECT_TRUE(can(writes, SYS_unlinkat));
  for (const Needs& needs : {none, connects, listens, starts, writes}) {
    for (const long call : {SYS_ptrace, SYS_io_uring_setup, SYS_setuid, SYS_mount, SYS_bpf}) {
      EXPECT_FALSE(can(needs, call)) << call;
    }
    for (const long call : {SYS_epoll_pwait2, SYS_readv, SYS_sendmsg, SYS_sendfile, SYS_accept4,
                            SYS_openat, SYS_futex, SYS_timer_settime}) {
      EXPECT_TRUE(can(needs, call)) << call;
    }
  }
}

TEST(AllowedCalls, WhatIsNotKnownIsAsIfTheKernelLackedIt) {
  EXPECT_EQ(verdict(worker_filter({}, kOwn), 4000), fail_with(ENOSYS));
}

TEST(Needs, OfSeveralHandlersAddUp) {
  Needs needs{.connect = true};
  needs.add({.programs = true, .write = {"/a"}});
  EXPECT_TRUE(needs.connect && needs.programs && !needs.listen);
  EXPECT_EQ(needs.write, std::vector<std::string>{"/a"});
  EXPECT_TRUE(needs.leave_calls_for({.connect = true}));
  EXPECT_FALSE(needs.leave_calls_for({.listen = true}));
  EXPECT_TRUE(Needs{}.leave_calls_for({}));
}

}  // namespace
}  // namespace mpb
