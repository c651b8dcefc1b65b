// The master: puts the parts together. Messages of workers go to the dispatcher and what it decides
// goes out; signals and the operator's requests change what runs.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "broker/dispatch/acceptor_set.hpp"
#include "broker/dispatch/cell_set.hpp"
#include "broker/dispatch/dispatcher.hpp"
#include "broker/dispatch/pin_set.hpp"
#include "broker/dispatch/router.hpp"
#include "broker/dispatch/scaler.hpp"
#include "broker/dispatch/worker_table.hpp"
#include "broker/listener_set.hpp"
#include "broker/operator/client_notices.hpp"
#include "broker/operator/control_request.hpp"
#include "broker/operator/control_socket.hpp"
#include "broker/operator/event_log.hpp"
#include "broker/operator/inquiries.hpp"
#include "broker/operator/refusal_report.hpp"
#include "broker/service_report.hpp"
#include "broker/succession/counts.hpp"
#include "broker/succession/succession.hpp"
#include "broker/succession/takeover.hpp"
#include "broker/tables/table_service.hpp"
#include "broker/talk/talk.hpp"
#include "broker/turn_away.hpp"
#include "broker/worker_messages.hpp"
#include "broker/workers/cell_plans.hpp"
#include "broker/workers/counter_totals.hpp"
#include "broker/workers/kinship.hpp"
#include "broker/workers/remains.hpp"
#include "broker/workers/supervisor.hpp"
#include "broker/workers/trespass.hpp"
#include "broker/workers/vhost_set.hpp"
#include "common/config/options.hpp"
#include "common/config/settings.hpp"
#include "common/io/event_loop.hpp"
#include "common/io/signals.hpp"
#include "common/io/wake_up.hpp"
#include "common/process/worker_accounts.hpp"

namespace mpb {

class Broker final : private SupervisorOwner {
 public:
  /// Gives the options anew, for a reload.
  using OptionsReader = std::function<Result<ParsedOptions>()>;
  Broker(EventLoop& loop, Settings settings, OptionsReader read_options);
  Broker(const Broker&) = delete;
  Broker& operator=(const Broker&) = delete;

  /// Opens the listeners and the control socket, starts the base workers. An error leaves nothing
  /// behind.
  Status start();
  /// Whether a signal is to be obeyed: one of a worker's is not.
  [[nodiscard]] bool heeds(const Signal& signal) { return trespass_.heeds(signal); }
  /// SIGTERM and SIGINT; a second one ends without waiting for clients.
  void stop();
  /// SIGHUP. What it warns of; an error has changed nothing.
  Result<std::vector<Warning>> reload();

 private:
  friend class StatusReport;

  WorkerSettings worker_settings(Slot slot) override;
  std::uint32_t handoff_window() override;
  std::vector<std::string> vhost_texts() override { return vhosts_.texts(); }
  std::vector<ToldListener> listeners_for(Slot slot) override;
  UniqueFd enter_group(Slot slot) override;
  std::optional<CellRun> cell_run(Slot slot, bool in_group) override;
  bool is_newborn(pid_t pid) override { return kinship_.is_newborn(pid); }
  void on_worker_introduced(Slot slot, WorkerProcess& worker) override;
  void on_worker_resumed(Slot slot, WorkerProcess& worker) override {
    tables_.introduce(slot, worker);
  }
  void on_worker_online(Slot slot) override;
  void on_worker_drains(Slot slot) override;
  void on_worker_ejected(Slot slot) override { remains_.on_end(slot); }
  void on_key_backs_off(Slot slot, std::string_view name, const BackOff& backs_off) override;
  void on_worker_gone(Slot slot, bool as_told) override;
  void on_all_gone() override;

  using Reply = ControlReply;
  void on_request(const boost::json::object& object, Reply reply);
  void request_send(const SendRequest& request, const Reply& reply);
  /// To whoever watches, here and in the workers.
  void publish(const boost::json::object& event);
  void tell_setup();
  /// It is about to lose all its keys.
  void tell_lost_keys(Slot slot, std::string_view why);
  Status request_drain(const DrainRequest& request);
  Status request_route(const PinRequest& request);
  boost::json::object request_workers(const WorkersRequest& request);
  void request_answers(const QuestionRequest& request, const Reply& reply);
  Result<std::vector<Warning>> request_vhost(const VhostRequest& request);
  boost::json::object request_table(const TableRequest& request);
  /// Takes the place of what runs. An error has changed nothing.
  Status apply(Settings fresh);

  // --- after a broker that was killed, and for the one after this (continuation.cpp)

  /// What must be known before sockets are opened.
  void resume_books();
  void resume_listeners(const BrokerState& left);
  /// What the operator has changed.
  void resume_changes(const BrokerState& left);
  /// Its workers go on.
  void resume_workers();
  /// The one of a slot; false: it cannot be had any more.
  bool resume_worker(const SlotState& left, const std::vector<CountState>& counts);
  void on_takeover_done();
  [[nodiscard]] std::vector<std::uint16_t> withdrawn_lately() const;
  /// The holder has what is open by now.
  void keep_sockets();
  [[nodiscard]] BrokerState state() const;
  [[nodiscard]] SlotState state_of_slot(Slot slot) const;
  /// Of brokers before this one, too. Without what it takes to look at the process.
  [[nodiscard]] BrokerCounters counters() const;

