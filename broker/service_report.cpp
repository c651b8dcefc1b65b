#include "broker/service_report.hpp"

#include <fmt/format.h>

#include <utility>

#include "common/process/service_manager.hpp"

namespace mpb {

void ServiceReport::look() {
  if (workers_.changes() == seen_) return;
  seen_ = workers_.changes();
  const ServiceView before =
      std::exchange(view_, view_service(workers_, settings_.workers, settings_.acceptor_count()));
  if (view_.state != before.state) return tell();
  const bool changed = told_online_ != workers_.count_shared(WorkerState::kOnline);
  if (announced_ && changed && view_.state == ServiceState::kRunning) tell_online();
}

void ServiceReport::tell() {
  const std::string why = trouble();
  events_.emit(why.empty() ? LogLevel::kInfo : LogLevel::kError, "state",
               {{"state", to_string(view_.state)}, {"why", why}});
  if (why.empty()) return tell_online();
  notify_service_manager(fmt::format("STATUS=The service is {}: {}", to_string(view_.state), why));
}

std::string ServiceReport::trouble() const {
  if (view_.culprit == kNoSlot) {
    return view_.state == ServiceState::kRunning ? "" : "no worker that accepts is online";
  }
  const std::string& exit = supervisor_.last_exit(view_.culprit);
  return fmt::format("worker {} is {}: {}", view_.culprit,
                     to_string(workers_.at(view_.culprit).state),
                     exit.empty() ? "it has not become ready" : exit);
}

void ServiceReport::announce_ready() {
  if (announced_) return;
  for (Slot slot = 0; slot < settings_.workers; ++slot) {
    if (!workers_.online(slot)) return;
  }
  announce();
}

void ServiceReport::announce() {
  if (announced_) return;
  announced_ = true;
  tell_online("READY=1\n");
}

void ServiceReport::tell_online(std::string_view first) {
  told_online_ = workers_.count_shared(WorkerState::kOnline);
  notify_service_manager(fmt::format("{}STATUS={} workers online", first, told_online_));
}

}  // namespace mpb
