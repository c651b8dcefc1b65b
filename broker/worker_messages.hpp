// What workers say of clients: each message goes to whom it concerns, and clients go on to where
// the dispatcher says.
#pragma once

#include <string_view>

#include "broker/dispatch/cell_set.hpp"
#include "broker/dispatch/dispatcher.hpp"
#include "broker/dispatch/router.hpp"
#include "broker/dispatch/worker_table.hpp"
#include "broker/listener_set.hpp"
#include "broker/operator/client_notices.hpp"
#include "broker/operator/inquiries.hpp"
#include "broker/succession/takeover.hpp"
#include "broker/tables/table_service.hpp"
#include "broker/talk/talk.hpp"
#include "broker/workers/supervisor.hpp"
#include "common/io/event_loop.hpp"

namespace mpb {

class WorkerMessages {
 public:
  struct Parts {
    EventLoop& loop;
    WorkerTable& workers;
    Router& router;
    Dispatcher& dispatcher;
    Supervisor& supervisor;
    ListenerSet& listeners;
    CellSet& cells;
    Inquiries& inquiries;
    ClientNotices& notices;
    Talk& talk;
    TableService& tables;
    Takeover& takeover;
  };
  explicit WorkerMessages(const Parts& parts) : parts_(parts) {}

  /// See WorkerProcess::OnMessage.
  std::string_view take(Slot slot, const channel::Message& message, ForeignDescriptor descriptor);

 private:
  std::string_view on_handoff(Slot slot, const channel::Handoff& handoff,
                              ForeignDescriptor descriptor);
  /// It is to come again in a moment.
  void put_off(Slot slot, std::uint64_t handoff);
  void on_load(Slot slot, const channel::Load& load);
  std::string_view on_ack(Slot slot, const channel::Ack& ack);
  std::string_view on_nack(Slot slot, const channel::Nack& nack);
  std::string_view on_idle(Slot slot, const channel::Idle& idle);

  Parts parts_;
};

}  // namespace mpb
