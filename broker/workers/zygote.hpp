// The broker's end of a zygote: a process of the worker program that serves nobody and forks
// workers, which are the broker's children. It is not trusted: whatever it says or fails to say
// costs no more than that workers are started by exec.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <string_view>

#include "broker/dispatch/restart_policy.hpp"
#include "broker/dispatch/worker_table.hpp"
#include "broker/operator/event_log.hpp"
#include "broker/workers/fork_requests.hpp"
#include "common/io/channel.hpp"
#include "common/process/child.hpp"
#include "proto/channel/message.hpp"

namespace mpb {

enum class ZygoteState {
  kOff,       // not wanted
  kStarting,  // has not said that it can fork
  kReady,
  kBackoff,   // it failed, and is started again in a while
  kDeclined,  // its program is none that forks; the next reload tries again
};
std::string_view to_string(ZygoteState state);

class Zygote final : private ChannelHandler {
 public:
  /// `is_newborn`: whether a child of this process may be a worker that was forked.
  Zygote(EventLoop& loop, EventLog& events, std::function<bool(pid_t)> is_newborn);
  Zygote(const Zygote&) = delete;
  Zygote& operator=(const Zygote&) = delete;
  ~Zygote();

  struct Plan {
    ChildOptions program;     // that of the workers
    Duration start_limit{0};  // until it says that it can fork
    bool persist = false;     // a program that does not say so is tried again, too
  };
  /// Runs it so. One that runs already is ended before.
  void run(Plan plan);
  /// Ends it. Whoever waits for a fork is told that there is none.
  void stop();
  /// The same, and whoever waits is told nothing.
  void abandon();

  /// Whether it can be asked for a worker that runs as `credentials`.
  [[nodiscard]] bool can_fork(const std::optional<Credentials>& credentials) const;
  /// `channel`: the worker's end. `done` is called later.
  void fork(Slot slot, const UniqueFd& channel, ForkDone done);

  [[nodiscard]] ZygoteState state() const { return state_; }
  /// 0: there is no process.
  [[nodiscard]] pid_t pid() const { return child_ ? child_->pid() : 0; }
  /// Workers that it has forked, and those before it.
  [[nodiscard]] std::uint64_t forked() const { return forked_; }

 private:
  void on_datagram(Datagram& datagram) override;
  void on_channel_broken(const Error& why) override;
  /// Why it must be ended; empty: all is well.
  std::string_view handle(const channel::Message& message);
  std::string_view handle_forked(const channel::Forked& answer);

  using Timer = std::optional<EventLoop::TimerId>;
  void start();
  /// Its process is told to end, and whoever waits for a fork to do without.
  void end(std::string_view why);
  void fail_requests(std::string_view why);
  void on_exited(const ExitStatus& status);
  void restart_later(std::string_view why);
  void watch_for_overdue();
  void arm(Timer& timer, Duration delay, std::function<void()> action);
  void disarm(Timer& timer);

  EventLoop& loop_;
  EventLog& events_;
  const std::function<bool(pid_t)> is_newborn_;
  Plan plan_;
  ZygoteState state_ = ZygoteState::kOff;
  bool can_fork_ = false;     // its program has said so, this time or before
  bool was_ready_ = false;    // this time
  bool start_again_ = false;  // as soon as its process has ended
  std::string ended_;         // why it was told to end; empty: it was not
  TimePoint started_{};
  RestartPolicy restart_;
  std::mt19937_64 random_{std::random_device{}()};
  Timer timer_;  // start limit, back-off, or the end after that of the channel
  Timer overdue_timer_;
  std::unique_ptr<Channel> channel_;
  std::unique_ptr<Child> child_;
  ForkRequests requests_;
  std::uint64_t forked_ = 0;
};

}  // namespace mpb
