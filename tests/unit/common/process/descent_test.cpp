#include "common/process/descent.hpp"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>

#include "common/base/unique_fd.hpp"

namespace mpb {
namespace {

/// A child that has said it is ready, and ends with this object.
class Forked {
 public:
  template <class Body>
  explicit Forked(Body&& body) {
    int ends[2] = {-1, -1};
    EXPECT_EQ(::pipe(ends), 0);
    pid_ = ::fork();
    if (pid_ == 0) {
      body();
      if (::write(ends[1], "r", 1) != 1) ::_exit(1);
      while (true) ::pause();
    }
    ::close(ends[1]);
    const UniqueFd ready(ends[0]);
    char byte = 0;
    EXPECT_EQ(::read(ready.get(), &byte, 1), 1);
  }
  Forked(const Forked&) = delete;
  Forked& operator=(const Forked&) = delete;
  ~Forked() {
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }
  [[nodiscard]] pid_t pid() const { return pid_; }

 private:
  pid_t pid_ = -1;
};

TEST(Descent, ChildrenAreListedUntilSomebodyHasWaitedForThem) {
  const auto is_child = [](pid_t pid) {
    const auto children = own_children();
    return std::find(children.begin(), children.end(), pid) != children.end();
  };
  pid_t pid = 0;
  {
    const Forked child([] {});
    pid = child.pid();
    EXPECT_TRUE(is_child(pid));
    ::kill(pid, SIGKILL);
    siginfo_t info{};
    ::waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED | WNOWAIT);
    EXPECT_TRUE(is_child(pid)) << "a zombie is one, too";
  }
  EXPECT_FALSE(is_child(pid));
  EXPECT_FALSE(is_child(::getpid()));
}

TEST(Descent, TheParentOfAProcessIsKnownWhileItIsThere) {
  pid_t pid = 0;
  {
    const Forked child([] {});
    pid = child.pid();
    EXPECT_EQ(parent_of(pid), ::getpid());
  }
  EXPECT_EQ(parent_of(pid), std::nullopt);
  EXPECT_EQ(parent_of(::getpid()), ::getppid());
}

TEST(Descent, AMarkIsInheritedAndNobodyElseHasIt) {
  const Forked plain([] {});
  const Forked marked(begin_descent);
  EXPECT_FALSE(has_mark_of_descent(plain.pid()));
  EXPECT_TRUE(has_mark_of_descent(marked.pid()));
  EXPECT_FALSE(has_mark_of_descent(::getpid()));
  int ends[2] = {-1, -1};
  ASSERT_EQ(::pipe(ends), 0);
  const UniqueFd told(ends[0]);
  const UniqueFd tells(ends[1]);
  const Forked parent([&] {
    begin_descent();
    const pid_t child = ::fork();
    if (child == 0) {
      while (true) ::pause();
    }
    if (::write(ends[1], &child, sizeof child) != sizeof child) ::_exit(1);
  });
  pid_t grandchild = 0;
  ASSERT_EQ(::read(told.get(), &grandchild, sizeof grandchild), sizeof grandchild);
  EXPECT_TRUE(has_mark_of_descent(grandchild));
  ::kill(grandchild, SIGKILL);
}

TEST(Descent, AMarkThatWasLoweredIsStillOne) {
  const Forked marked([] {
    begin_descent();
    const rlimit lower{5, 5};
    ::setrlimit(RLIMIT_RTTIME, &lower);
  });
  EXPECT_TRUE(has_mark_of_descent(marked.pid()));
}

}  // namespace
}  // namespace mpb
