#include "broker/workers/kinship.hpp"

#include <poll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>

#include "common/base/unique_fd.hpp"
#include "common/process/child.hpp"
#include "common/process/descent.hpp"
#include "common/process/newborns.hpp"

#ifndef SO_PEERPIDFD
#define SO_PEERPIDFD 77
#endif

namespace mpb {
namespace {

constexpr int kMaxGenerations = 256;  // nobody has more but to hide where it comes from
constexpr int kTries = 4;             // walks, when somebody in the line ends meanwhile

/// Whether the peer lives: the number of one that has ended may be another process's by now. Before
/// Linux 6.5 there is no telling.
bool lives(int socket) {
  int number = -1;
  socklen_t size = sizeof number;
  if (::getsockopt(socket, SOL_SOCKET, SO_PEERPIDFD, &number, &size) != 0) {
    return errno == ENOPROTOOPT;
  }
  const UniqueFd process(number);
  pollfd entry{process.get(), POLLIN, 0};
  return ::poll(&entry, 1, 0) == 0;
}

}  // namespace

Kinship::Kinship() {
  strangers_ = ::getpid() == 1 || !own_children().empty();
  ::prctl(PR_SET_CHILD_SUBREAPER, 1);
}

bool Kinship::is_kin(pid_t child) const {
  return Child::is_one(child) || !strangers_ || has_mark_of_descent(child);
}

bool Kinship::is_orphan(pid_t child) const {
  return !Child::is_one(child) && is_kin(child) && !may_be_newborn(child);
}

bool Kinship::is_newborn(pid_t child) const {
  return Child::is_unclaimed(child) && is_kin(child);
}

Kin Kinship::of(pid_t pid, pid_t* worker) const {
  if (pid <= 0) return Kin::kStranger;  // outside of this process's namespace
  const pid_t own = ::getpid();
  pid_t descendant = pid;
  for (int i = 0; i < kTries; ++i) {
    descendant = pid;
    for (int generation = 0;; ++generation) {
      if (generation == kMaxGenerations) return Kin::kWorker;
      // One that was taken over has another parent.
      if (Child::is_one(descendant)) {
        if (worker != nullptr) *worker = descendant;
        return Kin::kWorker;
      }
      // Process 1 is given nobody's remains while this one is there to be given them.
      if (descendant == own || descendant <= 1) return Kin::kStranger;
      const auto parent = parent_of(descendant);
      if (!parent) break;
      if (*parent == own) {
        if (worker != nullptr) *worker = descendant;
        return is_kin(descendant) ? Kin::kWorker : Kin::kStranger;
      }
      descendant = *parent;
    }
  }
  return of_hidden(pid, descendant);
}

Kin Kinship::of_hidden(pid_t pid, pid_t hidden) {
  if (Child::is_one(pid) || has_mark_of_descent(pid)) return Kin::kWorker;
  const bool is_there = ::kill(pid, 0) == 0;
  // Processes of other users may be hidden from this one (proc(5), hidepid), and these start some
  // of its user: service managers and sudo do. By its mark it is no worker's.
  if (hidden != pid && ::kill(hidden, 0) != 0 && errno == EPERM) return Kin::kStranger;
  // Without /proc everybody is.
  if (::access("/proc/self/stat", F_OK) != 0 && is_there) return Kin::kStranger;
  // Of a user that this one may signal, and hidden: so nobody is who has no reason to be.
  return is_there ? Kin::kWorker : Kin::kUnknown;
}

Kin Kinship::of_peer(int socket) const {
  ucred peer{};
  socklen_t size = sizeof peer;
  if (::getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0) return Kin::kUnknown;
  if (is_account_ && is_account_(peer.uid)) return Kin::kWorker;
  const Kin kin = of(peer.pid);
  if (kin == Kin::kWorker) return kin;
  if (peer.pid != 0 && !lives(socket)) return Kin::kUnknown;
  if (kin == Kin::kStranger) return kin;
  // Of another user than the workers', and there: only hidden.
  const bool there = ::kill(peer.pid, 0) == 0 || errno == EPERM;
  return there && peer.uid != ::geteuid() ? Kin::kStranger : Kin::kUnknown;
}

}  // namespace mpb
