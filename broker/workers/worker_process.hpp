// One worker process and the broker's end of its channel. Checks every message against the
// protocol: a worker that breaks it is ejected (killed), whatever it sent.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "broker/dispatch/dispatcher.hpp"
#include "broker/dispatch/worker_table.hpp"
#include "broker/workers/reported_counters.hpp"
#include "broker/workers/vhost_set.hpp"
#include "common/config/worker_settings.hpp"
#include "common/io/channel.hpp"
#include "common/process/child.hpp"
#include "proto/channel/message.hpp"

namespace mpb {

/// What the owner of a WorkerProcess is told. Only on_exited may destroy it.
class WorkerProcessOwner {
 public:
  virtual void on_ready(Slot slot) = 0;
  virtual void on_pong(Slot slot) = 0;
  /// The worker is to end, and must not be sent clients any more; on_exited follows.
  virtual void on_ejected(Slot slot, const std::string& why) = 0;
  /// Its channel has ended: so will the process, soon.
  virtual void on_unreachable(Slot slot) = 0;
  /// The process has ended, and all it had sent was handled.
  virtual void on_exited(Slot slot, ExitStatus status) = 0;

 protected:
  ~WorkerProcessOwner() = default;
};

/// A listener as a worker is told of it.
struct ToldListener {
  channel::Listen message;
  int socket = -1;  // -1: this worker does not accept
};

/// Of a channel that no process has yet.
struct ChannelEnds {
  UniqueFd own;
  UniqueFd theirs;
  ino_t inode = 0;  // of theirs
};

class WorkerProcess final : private ChannelHandler {
 public:
  /// Takes a message of an online or draining worker, other than Ready and Pong. Returns why the
  /// worker must be ejected for it; empty: it need not.
  using OnMessage =
      std::function<std::string_view(Slot, const channel::Message&, ForeignDescriptor)>;

  /// Makes the child, which has the other end of the channel; it calls what it is given when that
  /// has ended.
  using MakeChild = std::function<Result<std::unique_ptr<Child>>(std::function<void(ExitStatus)>)>;

  /// An error: there are not enough descriptors for another worker.
  static Result<ChannelEnds> make_ends();
  static Result<std::unique_ptr<WorkerProcess>> begin(EventLoop& loop, Slot slot, ChannelEnds ends,
                                                      WorkerProcessOwner& owner,
                                                      const OnMessage& on_message,
                                                      const MakeChild& make_child);

  /// One of a broker before this one, whose channel it is. What it says is heard from its first
  /// ResyncReport of `round` on: it has been asked for that.
  static Result<std::unique_ptr<WorkerProcess>> take_over(
      EventLoop& loop, Slot slot, UniqueFd channel, WorkerProcessOwner& owner,
      const OnMessage& on_message, const MakeChild& make_child, std::uint64_t round);

  /// Configure, Vhosts if there are any, all listeners: what a new worker needs before start().
  void introduce(const WorkerSettings& settings, std::uint32_t window,
                 std::span<const std::string> vhosts, std::span<const ToldListener> listeners);
  /// It may say Ready from now on.
  void start();
  /// Sends a datagram that is as the channel has it.
  void say(std::string_view datagram);
  /// Datagrams that wait until it reads.
  [[nodiscard]] std::size_t unread() const { return channel_.queued(); }
  /// `window`: handoffs that may be without a verdict.
  void configure(const WorkerSettings& settings, std::uint32_t window);
  void change_vhosts(const VhostChange& change);
  /// It has none any more, whatever it was told.
  void clear_vhosts();
  void listen(const ToldListener& listener);
  void unlisten(std::uint16_t listener);
  void drain(Duration deadline);
  void ping();
  /// False: it cannot be asked, or owes too many answers; none will come.
  bool ask(const channel::Query& query);
  /// `keys`: entries as channel::append_key makes them.
  void disown(std::string_view keys);
  /// An error: the worker will not get it. That of want of a descriptor is over soon.
  Status deliver(const channel::Deliver& delivery, int descriptor);
  void send_outbox(const Outbox& outbox);
  /// What is not to wait in the channel, where clients' messages wait: see Channel::offer.
  Offered offer(std::string_view datagram, int descriptor = -1);

  /// Ends the process because it broke the protocol: nothing more of it is heard.
  void eject(const std::string& why);
  /// Ends the process because it does not do its part: what it said before is heard to the end.
  void condemn(const std::string& why);
  void signal(int number) { child_->signal(number); }

