#include "worker/sandbox/allowed_calls.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/audit.h>
#include <linux/prctl.h>
#include <linux/sched.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include "tests/support/filter_machine.hpp"

namespace mpb {
namespace {

constexpr std::uint32_t kOwn = 4711;
constexpr std::uint32_t kCalls = 500;  // numbers, and some more

seccomp_data call(std::uint32_t number, std::uint64_t first = 0, std::uint64_t second = 0) {
  seccomp_data data{};
#if defined(__x86_64__)
  data.arch = AUDIT_ARCH_X86_64;
#else
  data.arch = AUDIT_ARCH_AARCH64;
#endif
  data.nr = static_cast<int>(number);
  data.args[0] = first;
  data.args[1] = second;
  return data;
}

bool passes(const std::vector<sock_filter>& filter, const seccomp_data& data) {
  return test::run_filter(filter, data) == SECCOMP_RET_ALLOW;
}

/// By what is to serve: nothing, connect, listen, programs, files, all of it.
std::vector<Needs> some_needs() {
  return {{},
          {.connect = true},
          {.listen = true},
          {.programs = true},
          {.write = {"/x"}},
          {.connect = true, .listen = true, .programs = true, .write = {"/x"}}};
}

TEST(AllowedCalls, AForkedWorkerMayDoWhatOneMayThatIsExeced) {
  if (!filters_are_known_here()) GTEST_SKIP();
  const std::uint64_t arguments[] = {
      0,       1,        kOwn,        kOwn + 1,     AF_INET,      AF_UNIX,
      F_GETFL, F_SETOWN, PR_SET_NAME, CLONE_THREAD, CLONE_NEWUSER};
  for (const Needs& most : some_needs()) {
    for (const Needs& needs : some_needs()) {
      if (!most.leave_calls_for(needs)) continue;
      const auto whole = worker_filter(needs, kOwn);
      const auto inherited = zygote_filter(most);
      const auto own = forked_filter(needs, most, kOwn);
      for (std::uint32_t number = 0; number < kCalls; ++number) {
        for (const std::uint64_t first : arguments) {
          for (const std::uint64_t second : arguments) {
            const seccomp_data data = call(number, first, second);
            const bool both = passes(inherited, data) && passes(own, data);
            // It names itself by 0 where it governs itself, as its broker's filter has it.
            const bool alike = both == passes(whole, data) || (!both && first == kOwn) ||
                               (!both && second == kOwn);
            ASSERT_TRUE(alike) << number << " " << first << " " << second << " " << both;
          }
        }
      }
    }
  }
}

TEST(AllowedCalls, WhatAForkedWorkerAddsIsShort) {
  const Needs most{.connect = true};
  EXPECT_LT(forked_filter(most, most, kOwn).size(), 80U);
  EXPECT_LT(forked_filter({}, most, kOwn).size(), 100U);
  EXPECT_GT(zygote_filter(most).size(), 400U);
}

TEST(AllowedCalls, AZygoteMayForkAndItsWorkersMayNot) {
  if (!filters_are_known_here()) GTEST_SKIP();
  const seccomp_data fork = call(SYS_clone, CLONE_PARENT | CLONE_CHILD_SETTID);
  EXPECT_TRUE(passes(zygote_filter({}), fork));
  EXPECT_FALSE(passes(forked_filter({}, {}, kOwn), fork));
  EXPECT_FALSE(passes(zygote_filter({}), call(SYS_clone, CLONE_NEWUSER)));
  EXPECT_TRUE(passes(zygote_filter({}), call(SYS_seccomp, 1)));
  EXPECT_FALSE(passes(forked_filter({}, {}, kOwn), call(SYS_seccomp, 1)));
  EXPECT_TRUE(passes(forked_filter({}, {}, kOwn), call(SYS_kill, kOwn, 6)));
  EXPECT_FALSE(passes(forked_filter({}, {}, kOwn), call(SYS_kill, kOwn + 1, 6)));
}

}  // namespace
}  // namespace mpb
