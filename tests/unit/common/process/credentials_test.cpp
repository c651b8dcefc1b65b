#include <gtest/gtest.h>
#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/process/child.hpp"

namespace mpb {
namespace {

constexpr unsigned kKept[] = {CAP_SETUID, CAP_SETGID, CAP_KILL};

/// Of somebody who is not root and may become anybody, in this process.
bool become_capable(uid_t user) {
  if (::prctl(PR_SET_KEEPCAPS, 1) != 0 || ::setresuid(user, user, user) != 0) return false;
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {};
  for (const unsigned capability : kKept) {
    data[0].permitted |= CAP_TO_MASK(capability);
  }
  data[0].effective = data[0].inheritable = data[0].permitted;
  if (::syscall(SYS_capset, &header, data) != 0) return false;
  for (const unsigned capability : kKept) {
    if (::prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, capability, 0, 0) != 0) return false;
  }
  return true;
}

TEST(Credentials, WhoBecomesSomebodyElseHasNoWayBack) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root has capabilities to give";
  constexpr int kNotCapable = 77;
  const pid_t child = ::fork();
  if (child == 0) {
    if (!become_capable(65'534)) ::_exit(kNotCapable);
    if (!assume({1, 1})) ::_exit(1);
    if (::geteuid() != 1 || ::setuid(0) == 0 || ::setuid(65'534) == 0) ::_exit(2);
    for (const unsigned capability : kKept) {
      if (::prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, capability, 0, 0) != 0) ::_exit(3);
    }
    ::_exit(0);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFEXITED(status));
  if (WEXITSTATUS(status) == kNotCapable) GTEST_SKIP() << "no ambient capabilities here";
  EXPECT_EQ(WEXITSTATUS(status), 0);
}

}  // namespace
}  // namespace mpb
