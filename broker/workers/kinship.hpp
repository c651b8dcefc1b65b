// Which processes belong to workers: the workers and whatever descends from them, wherever it has
// gone: to a session of its own, to another parent, through double forks.
#pragma once

#include <sys/types.h>

#include <functional>

namespace mpb {

enum class Kin {
  kStranger,
  kWorker,   // a worker, or what belongs to one
  kUnknown,  // it has ended, or is hidden from this user: it may have been one
};

class Kinship {
 public:
  /// Before the first worker is started: from now on this process is given what workers leave
  /// behind. The children that it has already are no worker's.
  Kinship();

  /// Whether a child of this process is what a worker has left behind.
  [[nodiscard]] bool is_orphan(pid_t child) const;
  /// Whether it may be a worker that a zygote has forked.
  [[nodiscard]] bool is_newborn(pid_t child) const;

  /// Of a process that is there now. `worker`: told its ancestor, or itself, that is a child of
  /// this process.
  [[nodiscard]] Kin of(pid_t pid, pid_t* worker = nullptr) const;
  /// Of who has connected to a unix socket.
  [[nodiscard]] Kin of_peer(int socket) const;

  /// Accounts that only workers have.
  void set_accounts(std::function<bool(uid_t)> are_workers) {
    is_account_ = std::move(are_workers);
  }

 private:
  /// Of a child of this process.
  [[nodiscard]] bool is_kin(pid_t child) const;
  /// `hidden`: the process itself, or the one from which on its line cannot be followed.
  [[nodiscard]] static Kin of_hidden(pid_t pid, pid_t hidden);

  bool strangers_ = false;  // may be among the children
  std::function<bool(uid_t)> is_account_;
};

}  // namespace mpb
