#include "worker/link/broker_link.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <new>
#include <span>
#include <utility>

#include "common/base/overloaded.hpp"
#include "common/log/log.hpp"
#include "proto/channel/encode.hpp"
#include "worker/clients/crowding.hpp"
#include "worker/clients/memory_reserve.hpp"
#include "worker/clients/waiting_clients.hpp"
#include "worker/served_listener.hpp"
#include "worker/worker_context.hpp"
#include "worker/worker_environment.hpp"

namespace mpb {
namespace {

constexpr std::size_t kMaxQueued = 8192;  // datagrams waiting for the broker
constexpr std::size_t kFewestKept = 256;  // adoptions, of each origin

std::uint64_t first_handoff_id() {
  return static_cast<std::uint64_t>(::getpid()) << 32;
}

}  // namespace

BrokerLink::BrokerLink(WorkerContext& worker, UniqueFd socket, BrokerCommands& commands)
    : worker_(worker),
      commands_(commands),
      channel_(worker.loop, std::move(socket), *this, kMaxQueued),
      load_(worker, channel_),
      handoffs_(worker, channel_, load_, first_handoff_id()),
      answers_(worker.loop, channel_) {}

void BrokerLink::send(std::string_view datagram) {
  if (!channel_.is_open()) return;
  // Nothing comes to the broker before a ResyncReport that waits: it would not hear it.
  const Order order = channel_.keeps_order() ? Order::kKept : Order::kFree;
  const Status sent = channel_.send(datagram, -1, order);
  if (!sent && channel_.is_open()) {
    channel_.close();
    on_channel_broken(sent.error());
  }
}

void BrokerLink::send_bye(std::uint32_t code, std::string_view why) {
  scratch_.clear();
  channel::encode(scratch_, channel::Bye{code, why.substr(0, channel::kMaxName)});
  send(scratch_);
}

void BrokerLink::send_ready() {
  ready_ = true;
  scratch_.clear();
  channel::encode(scratch_, channel::Ready{static_cast<std::uint32_t>(::getpid())});
  send(scratch_);
}

void BrokerLink::on_channel_broken(const Error& why) {
  commands_.on_broker_gone(why);
}

void BrokerLink::on_datagram(Datagram& datagram) {
  const auto message = channel::decode(datagram.bytes);
  if (message) return on_message(*message, datagram);
  log_error("channel.broken")("why", message.why());
  channel_.close();
  commands_.on_broker_gone(protocol_error(std::string(message.why())));
}

void BrokerLink::on_message(const channel::Message& message, Datagram& datagram) {
  std::visit(
      Overloaded{
          [&](const channel::Deliver& deliver) { handle(deliver, datagram); },
          [&](const channel::Settled& settled) { handoffs_.on_settled(settled); },
          [&](const channel::Keep& keep) { handle(keep); },
          [&](const channel::Nack& nack) { handoffs_.on_nack(nack); },
          [&](const channel::Own& own) { handle(own); },
          [&](const channel::Disown& disown) { handle(disown); },
          [&](const channel::Ping& ping) { send_pong(ping.nonce); },
          [&](const channel::Configure& configure) { commands_.on_configure(configure); },
          [&](const channel::Listen& listen) {
            commands_.on_listen(listen, std::move(datagram.fd));
          },
          [&](const channel::Unlisten& unlisten) { commands_.on_unlisten(unlisten.listener); },
          [&](const channel::Vhosts& vhosts) { commands_.on_vhosts(vhosts); },
          [&](const channel::Start&) { commands_.on_start(); },
          [&](const channel::Drain& drain) { commands_.on_drain(Duration{drain.deadline_ms}); },
          [&](const channel::Query& query) {
            answers_.add(query.nonce, commands_.answer(query.question, query.argument));
          },
          [&](const channel::Resync& resync) { this->resync(resync.round); },
          [&](const channel::Letter& letter) {
            worker_.environment.letters.on_letter(letter, std::move(datagram.fd));
          },
          [&](const channel::Undeliverable& lost) {
            worker_.environment.letters.on_undeliverable(lost);
          },
          [&](const channel::Credit& credit) { worker_.environment.letters.on_credit(credit); },
          [&](const channel::Event& event) { worker_.environment.letters.on_told(event); },
          [&](const channel::Tables& part) {
            take_tables([&](WorkerTables& tables) { tables.on_tables(part); });
          },
          [&](const channel::TableChanges& changes) {
            take_tables([&](WorkerTables& tables) { tables.on_changes(changes); });
          },
          [&](const channel::TableResults& results) {
            worker_.environment.tables.on_results(results);
          },
          [&](const auto&) {  // what workers say
            log_warning("channel.unexpected")("type", static_cast<int>(datagram.bytes[1]));
          },
      },
      message);
}

/// A worker that lacks a change knows less than the others: without memory it is of no more use.
template <class F>
void BrokerLink::take_tables(F&& take) {
  try {
    take(worker_.environment.tables);
  } catch (const std::bad_alloc&) {
    channel_.close();
    commands_.on_broker_gone(limit_error("no memory for the shared tables"));
  }
}

void BrokerLink::handle(const channel::Deliver& message, Datagram& datagram) {
  ServedListener* listener = commands_.find_listener(message.client.listener);
  if (listener == nullptr) return refuse(message, channel::NackReason::kUnknown);
  if (worker_.draining) return refuse(message, channel::NackReason::kDraining);
  // The broker may have decided by an older load.
  if (!worker_.clients.has_room(worker_.settings.max_clients)) {
    return refuse(message, channel::NackReason::kFull);
  }
  if (!fit_in(datagram.fd)) return refuse(message, channel::NackReason::kNoDescriptor);
  if (worker_.clients.held() >= worker_.clients.descriptor_cap()) {
    return refuse(message, channel::NackReason::kFull);
  }
  // Without memory for it, it stays with its origin.
  if (!adopt(message, *listener, std::move(datagram.fd))) {
    return refuse(message, channel::NackReason::kFull);
  }
  commands_.on_client(message.client.key);
  acks_.push_back(message.delivery);
  remember_adoption(message);
}

bool BrokerLink::adopt(const channel::Deliver& message, ServedListener& listener, UniqueFd fd) {
  try {
    const MemoryReserve::ClientWork at_work;
    worker_.clients.promise_session();
    to_start_.push_back(HeldClient::adopt(worker_, listener, std::move(fd), message));
    ++listener.counters.adopted;
    return true;
  } catch (const std::bad_alloc&) {
    return false;
  }
}

bool BrokerLink::fit_in(UniqueFd& client) {
  if (!client) {  // lost on its way, since there was no number for it
    make_room(worker_);
    return false;
  }
  if (worker_.clients.held() >= worker_.clients.descriptor_cap()) make_room(worker_);
  client = fit(worker_, std::move(client));
  return worker_.clients.may_hold(client.get());
}

void BrokerLink::refuse(const channel::Deliver& message, channel::NackReason reason) {
  nacks_.push_back({message.delivery, reason});
  ServedListener* listener = commands_.find_listener(message.client.listener);
  if (listener != nullptr) ++listener->counters.nacked;
}

void BrokerLink::handle(const channel::Keep& message) {
  for (const channel::KeepEntry entry : message.entries) {
    auto kept = handoffs_.keep(entry);
    if (const auto* why = std::get_if<channel::NackReason>(&kept)) {
      nacks_.push_back({entry.delivery, *why});
    } else {
      acks_.push_back(entry.delivery);
      to_start_.push_back(std::get<HeldClient>(std::move(kept)));
    }
  }
}

void BrokerLink::handle(const channel::Own& message) {
  if (worker_.draining) return;  // it owns nothing any more
  std::string_view rest = message.keys;
  channel::KeyEntry entry;
  while (channel::next_key(rest, entry)) {
    worker_.keys.own(entry.space, entry.key, entry.epoch, worker_.loop.now());
  }
}

void BrokerLink::handle(const channel::Disown& message) {
  std::string_view rest = message.keys;
  channel::KeyEntry entry;
  while (channel::next_key(rest, entry)) {
    worker_.keys.disown(entry.space, entry.key, entry.epoch);
  }
}

void BrokerLink::release(const KeyState& key) {
  channel::append_key(idle_keys_, {key.epoch, key.space, key.key});
}

void BrokerLink::remember_adoption(const channel::Deliver& message) {
  adoptions_kept_ = std::max({adoptions_kept_, kFewestKept, std::size_t{worker_.window}});
  std::deque<Adoption>& of_origin = adoptions_[message.origin];
  if (of_origin.size() >= adoptions_kept_) of_origin.pop_front();
  of_origin.push_back({message.handoff, message.delivery});
}

void BrokerLink::send_pong(std::uint64_t nonce) {
  std::string blocks;
  commands_.read_counters(blocks);
  const ReasonCounts& refused = worker_.environment.notices.refused();
  channel::append_block(blocks, {channel::BlockKind::kRefusals, 0, refused});
  scratch_.clear();
  channel::encode(scratch_, channel::Pong{nonce, blocks});
  send(scratch_);
}

bool BrokerLink::tell(const Notice& notice) {
  // What the broker must hear waits behind no notice.
  if (!channel_.is_open() || channel_.backed_up()) return false;
  std::string datagram;
  channel::encode(datagram, notice);
  send(datagram);
  return true;
}

bool BrokerLink::post(std::string_view datagram, int descriptor) {
  return channel_.is_open() && channel_.send(datagram, descriptor).has_value();
}

/// What was to be told in this turn is told in the report.
void BrokerLink::resync(std::uint64_t round) {
  resynced_ = true;
  acks_.clear();
  nacks_.clear();
  idle_keys_.clear();
  answers_.forget();
  commands_.on_resync();
  send_resync_report(round);
}

void BrokerLink::send_resync_report(std::uint64_t round) {
  const channel::Load load = load_.tell_with_ack();
  std::uint16_t common = ready_ ? channel::ResyncReport::kReady : std::uint16_t{0};
  if (worker_.draining) common |= channel::ResyncReport::kDraining;
  // Behind the Handoffs that wait, which are told of here.
  const auto say = [&](channel::ResyncReport part) {
    part.round = round;
    scratch_.clear();
    channel::encode(scratch_, part);
    if (channel_.is_open()) (void)channel_.send(scratch_, -1, Order::kKept);
  };
  const std::vector<std::uint64_t> unsettled = handoffs_.unsettled();
  channel::in_batches(std::span<const std::uint64_t>(unsettled), [&](auto batch) {
    say({common, load, batch, {}, {}, {}, 0});
  });
  std::vector<channel::AdoptionEntry> adopted;
  std::vector<std::uint64_t> deliveries;
  const auto say_adopted = [&] {
    say({common, load, {}, adopted, {}, deliveries, 0});
    adopted.clear();
    deliveries.clear();
  };
  for (const auto& [origin, adoptions] : adoptions_) {
    for (const Adoption& one : adoptions) {
      adopted.push_back({one.handoff, origin, {}});
      deliveries.push_back(one.delivery);
      if (adopted.size() == channel::kMaxListEntries) say_adopted();
    }
  }
  if (!adopted.empty()) say_adopted();
  std::string owned;
  const auto send_owned = [&](std::uint16_t flags) {
    say({static_cast<std::uint16_t>(common | flags), load, {}, {}, owned, {}, 0});
    owned.clear();
  };
  worker_.keys.for_each_owned([&](const KeyState& key) {
    channel::append_key(owned, {key.epoch, key.space, key.key});
    if (owned.size() >= channel::kBatch) send_owned(0);
  });
  send_owned(channel::ResyncReport::kLast);
}

void BrokerLink::flush_acks() {
  channel::in_batches(std::span<const std::uint64_t>(acks_), [this](auto batch) {
    scratch_.clear();
    channel::encode(scratch_, channel::Ack{load_.tell_with_ack(), batch});
    send(scratch_);
  });
  acks_.clear();
  channel::in_batches(std::span<const channel::NackEntry>(nacks_), [this](auto batch) {
    scratch_.clear();
    channel::encode(scratch_, channel::Nack{batch});
    send(scratch_);
  });
  const auto is_full = [](const channel::NackEntry& entry) {
    return entry.reason == channel::NackReason::kFull;
  };
  if (std::any_of(nacks_.begin(), nacks_.end(), is_full)) load_.note_refusal();
  nacks_.clear();
}

void BrokerLink::flush() {
  flush_acks();
  worker_.clients.release_promised();
  for (HeldClient& client : to_start_) {
    client.elsewhere = false;
    try {
      worker_.waiting->start(std::move(client));
    } catch (const std::bad_alloc&) {
      // It is closed; those behind it have their turn.
    }
  }
  to_start_.clear();
  handoffs_.pump();
  std::string_view rest = idle_keys_;
  while (!rest.empty()) {
    scratch_.clear();
    channel::encode(scratch_, channel::Idle{channel::take_key_batch(rest)});
    send(scratch_);
  }
  idle_keys_.clear();
  load_.tell_when_due();
  answers_.pump();
}

}  // namespace mpb
