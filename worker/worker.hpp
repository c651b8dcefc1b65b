// A worker: its listeners, its clients, and either a broker or nobody else.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "common/config/settings.hpp"
#include "common/io/wake_up.hpp"
#include "common/listen/listener_sockets.hpp"
#include "mpbroker/worker.hpp"
#include "worker/clients/acceptor.hpp"
#include "worker/clients/memory_relief.hpp"
#include "worker/clients/waiting_clients.hpp"
#include "worker/link/broker_link.hpp"
#include "worker/link/vhost_collector.hpp"
#include "worker/sandbox/confine.hpp"
#include "worker/served_listener.hpp"
#include "worker/worker_context.hpp"
#include "worker/worker_environment.hpp"

namespace mpb {

/// What a worker's process ends with. The broker does not restart one that ends with kUsage.
enum class ExitCode : int { kOk = 0, kFailure = 1, kUsage = 2 };

class Worker final : private BrokerCommands {
 public:
  Worker(EventLoop& loop, const Registry& registry);
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;
  ~Worker();

  /// Serves under a broker, whose end of the channel `socket` is. It says all the rest.
  Status join_broker(UniqueFd socket);
  /// Serves alone on the listeners of `settings`: the single process. A listener takes the socket
  /// of its name or address out of `inherited`, if there is one.
  Status serve_alone(const Settings& settings, std::vector<InheritedSocket> inherited);
  /// New limits, times and vhosts for the single process. Its listeners stay as they are, but for
  /// unix paths that were deleted, which are made again.
  void reconfigure(const Settings& settings);

  /// Its system calls are filtered before it says that it is ready: see worker/sandbox/confine.hpp.
  void confine_when_ready(WorkerConfinement confinement) {
    confinement_ = std::move(confinement);
    needs_.emplace();
  }

  /// Until the worker stops. That there is no memory does not end it.
  void run();
  /// Accepts no more, and ends when the last client has gone or after `deadline`; of several
  /// calls the earliest deadline counts. Drain::kNoDeadline is none.
  void drain(Duration deadline);
  /// It drains, and was told by when.
  [[nodiscard]] bool has_deadline() const { return has_deadline_; }
  [[nodiscard]] Duration drain_timeout() const { return context_.settings.drain_timeout; }
  [[nodiscard]] ExitCode exit_code() const { return exit_code_; }

 private:
  struct Listener {
    ServedListener served;
    // None: this worker does not accept here. The last is for its socket; those before it for
    // sockets that were replaced, where clients may wait.
    std::vector<std::unique_ptr<Acceptor>> acceptors{};
    SharedSocket socket;  // of a single process, whose own it is
    ListenerUpkeep upkeep;
  };

  void on_configure(const channel::Configure& message) override;
  void on_listen(const channel::Listen& message, UniqueFd socket) override;
  void on_unlisten(std::uint16_t listener) override;
  void on_vhosts(const channel::Vhosts& message) override;
  void on_start() override;
  void on_drain(Duration deadline) override { drain(deadline); }
  void on_client(std::string_view key) override;
  ServedListener* find_listener(std::uint16_t listener) override;
  [[nodiscard]] std::optional<std::uint16_t> space_of(std::string_view listener) const override;
  void read_counters(std::string& blocks) override;
  AnswerContent answer(std::string_view question, std::string_view argument) override;
  void on_resync() override;
  void on_broker_gone(const Error& why) override;

  Status add_listener(const channel::Listen& message, UniqueFd socket);
  Status open_alone(const ListenerSettings& listener, SharedSocket socket);
  Status accept_alone(Listener& listener);
  void note_needs(const channel::Listen& message);
  /// Accepts from `socket`, too.
  Status add_acceptor(Listener& listener, UniqueFd socket);
  template <class F>
  void for_each_acceptor(F&& visit) {
    for (auto& [number, listener] : listeners_) {
      for (const auto& acceptor : listener.acceptors) visit(*acceptor);
    }
  }
  void stop_accepting();
  void keep_up_sockets();
  void restore_paths();
  void configure(const WorkerSettings& settings);
  void set_vhosts(std::vector<VhostSettings> vhosts);
  void end_turn();
  /// Without its broker a worker keeps its keys: nobody else could serve them.
  [[nodiscard]] bool gives_up_keys() const { return !link_ || link_->is_open(); }
  void become_orphan();
  /// What it does when no broker follows its own.
  [[nodiscard]] bool drains_alone() const {
    return context_.settings.after_broker != static_cast<std::uint32_t>(AfterBroker::kServe);
  }
  void expire_deadlines();
  void await_deadlines();
  void sweep();
  void stop(ExitCode code);
  void close_clients();

  EventLoop& loop_;
  const Registry& registry_;
  WorkerEnvironment environment_;  // outlives the clients and their handlers
  WorkerContext context_;
  MemoryRelief memory_relief_;
  std::map<std::uint16_t, Listener> listeners_;
  ListenerReport report_;
  WaitingClients waiting_;  // behind the services of its clients
  std::unique_ptr<BrokerLink> link_;
  VhostCollector vhosts_;
  WakeUp wake_up_{loop_};
  WorkerConfinement confinement_;
  std::optional<Needs> needs_;  // unset: it is not confined
  bool started_ = false;
  bool has_deadline_ = false;  // of draining
  bool named_ = false;         // by the key that it was given, as a cell
  bool orphaned_ = false;      // its broker is gone
  bool said_bye_ = false;
  ExitCode exit_code_ = ExitCode::kOk;
};

}  // namespace mpb
