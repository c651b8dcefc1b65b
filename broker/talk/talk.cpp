#include "broker/talk/talk.hpp"

#include <algorithm>
#include <array>
#include <span>
#include <utility>

#include "common/base/utf8.hpp"
#include "proto/channel/encode.hpp"

namespace mpb {
namespace {

namespace json = boost::json;

constexpr std::size_t kMaxAsks = 64;
constexpr std::size_t kMostShown = 1024;             // bytes of a letter to the operator
constexpr RateLimit kToOperator{20, Duration{100}};  // letters of one worker to the operator

/// The events that workers are told, with the members that they are told of.
struct ToldEvent {
  std::string_view name;
  WorkerEvent::Kind kind;
  std::string_view count{};
  std::string_view detail{};
};
constexpr std::array kToldEvents{
    ToldEvent{"setup", WorkerEvent::Kind::kSetup, "workers"},
    ToldEvent{"fork", WorkerEvent::Kind::kFork, "pid"},
    ToldEvent{"online", WorkerEvent::Kind::kOnline, "pid"},
    ToldEvent{"listening", WorkerEvent::Kind::kListening, {}, "address"},
    ToldEvent{"message", WorkerEvent::Kind::kMessage, "letters"},
    ToldEvent{"drain", WorkerEvent::Kind::kDrain},
    ToldEvent{"disconnect", WorkerEvent::Kind::kDisconnect, {}, "why"},
    ToldEvent{"exit", WorkerEvent::Kind::kExit, "pid", "status"},
    ToldEvent{"owner", WorkerEvent::Kind::kOwner, "keys", "why"},
};

std::uint64_t number_of(const json::object& event, std::string_view member) {
  const json::value* value = event.if_contains(member);
  if (value == nullptr || !value->is_number()) return 0;
  return value->to_number<std::uint64_t>();
}

std::string_view text_of(const json::object& event, std::string_view member) {
  const json::value* value = event.if_contains(member);
  if (value == nullptr || !value->is_string()) return {};
  return value->get_string();
}

std::string encoded(const WorkerEvent& event) {
  std::string datagram;
  channel::encode(datagram, channel::Event{static_cast<std::uint8_t>(event.kind), event.worker.slot,
                                           event.worker.generation, event.count,
                                           utf8_prefix(event.detail, channel::kMaxName)});
  return datagram;
}

json::object refusal(Loss why) {
  return {{"ok", false}, {"error", to_string(why)}};
}

}  // namespace

Talk::~Talk() {
  for (const auto& [correlation, ask] : asks_) parts_.loop.cancel(ask.timer);
}

void Talk::on_online(Slot slot) {
  const WorkerId worker{slot, parts_.workers.at(slot).incarnation};
  hub_.open(worker);
  Mailbox& box = hub_.mailbox(slot);
  // As if it had used up all of it.
  if (box.spend(kLetterWindow)) hub_.give_back(slot, kLetterWindow);
  box.posted_lately = 0;
}

void Talk::on_gone(Slot slot) {
  if (!hub_.is_open(slot)) return;
  const WorkerId worker = hub_.worker(slot);
  hub_.close(slot);
  std::vector<std::uint64_t> complete;
  for (auto& [correlation, ask] : asks_) {
    ask.ask.give_up(worker, Loss::kGone);
    if (ask.ask.complete()) complete.push_back(correlation);
  }
  for (const std::uint64_t correlation : complete) finish(correlation);
}

Slot Talk::owner_of(const channel::Address& to) {
  if (to.kind != channel::Address::Kind::kOwner) return kNoSlot;
  const Route* route = parts_.router.find(to.space, to.name);
  return route == nullptr ? kNoSlot : route->owner;
}

std::string_view Talk::on_post(Slot slot, const channel::Post& post, ForeignDescriptor descriptor) {
  const Amount amount{1, static_cast<std::uint32_t>(channel::posted_bytes(post))};
  if (!hub_.is_open(slot) || !hub_.mailbox(slot).spend(amount)) {
    close_foreign(std::move(descriptor));
    return "more letters than it has credit for";
  }
  ++counters_.posted;
  const WorkerId sender = hub_.worker(slot);
  const bool with_descriptor = (post.flags & channel::kWithDescriptor) != 0;
  if (with_descriptor && !descriptor.fd) {
    hub_.give_back(slot, amount);
    hub_.lose(sender, post.id, kOperator, Loss::kNoDescriptor);
    return {};
  }
  if (post.to.kind == channel::Address::Kind::kOperators) {
    hub_.give_back(slot, amount);
    close_foreign(std::move(descriptor));
    take_for_operator(sender, post.content);
    return {};
  }
  const Hub::Receivers& receivers = hub_.receivers(post.to, owner_of(post.to));
  const bool many = post.to.many();
  scratch_.clear();
  channel::encode(scratch_,
                  channel::Letter{many ? hub_.next_number() : 0,
                                  with_descriptor ? channel::kWithDescriptor : std::uint16_t{0},
                                  sender.slot, sender.generation, post.content});
  Outgoing letter{scratch_, std::move(descriptor.fd), sender, post.id, many ? Amount{} : amount};
  if (receivers.slots.empty()) {
    const bool named = receivers.why_none == Loss::kNoWorker;
    hub_.lose(sender, post.id, named ? WorkerId{post.to.slot, post.to.generation} : WorkerId{},
              receivers.why_none);
  }
  for (const Slot to : receivers.slots) bring(to, letter);
  // Of one that waits for its only receiver its sender gets the credit when it has gone.
  if (many || !letter.parcel) hub_.give_back(slot, amount);
  close_foreign({std::move(letter.descriptor), descriptor.kind});
  return {};
}

Loss Talk::bring(Slot to, Outgoing& letter) {
  const int descriptor = letter.parcel ? letter.parcel->descriptor.get() : letter.descriptor.get();
  WorkerProcess* process = parts_.supervisor.process(to);
  Offered offered = Offered::kNever;
  if (process != nullptr) {
    offered =
        hub_.mailbox(to).empty() ? process->offer(letter.datagram, descriptor) : Offered::kLater;
  }
  if (offered == Offered::kSent) {
    ++counters_.delivered;
    if (descriptor >= 0) ++counters_.descriptors;
    return Loss::kNone;
  }
  if (offered == Offered::kNever) {
    hub_.lose(letter.sender, letter.letter, hub_.worker(to), Loss::kGone);
    return Loss::kGone;
  }
  if (!letter.parcel) {
    letter.parcel = std::make_shared<const Parcel>(letter.datagram, std::move(letter.descriptor));
  }
  const bool waits = hub_.push(to, {letter.parcel, letter.sender, letter.letter, letter.retained});
  return waits ? Loss::kNone : Loss::kFull;
}

std::string_view Talk::on_join(Slot slot, const channel::Join& message) {
  return hub_.is_open(slot) ? hub_.join(slot, message) : std::string_view();
}

std::string_view Talk::on_subscribe(Slot slot, const channel::Subscribe& message) {
  if (!hub_.is_open(slot)) return {};
  Mailbox& box = hub_.mailbox(slot);
  box.subscribed = (message.flags & channel::Subscribe::kStop) == 0;
  box.events_lost = false;
  if (!box.subscribed) return {};
  std::uint32_t told = 0;
  for (const Slot other : hub_.all()) {
    const WorkerProcess* process = parts_.supervisor.process(other);
    if (process == nullptr) continue;
    const WorkerId worker = hub_.worker(other);
    tell_subscriber(slot, encoded({WorkerEvent::Kind::kOnline, worker,
                                   static_cast<std::uint64_t>(process->pid())}));
    ++told;
    if (parts_.workers.at(other).state != WorkerState::kDraining) continue;
    tell_subscriber(slot, encoded({WorkerEvent::Kind::kDrain, worker}));
    ++told;
  }
  tell_subscriber(slot, encoded({}));
  return parts_.supervisor.process(slot)->spend(told) ? "" : "a flood of messages";
}

void Talk::tell_subscriber(Slot slot, std::string_view datagram) {
  Mailbox& box = hub_.mailbox(slot);
  Outgoing event{datagram};
  if (!box.events_lost && bring(slot, event) == Loss::kNone) return;
  ++counters_.events_lost;
  box.events_lost = true;
  hub_.touch(slot);
}

void Talk::on_event(const json::object& event) {
  const std::string_view name = text_of(event, "event");
  const auto told = std::ranges::find(kToldEvents, name, &ToldEvent::name);
  if (told == kToldEvents.end()) return;
  std::string datagram;
  for (const Slot slot : hub_.all()) {
    if (!hub_.mailbox(slot).subscribed) continue;
    if (datagram.empty()) {
      WorkerId worker = kOperator;
      if (event.contains("slot")) {
        worker.slot = static_cast<Slot>(number_of(event, "slot"));
        worker.generation = parts_.workers.at(worker.slot).incarnation;
      }
      datagram = encoded(
          {told->kind, worker, number_of(event, told->count), text_of(event, told->detail)});
    }
    tell_subscriber(slot, datagram);
  }
}

Loss Talk::bring_of_operator(const OperatorLetter& letter, channel::Content content,
                             OperatorAsk& ask) {
  content.topic = letter.topic;
  content.payload = letter.text;
  const Hub::Receivers& receivers = hub_.receivers(letter.to, owner_of(letter.to));
  scratch_.clear();
  channel::encode(scratch_, channel::Letter{letter.to.many() ? hub_.next_number() : 0, 0,
                                            kOperator.slot, kOperator.generation, content});
  Outgoing outgoing{scratch_};
  ++counters_.posted;
  for (const Slot to : receivers.slots) {
    ask.expect(hub_.worker(to));
    const Loss loss = bring(to, outgoing);
    if (loss != Loss::kNone) ask.give_up(hub_.worker(to), loss);
  }
  return receivers.slots.empty() ? receivers.why_none : Loss::kNone;
}

json::object Talk::send(const OperatorLetter& letter) {
  OperatorAsk receivers;
  const Loss nobody = bring_of_operator(letter, {}, receivers);
  return nobody == Loss::kNone ? receivers.report_sent() : refusal(nobody);
}

void Talk::ask(const OperatorLetter& letter, Duration limit, Done done) {
  if (asks_.size() == kMaxAsks) {
    return done({{"ok", false}, {"error", "too many requests wait for the workers' answers"}});
  }
  const std::uint64_t correlation = next_correlation_++;
  Ask& ask = asks_[correlation];
  ask.done = std::move(done);
  ask.timer = parts_.loop.after(limit, [this, correlation] { finish(correlation); });
  const Loss nobody =
      bring_of_operator(letter, {channel::Content::Kind::kRequest, correlation, {}, {}}, ask.ask);
  if (nobody != Loss::kNone) {
    parts_.loop.cancel(ask.timer);
    const Done told = std::move(ask.done);
    asks_.erase(correlation);
    return told(refusal(nobody));
  }
  if (ask.ask.complete()) finish(correlation);
}

void Talk::finish(std::uint64_t correlation) {
  const auto found = asks_.find(correlation);
  parts_.loop.cancel(found->second.timer);
  const Ask finished = std::move(found->second);
  asks_.erase(found);
  finished.done(finished.ask.report());
}

void Talk::take_for_operator(WorkerId sender, const channel::Content& content) {
  using Kind = channel::Content::Kind;
  if (content.kind == Kind::kReply || content.kind == Kind::kRefusal) {
    const auto asked = asks_.find(content.correlation);
    if (asked == asks_.end()) return;  // it came too late, or was never asked
    asked->second.ask.answer(sender, content);
    if (asked->second.ask.complete()) finish(asked->first);
    return;
  }
  if (operator_rates_.size() <= sender.slot) operator_rates_.resize(sender.slot + std::size_t{1});
  RateBucket& rate = operator_rates_[sender.slot];
  const TimePoint now = parts_.loop.now();
  if (!rate.ready(now, kToOperator)) return rate.hold_back();
  const std::string text = as_utf8(content.payload);
  std::vector<EventField> fields{{"slot", sender.slot},
                                 {"topic", as_utf8(content.topic)},
                                 {"text", utf8_prefix(text, kMostShown)}};
  const std::uint32_t dropped = rate.take(now, kToOperator);
  if (dropped > 0) fields.emplace_back("dropped", dropped);
  parts_.events.emit(LogLevel::kInfo, "letter", fields);
}

void Talk::pump(Slot slot) {
  Mailbox& box = hub_.mailbox(slot);
  WorkerProcess* process = parts_.supervisor.process(slot);
  while (process != nullptr && !box.empty()) {
    const Parcel& parcel = *box.front().parcel;
    // One that is gone is told of soon: what waits is lost then.
    if (process->offer(parcel.datagram, parcel.descriptor.get()) != Offered::kSent) return;
    ++counters_.delivered;
    if (parcel.descriptor) ++counters_.descriptors;
    hub_.sent(slot);
  }
  if (!std::exchange(box.events_lost, false) || !box.subscribed) return;
  tell_subscriber(slot, encoded({WorkerEvent::Kind::kLost}));
}

bool Talk::report_to(Slot slot) {
  Mailbox& box = hub_.mailbox(slot);
  WorkerProcess* process = parts_.supervisor.process(slot);
  if (process == nullptr) return true;
  while (!box.losses().empty()) {
    const std::size_t count = std::min(box.losses().size(), channel::kMaxListEntries);
    scratch_.clear();
    channel::encode(scratch_, channel::Undeliverable{std::span(box.losses()).first(count)});
    if (process->offer(scratch_) != Offered::kSent) return false;
    box.losses_told(count);
  }
  if (!box.has_credit_to_tell()) return true;
  const Amount credit = box.credit();
  scratch_.clear();
  channel::encode(scratch_, channel::Credit{credit.letters, credit.bytes, box.generation()});
  if (process->offer(scratch_) != Offered::kSent) return false;
  box.credit_told();
  return true;
}

void Talk::end_turn() {
  if (!hub_.has_due()) return;
  for (const Slot slot : hub_.take_due()) {
    if (!hub_.is_open(slot)) continue;
    pump(slot);
    if (!report_to(slot) || !hub_.mailbox(slot).empty()) hub_.touch(slot);
  }
}

bool Talk::has_subscriber() const {
  return std::ranges::any_of(hub_.all(),
                             [this](Slot slot) { return hub_.mailbox(slot).subscribed; });
}

/// What came since the last time, of each worker, once a second.
void Talk::tick() {
  if (++ticks_ % 2 != 0) return;
  hub_.release_stopped();
  for (const Slot slot : hub_.all()) {
    const std::uint64_t letters = std::exchange(hub_.mailbox(slot).posted_lately, 0);
    if (letters == 0) continue;
    parts_.events.emit(LogLevel::kDebug, "message", {{"slot", slot}, {"letters", letters}});
  }
}

TalkCounters Talk::counters() const {
  TalkCounters counters = counters_;
  counters.undeliverable = hub_.lost();
  counters.queued = hub_.waiting().letters;
  counters.queued_bytes = hub_.waiting().bytes;
  return counters;
}

}  // namespace mpb
