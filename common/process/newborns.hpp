// Children that another process forks for this one (CLONE_PARENT, see clone(2)): from the fork on
// they are there, but which they are is told a little later.
#pragma once

#include <sys/types.h>

#include <cstdint>

namespace mpb {

/// While it lives, one such child is awaited.
class AwaitedNewborn {
 public:
  AwaitedNewborn();
  AwaitedNewborn(const AwaitedNewborn&) = delete;
  AwaitedNewborn& operator=(const AwaitedNewborn&) = delete;
  ~AwaitedNewborn();

 private:
  std::uint64_t number_;
};

/// Whether a child of this process that has no Child may be one that is awaited: it is to be left
/// alone until that is known. One that was seen before a fork was asked for is not of that fork, so
/// that nobody is left alone for long.
bool may_be_newborn(pid_t pid);
/// It has a Child, or was waited for: another process may have its number next.
void forget_newborn(pid_t pid);

}  // namespace mpb
