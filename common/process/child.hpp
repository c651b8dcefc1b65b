// A child process: started here, or forked for this process by another, or left by one before it,
// and how it ended.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "common/base/error.hpp"
#include "common/base/unique_fd.hpp"
#include "common/io/event_loop.hpp"
#include "common/process/confinement.hpp"

namespace mpb {

/// What a process that ended says of itself (wait(2)).
struct ExitStatus {
  int code = 0;           // exit code, when not killed
  int signal = 0;         // the signal that killed it; 0: none
  std::string not_begun;  // why the program never ran; empty: it did
  bool unknown = false;   // it has ended, and somebody else has taken how
  [[nodiscard]] std::string to_string() const;
};

/// Whom a child runs as; unset: as its parent.
struct Credentials {
  uid_t user = 0;
  gid_t group = 0;
  friend bool operator==(const Credentials&, const Credentials&) = default;
};
/// Looks names or numbers up (getpwnam(3), getgrnam(3)). `group` empty: the user's own.
Result<Credentials> find_credentials(const std::string& user, const std::string& group);
/// This process runs as they say from now on, for good. False: errno says why, and the process may
/// be neither: it should end. Async-signal-safe.
bool assume(const Credentials& credentials);
/// Whether the kernel would let this process do so.
bool may_assume(const Credentials& credentials);
/// Whether it lets this process kill one that runs so.
bool may_kill(const Credentials& credentials);

/// What a child may have at most (setrlimit(2)): where it may not have so much, what it may.
struct ResourceLimit {
  int resource = 0;
  std::uint64_t most = 0;
};

struct ChildOptions {
  std::string program;  // searched in PATH when it has no slash
  std::vector<std::string> arguments;
  std::vector<std::string> environment;  // "NAME=value", all of it
  std::optional<Credentials> run_as;
  std::vector<ResourceLimit> limits;
  bool begins_descent = false;  // see common/process/descent.hpp
  int cgroup = -1;              // open for writing on cgroup.procs: it begins in that group
  std::shared_ptr<Confinement> confinement;  // null: it keeps what its user may do
  bool holds_requests = false;  // it calls prepare_signals: none is lost before it does
};

class ExitReports;

/// A child process; killed when destroyed, and reaped if it is this process's own.
class Child final : private EventHandler {
 public:
  /// Starts it with `channel` as its descriptor 3, /dev/null as its standard input, the parent's
  /// standard output and error, signals as restore_signals leaves them, and nothing else. `on_exit`
  /// is called once, from the loop, when it has ended and was reaped; it may destroy this object.
  static Result<std::unique_ptr<Child>> spawn(EventLoop& loop, const ChildOptions& options,
                                              const UniqueFd& channel,
                                              std::function<void(ExitStatus)> on_exit);
  /// A child that another process has forked for this one (CLONE_PARENT, see clone(2)). An
  /// error: `pid` is not unclaimed.
  static Result<std::unique_ptr<Child>> adopt(EventLoop& loop, pid_t pid,
                                              std::function<void(ExitStatus)> on_exit);
  /// A child of a process before this one, whose pidfd it was given. It ends with an unknown status
  /// unless `reports` tell it; they outlive it.
  static Result<std::unique_ptr<Child>> take_over(EventLoop& loop, pid_t pid, UniqueFd pidfd,
                                                  ExitReports& reports,
                                                  std::function<void(ExitStatus)> on_exit);
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;
  ~Child();

  [[nodiscard]] pid_t pid() const { return pid_; }
  [[nodiscard]] int pidfd() const { return pidfd_.get(); }
  /// Whether `pid` is that of a Child which has not been waited for.
  static bool is_one(pid_t pid);
  /// Whether `pid` is a child of this process that has no Child, and was not waited for.
  static bool is_unclaimed(pid_t pid);
  /// pidfd_send_signal(2): cannot hit another process. Ignored once the child has ended.
  void signal(int number);

 private:
  /// Memory that both share until the child runs its program: why it cannot.
  struct StartFailure {
    enum class Step : int { kNone, kConfine, kAssume, kExecute };
    Step step;
    int error;
  };
  struct Unmap {
    void operator()(StartFailure* failure) const;
  };
  using SharedFailure = std::unique_ptr<StartFailure, Unmap>;
  static SharedFailure map_failure();
  [[noreturn]] static void become_child(const char* program, char* const* argv,
                                        char* const* environment, int channel, int null,
                                        const ChildOptions& options, StartFailure& failure);
  static std::string describe(const StartFailure& failure, const ChildOptions& options);

  /// Of a child that was not waited for, and so has its number still.
  static Result<std::unique_ptr<Child>> watch(EventLoop& loop, pid_t pid,
                                              std::function<void(ExitStatus)> on_exit);
  Child(EventLoop& loop, pid_t pid, UniqueFd pidfd, std::function<void(ExitStatus)> on_exit)
      : loop_(loop), pid_(pid), pidfd_(std::move(pidfd)), on_exit_(std::move(on_exit)) {}
  /// Has it watched from now on.
  static Result<std::unique_ptr<Child>> watch(std::unique_ptr<Child> child);
  void on_events(std::uint32_t events) override;
  /// Of one that is not this process's own and has ended: waits for the report for a moment.
  void await_report();
  void finish(ExitStatus status);

  EventLoop& loop_;
  pid_t pid_;
  UniqueFd pidfd_;
  std::function<void(ExitStatus)> on_exit_;
  ChildOptions options_;
  SharedFailure failure_;  // null: somebody else has started it
  Watch watch_;
  ExitReports* reports_ = nullptr;  // of one that was taken over
  EventLoop::TimerId report_timer_{};
  int report_looks_ = 0;
};

}  // namespace mpb