  [[nodiscard]] pid_t pid() const { return child_->pid(); }
  /// Its end of the channel, and what signals it: to be kept by the holder of descriptors.
  [[nodiscard]] int channel_descriptor() const { return channel_.descriptor(); }
  [[nodiscard]] int pidfd() const { return child_->pidfd(); }
  [[nodiscard]] bool ready() const { return ready_; }
  /// It was given listening sockets.
  [[nodiscard]] bool had_sockets() const { return had_sockets_; }
  /// It had been told to drain and has closed its channel, as one does that is done; but then it
  /// has not ended in time.
  [[nodiscard]] bool was_done_before_it_was_killed() const { return killed_late_ && drains_; }
  /// Of its end of the channel.
  [[nodiscard]] ino_t channel_inode() const { return channel_inode_; }
  /// Nothing is sent to it any more otherwise.
  [[nodiscard]] bool hears() const { return channel_.is_open() && !ejected_; }
  [[nodiscard]] bool ping_outstanding() const { return ping_outstanding_; }
  /// The last Pong, as far as it can be true.
  [[nodiscard]] const ReportedCounters& counters() const { return counters_; }
  /// As a broker before this one had them last.
  void set_counters(ReportedCounters counters) { counters_ = std::move(counters); }
  [[nodiscard]] std::size_t queue_high_water() const { return channel_.queue_high_water(); }
  /// What it was sent waits for the kernel, not for the worker: see Channel::waits_for_quota.
  [[nodiscard]] bool waits_for_quota() const { return channel_.waits_for_quota(); }
  WorkerProcess(const WorkerProcess&) = delete;
  WorkerProcess& operator=(const WorkerProcess&) = delete;
  ~WorkerProcess();

  /// Something that counts as so many messages; false: as a flood of them.
  [[nodiscard]] bool spend(std::uint32_t messages);
  /// Forgives some of the messages that count against it: call it twice a second.
  void forgive_messages();

 private:
  WorkerProcess(EventLoop& loop, Slot slot, UniqueFd socket, WorkerProcessOwner& owner,
                const OnMessage& on_message);

  /// How much is heard of a worker that was taken over.
  enum class Hearing : std::uint8_t {
    kNothing,  // what it says is meant for the broker before
    kReport,   // and what comes behind or in between
    kAll,
  };

  void on_datagram(Datagram& datagram) override;
  void on_channel_broken(const Error& why) override;
  void on_child_exit(ExitStatus status);
  /// The process has ended and all it had sent was handled: its owner is told in the next turn.
  void finish();
  /// Each gives why the worker must be ejected; empty: all is well.
  static std::string_view check_descriptor(const channel::Message& message,
                                           const Datagram& datagram, StreamKind kind);
  std::string_view handle(const channel::Message& message, Datagram& datagram, StreamKind kind);
  std::string_view handle_ready(const channel::Ready& message);
  std::string_view handle_pong(const channel::Pong& message);
  std::string_view handle_answer(const channel::Answer& message);
  std::string_view handle_bye(const channel::Bye& message);
  void note_report(const channel::ResyncReport& report);
  /// All vhosts there are, as VhostSet has them; a worker that knows of none need not be told so.
  void set_vhosts(std::span<const std::string> texts);
  /// `parts` (at least one) in a row; which are the first and the last is said here.
  void send_vhosts(std::vector<channel::Vhosts>& parts);
  /// What is in scratch_.
  void send(Order order, int descriptor = -1);
  void send(std::string_view datagram, Order order, int descriptor = -1);

  EventLoop& loop_;
  Slot slot_;
  WorkerProcessOwner& owner_;
  const OnMessage& on_message_;
  EventLoop::TimerId kill_timer_{};
  EventLoop::TimerId finish_timer_{};
  std::optional<ExitStatus> exit_;  // of the process, once it has ended
  Channel channel_;
  ino_t channel_inode_ = 0;
  std::unique_ptr<Child> child_;
  std::string scratch_;
  ReportedCounters counters_;
  std::set<std::uint16_t> listeners_;  // that it was ever told of
  std::uint64_t nonce_ = 0;
  std::vector<std::uint64_t> owed_;  // nonces of Queries that it has not answered to the end
  std::uint32_t messages_ = 0;       // not yet forgiven
  bool ping_outstanding_ = false;
  std::optional<std::uint32_t> bye_;  // the exit code that it has told of
  Hearing hearing_ = Hearing::kAll;
  std::uint64_t round_ = 0;  // of the Resync that it was sent
  bool ready_ = false;
  bool had_sockets_ = false;
  bool drains_ = false;
  bool killed_late_ = false;
  bool ejected_ = false;
};

}  // namespace mpb