  void end_turn();
  void tick();
  /// Where this user may pass no more descriptors, ends the worker that has most of them.
  void watch_quota();
  void flush_outboxes();
  [[nodiscard]] PinSet::Pins configured_pins() const;
  void apply_pins(const PinSet::Changes& changes);
  /// Tells all workers what is different in the vhosts.
  void send_vhosts(const VhostChange& change);
  [[nodiscard]] AcceptorRules acceptor_rules() const;
  void apply_acceptor_rules();
  /// Before workers are told of it.
  void widen_window();
  /// Not all workers accept: clients without a key are offered.
  [[nodiscard]] bool spreads() const;
  [[nodiscard]] bool accepts(Slot slot, const ListenerSet::Listener& listener) const;
  /// From any listener.
  [[nodiscard]] bool accepts(Slot slot) const;
  /// Whether there is a listener of policy local.
  [[nodiscard]] bool any_local() const;
  /// Lets workers accept in the place of those that went.
  void choose_acceptors(AcceptorSet::Choice choice);
  [[nodiscard]] ScalerRules scaler_rules() const;
  [[nodiscard]] CellRules cell_rules() const;
  [[nodiscard]] std::map<std::uint16_t, Duration> rollovers() const;
  /// What is set for the cells of this key, by name. Null: nothing.
  [[nodiscard]] const CellSettings* plan_of(std::string_view name) const;
  /// The same for the cell in this slot.
  [[nodiscard]] const CellSettings* plan_of(Slot slot) const;
  /// Makes ready for what is set for cells; what this machine does not give is told once.
  void prepare_cells();
  /// Which cells were given which keys.
  void tell_cells();
  /// The broker's part of the route time limit; the rest is the margin in which its refusal
  /// arrives.
  [[nodiscard]] static Duration wait_limit(const Settings& settings);
  void run_workers_as(WorkerAccounts accounts);
  Status take_sockets(std::vector<PassedDescriptor> passed, UniqueFd& control);
  Status open_control(UniqueFd inherited);
  void keep_up_sockets();
  /// What the worker in this slot is to be told of it.
  [[nodiscard]] std::vector<ToldListener> told(Slot slot,
                                               const ListenerSet::Listener& listener) const;
  void tell_of(WorkerProcess& worker, Slot slot, const ListenerSet::Listener& listener);
  void tell_listening(std::uint16_t number);
  /// Workers hear of it with their next Configure.
  void apply_client_limit();
  /// Empty: descriptors suffice for as many workers as there may be.
  std::string descriptor_warning();
  void warn_of_descriptors();
  void tell_refusals();
  /// Turns clients away while nobody is there for them.
  void look_at_service();
  void turn_away();
  void feed_watchdog(Duration interval);

  EventLoop& loop_;
  Settings settings_;
  std::uint16_t configured_limit_;  // of workers, whatever 'mpctl workers' says
  OptionsReader read_options_;
  Kinship kinship_;
  Remains remains_{loop_, kinship_};
  EventLog events_;
  ClientNotices notices_{events_};
  ListenerSet listeners_;
  VhostSet vhosts_;
  CellPlans plans_{vhosts_};
  bool told_of_groups_ = false;       // that there are none for limits
  bool told_of_descriptors_ = false;  // that a cell cannot have so many
  WorkerTable workers_;
  CellSet cells_;
  Router router_;
  Scaler scaler_;
  AcceptorSet acceptors_;
  std::uint32_t widest_window_ = 0;  // that a worker was ever told
  Dispatcher dispatcher_;
  Supervisor supervisor_;
  TableService tables_{loop_};
  CounterTotals ended_;  // of the processes that have ended
  CountsBefore before_;
  Succession succession_{loop_};
  std::uint64_t generation_ = 0;
  SipKey seal_;
  Slot operators_workers_ = 0;      // their number by the operator's word; 0: as configured
  TimePoint last_end_{};            // when a worker ended last
  bool stop_when_resumed_ = false;  // the broker before was stopping
  Inquiries inquiries_;
  Talk talk_{{loop_, workers_, router_, supervisor_, events_}};
  Takeover takeover_{{loop_, workers_, cells_, router_, dispatcher_, supervisor_},
                     [this] { on_takeover_done(); }};
  WorkerMessages messages_{{loop_, workers_, router_, dispatcher_, supervisor_, listeners_, cells_,
                            inquiries_, notices_, talk_, tables_, takeover_}};
  ControlSocket control_;
  Trespass trespass_;
  RefusalReport refusals_;
  std::uint32_t quota_exceeded_ = 0;  // ticks in a row
  TurnAway turn_away_;
  ServiceReport service_{settings_, workers_, supervisor_, events_};
  TimePoint started_ = Clock::now();
  PinSet pins_;
  std::uint64_t ticks_ = 0;
  WakeUp wait_deadlines_{loop_};
  bool flush_timer_armed_ = false;
  bool stopping_ = false;
};

}  // namespace mpb
