#include "broker/worker_messages.hpp"

#include <cerrno>
#include <utility>
#include <variant>

#include "common/base/overloaded.hpp"

namespace mpb {

std::string_view WorkerMessages::take(Slot slot, const channel::Message& message,
                                      ForeignDescriptor descriptor) {
  const std::string_view well;
  return std::visit(
      Overloaded{
          [&](const channel::Handoff& handoff) {
            return on_handoff(slot, handoff, std::move(descriptor));
          },
          [&](const channel::Ack& ack) { return on_ack(slot, ack); },
          [&](const channel::Nack& nack) { return on_nack(slot, nack); },
          [&](const channel::Idle& idle) { return on_idle(slot, idle); },
          [&](const channel::Load& load) {
            on_load(slot, load);
            return well;
          },
          [&](const channel::ResyncReport& report) {
            return parts_.takeover.on_report(slot, report);
          },
          [&](const channel::Answer& answer) {
            parts_.inquiries.on_answer(slot, answer);
            return well;
          },
          [&](const Notice& notice) {
            parts_.notices.tell(slot, notice, parts_.loop.now());
            return well;
          },
          [&](const channel::Post& post) {
            return parts_.talk.on_post(slot, post, std::move(descriptor));
          },
          [&](const channel::Join& join) { return parts_.talk.on_join(slot, join); },
          [&](const channel::Subscribe& subscribe) {
            return parts_.talk.on_subscribe(slot, subscribe);
          },
          [&](const channel::TableOperation& operation) {
            return parts_.tables.on_operation(slot, operation);
          },
          [](const auto&) { return std::string_view("a message that only a broker sends"); },
      },
      message);
}

std::string_view WorkerMessages::on_handoff(Slot slot, const channel::Handoff& handoff,
                                            ForeignDescriptor descriptor) {
  if (!parts_.listeners.was_given(handoff.client.listener)) {
    close_foreign(std::move(descriptor));
    return "a Handoff of a listener that never was";
  }
  if (parts_.takeover.under_way()) {
    close_foreign(std::move(descriptor));
    put_off(slot, handoff.handoff);
    return {};
  }
  const ListenerSet::Listener* listener = parts_.listeners.find(handoff.client.listener);
  // Newer workers do not know a withdrawn listener: its last clients stay where they are.
  static const RoutingRules kWithdrawn{UINT16_MAX, Policy::kLocal, Overflow::kSpill, false};
  const Dispatch dispatch = parts_.dispatcher.on_handoff(
      slot, handoff, listener != nullptr ? listener->rules : kWithdrawn, descriptor.fd.valid(),
      parts_.loop.now());
  if (dispatch.kind != Dispatch::Kind::kDeliver) {
    close_foreign(std::move(descriptor));
    return dispatch.why;
  }
  const bool tcp = descriptor.kind == StreamKind::kTcp;
  const channel::Deliver delivery{dispatch.delivery,
                                  handoff.handoff,
                                  slot,
                                  dispatch.epoch,
                                  tcp ? channel::Deliver::kTcp : std::uint16_t{0},
                                  handoff.client};
  // What its origin has put in a table before is there before the client.
  parts_.tables.flush_to(dispatch.slot);
  WorkerProcess* target = parts_.supervisor.process(dispatch.slot);
  const Status sent = target == nullptr ? unavailable_error("it has ended")
                                        : target->deliver(delivery, descriptor.fd.get());
  if (parts_.cells.role(dispatch.slot) == CellRole::kClient) {
    parts_.supervisor.end_when_empty(dispatch.slot);
  }
  if (sent) {
    close_client(std::move(descriptor));
    return {};
  }
  close_foreign(std::move(descriptor));
  const int code = sent.error().code;
  parts_.dispatcher.undo(dispatch.delivery, code == EMFILE || code == ENFILE);
  return {};
}

/// Who owns what is not known yet.
void WorkerMessages::put_off(Slot slot, std::uint64_t handoff) {
  Resync::Verdicts later;
  later.nacks.push_back({handoff, channel::NackReason::kNoDescriptor});
  parts_.dispatcher.resolve(slot, later, parts_.loop.now());
}

void WorkerMessages::on_load(Slot slot, const channel::Load& load) {
  parts_.workers.report(slot, load.clients, load.held);
  if ((load.flags & channel::Load::kDraining) != 0) parts_.supervisor.note_draining(slot);
}

std::string_view WorkerMessages::on_ack(Slot slot, const channel::Ack& ack) {
  on_load(slot, ack.load);
  if (!ack.deliveries.empty()) parts_.cells.on_taken(slot);
  bool known = true;
  for (const std::uint64_t delivery : ack.deliveries) {
    known = parts_.dispatcher.on_ack(slot, delivery, parts_.loop.now()) && known;
  }
  return known ? "" : "an Ack of a client that is not on its way to it";
}

std::string_view WorkerMessages::on_nack(Slot slot, const channel::Nack& nack) {
  bool known = true;
  bool its_own = true;
  for (const channel::NackEntry entry : nack.entries) {
    its_own = entry.reason <= channel::NackReason::kUnknown && its_own;
    known = parts_.dispatcher.on_nack(slot, entry.id) && known;
    if (entry.reason == channel::NackReason::kDraining) parts_.supervisor.note_draining(slot);
  }
  if (!its_own) return "a Nack with a reason that only a broker gives";
  return known ? "" : "a Nack of a client that is not on its way to it";
}

std::string_view WorkerMessages::on_idle(Slot slot, const channel::Idle& idle) {
  std::string_view rest = idle.keys;
  channel::KeyEntry entry;
  std::uint32_t void_entries = 0;
  while (channel::next_key(rest, entry)) {
    if (!parts_.router.release(slot, entry.space, entry.key, entry.epoch)) ++void_entries;
  }
  WorkerProcess* worker = parts_.supervisor.process(slot);
  return worker == nullptr || worker->spend(void_entries) ? "" : "a flood of messages";
}

}  // namespace mpb
