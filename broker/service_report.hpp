// Whether clients are served: what operators and the service manager are told of it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "broker/dispatch/worker_table.hpp"
#include "broker/operator/event_log.hpp"
#include "broker/operator/service_state.hpp"
#include "broker/workers/supervisor.hpp"
#include "common/config/settings.hpp"

namespace mpb {

class ServiceReport {
 public:
  ServiceReport(const Settings& settings, const WorkerTable& workers, const Supervisor& supervisor,
                EventLog& events)
      : settings_(settings), workers_(workers), supervisor_(supervisor), events_(events) {}

  /// Looks anew, and tells of a change.
  void look();
  [[nodiscard]] ServiceState state() const { return view_.state; }
  [[nodiscard]] bool down() const { return view_.state == ServiceState::kDown; }
  /// See ServiceView.
  [[nodiscard]] bool alive() const { return view_.alive; }
  /// Why the state is not running; empty: it is.
  [[nodiscard]] std::string trouble() const;

  /// Tells the service manager, once, as soon as all base workers are online.
  void announce_ready();
  /// At once: the service goes on from a broker before, and is not new to anybody.
  void announce();
  [[nodiscard]] bool announced() const { return announced_; }

 private:
  void tell();
  /// To the service manager; `first` stands before it.
  void tell_online(std::string_view first = {});

  const Settings& settings_;
  const WorkerTable& workers_;
  const Supervisor& supervisor_;
  EventLog& events_;
  ServiceView view_;
  std::uint64_t seen_ = 0;       // WorkerTable::changes at the last look
  std::size_t told_online_ = 0;  // workers, as the service manager knows
  bool announced_ = false;
};

}  // namespace mpb
