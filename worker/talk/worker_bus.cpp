#include "worker/talk/worker_bus.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <stdexcept>
#include <utility>

#include "common/base/keyed_map.hpp"
#include "common/base/utf8.hpp"
#include "common/io/foreign_descriptor.hpp"
#include "common/log/log.hpp"
#include "proto/channel/encode.hpp"

namespace mpb {
namespace {

constexpr std::size_t kMostRefusals = 1024;  // that wait for room

void check_length(std::string_view what, std::size_t size, std::size_t most) {
  if (size > most) throw std::length_error(std::string(what) + " too long");
}

}  // namespace

WorkerBus::~WorkerBus() {
  for (const auto& [letter, pending] : pending_) loop_.cancel(pending.timer);
  for (const Waits* waits : {&for_roster_, &for_room_}) {
    for (const auto& [id, wait] : *waits) loop_.cancel(wait.timer);
  }
}

std::uint64_t WorkerBus::random_number() {
  static std::uint64_t drawn = 0;
  return KeyedHash{}(++drawn) >> 1U;  // far from where it would begin again
}

void WorkerBus::go_by(PostOffice& office, std::uint16_t slot) {
  office_ = &office;
  self_.slot = slot;
}

void WorkerBus::be_alone() {
  alone_ = true;
  self_ = {0, 1};
  give_credit(channel::kWindowLetters, channel::kWindowBytes);
}

// --- what the broker says
// --------------------------------------------------------------------------

void WorkerBus::on_letter(const channel::Letter& message, UniqueFd descriptor) {
  const channel::Content& content = message.content;
  const WorkerId from{message.slot, message.generation};
  if (content.kind == Kind::kReply || content.kind == Kind::kRefusal) {
    close_foreign(std::move(descriptor));
    const Loss loss = content.kind == Kind::kReply ? Loss::kNone : Loss::kRefused;
    return answer(content.correlation, {loss, from, std::string(content.payload)});
  }
  Letter letter{from, message.number, content.topic, content.payload};
  if (content.kind == Kind::kRequest) letter.asked = Asked{from, content.correlation};
  const auto taker = takers_.find(content.topic);
  if (taker == takers_.end()) {
    close_foreign(std::move(descriptor));
    if (letter.asked) refuse({from, content.correlation});
    return;
  }
  letter.descriptor = descriptor.release();
  const auto take = taker->second;  // it may be replaced from within
  take(letter);
  close_foreign(UniqueFd(letter.descriptor));
}

void WorkerBus::on_undeliverable(const channel::Undeliverable& message) {
  for (const channel::LossEntry entry : message.entries) {
    lose({entry.letter, {entry.slot, entry.generation}, entry.why});
  }
}

void WorkerBus::on_credit(const channel::Credit& message) {
  self_.generation = message.generation;
  if (!std::exchange(online_, true)) {
    for (const std::string& group : groups_) send_join(group, 0);
    if (subscribed_) subscribe();
  }
  give_credit(message.letters, message.bytes);
}

void WorkerBus::on_told(const channel::Event& message) {
  tell({static_cast<WorkerEvent::Kind>(message.kind),
        {message.slot, message.generation},
        message.count,
        message.detail});
}

void WorkerBus::give_up_requests() {
  std::vector<std::uint64_t> asked;  // whoever is told may ask again
  for (const auto& [letter, pending] : pending_) asked.push_back(letter);
  for (const std::uint64_t letter : asked) answer(letter, {Loss::kNoBroker});
}

void WorkerBus::on_resync() {
  if (!std::exchange(online_, false)) return;
  credit_ = {};
  roster_.forget();
  give_up_requests();
}

void WorkerBus::on_broker_gone() {
  office_ = nullptr;
  orphaned_ = true;
  credit_ = {};
  refusals_.clear();
  give_up_requests();
  end_waits(for_room_, Loss::kNoBroker);
  end_waits(for_roster_, Loss::kNoBroker);
}

// --- letters
// ---------------------------------------------------------------------------------------

void WorkerBus::on(std::string topic, std::function<void(Letter&)> take) {
  check_length("topic", topic.size(), kMaxTopic);
  takers_[std::move(topic)] = std::move(take);
}

Sent WorkerBus::send(const To& to, std::string_view topic, std::string_view payload,
                     int descriptor) {
  return post(to, {Kind::kNews, 0, topic, payload}, descriptor);
}

Sent WorkerBus::reply(const Asked& asked, std::string_view payload, int descriptor) {
  const To to = asked.by == kOperator ? To::operators() : To::worker(asked.by);
  return post(to, {Kind::kReply, asked.correlation, {}, payload}, descriptor);
}

Sent WorkerBus::request(const To& to, std::string_view topic, std::string_view payload,
                        Time timeout, std::function<void(const Reply&)> done) {
  const auto take = [done = std::move(done)](const Reply& reply) {
    done(reply);
    return true;
  };
  return ask(to, topic, payload, timeout, take);
}

Sent WorkerBus::ask(const To& to, std::string_view topic, std::string_view payload, Time timeout,
                    std::function<bool(const Reply&)> take) {
  check(to, topic, payload);
  const Sent sent = orphaned_ ? Sent{true, next_letter_++}
                              : post(to, {Kind::kRequest, next_letter_, topic, payload}, -1);
  if (!sent) return sent;
  Pending pending{std::move(take), to.kind, to.id};
  const Loss why = orphaned_ ? Loss::kNoBroker : Loss::kTimeout;
  pending.timer = loop_.after(orphaned_ ? Time{0} : timeout,
                              [this, letter = sent.letter, why] { answer(letter, {why}); });
  pending_.emplace(sent.letter, std::move(pending));
  return sent;
}

Sent WorkerBus::post(const To& to, const channel::Content& content, int descriptor) {
  check(to, content.topic, content.payload);
  channel::Post post;
  post.id = next_letter_;
  post.flags = descriptor >= 0 ? channel::kWithDescriptor : std::uint16_t{0};
  post.to = {to.kind, to.id.slot, to.id.generation, 0, to.name};
  if (to.kind == To::Kind::kOwner && office_ != nullptr) {
    const auto space = office_->space_of(to.listener);
    if (!space) throw std::invalid_argument("no listener '" + to.listener + "'");
    post.to.space = *space;
  }
  post.content = content;
  std::string datagram;
  channel::encode(datagram, post);
  const auto size = static_cast<std::uint32_t>(datagram.size());
  const bool to_one = to.kind == To::Kind::kSlot || to.kind == To::Kind::kWorker;
  const std::uint16_t slot = to_one ? to.id.slot : channel::kOperatorSlot;
  if (!credit_.covers(slot, size)) {
    wants_room_ = true;
    return {};
  }
  if (alone_) {
    UniqueFd copy(descriptor >= 0 ? ::fcntl(descriptor, F_DUPFD_CLOEXEC, 3) : -1);
    post_to_self(post, datagram.size(), std::move(copy));
  } else if (office_ == nullptr || !office_->post(datagram, descriptor)) {
    return {};
  }
  credit_.use(slot, size);
  return {true, next_letter_++};
}

void WorkerBus::check(const To& to, std::string_view topic, std::string_view payload) {
  check_length("topic", topic.size(), kMaxTopic);
  check_length("payload", payload.size(), kMaxPayload);
  check_length("name", to.name.size(), channel::kMaxKey);
}

bool WorkerBus::post(const Refusal& refusal) {
  const To to = refusal.to == kOperator ? To::operators() : To::worker(refusal.to);
  return bool(post(to, {Kind::kRefusal, refusal.correlation, {}, {}}, -1));
}

void WorkerBus::refuse(const Refusal& refusal) {
  if (orphaned_ || post(refusal)) return;
  if (refusals_.size() < kMostRefusals) return refusals_.push_back(refusal);
  log_warning("letter.dropped")("slot", refusal.to.slot)("why",
                                                         "no room for the refusal of a request");
}

/// One that waits for its receiver holds up no other.
void WorkerBus::post_refusals() {
  std::erase_if(refusals_, [this](const Refusal& refusal) { return post(refusal); });
}

void WorkerBus::post_to_self(const channel::Post& post, std::size_t size, UniqueFd descriptor) {
  const bool mine = post.to.kind == To::Kind::kWorker
                        ? WorkerId{post.to.slot, post.to.generation} == self_
                        : post.to.kind != To::Kind::kSlot || post.to.slot == self_.slot;
  const bool joined = post.to.kind != To::Kind::kGroup || groups_.contains(post.to.name);
  const bool for_operator = post.to.kind == To::Kind::kOperators;
  const Loss loss = !mine ? Loss::kNoWorker : joined ? Loss::kNone : Loss::kNobody;
  std::string datagram;
  channel::encode(datagram, channel::Letter{post.to.many() ? next_number_++ : 0, post.flags,
                                            self_.slot, self_.generation, post.content});
  const auto fd = std::make_shared<UniqueFd>(std::move(descriptor));
  loop_.after(Duration{0}, [this, alive = std::weak_ptr<int>(alive_), size, fd, loss, for_operator,
                            letter = post.id, datagram = std::move(datagram)] {
    if (alive.expired()) return;
    const auto message = channel::decode(datagram);
    const auto& told = std::get<channel::Letter>(*message);
    if (loss != Loss::kNone) {
      lose({letter, {}, loss});
    } else if (for_operator) {
      log_info("letter")("topic", as_utf8(told.content.topic))("text",
                                                               as_utf8(told.content.payload));
    } else {
      on_letter(told, std::move(*fd));
    }
    give_credit(1, static_cast<std::uint32_t>(size));
  });
}

void WorkerBus::answer(std::uint64_t correlation, const Reply& reply) {
  const auto found = pending_.find(correlation);
  if (found == pending_.end()) return;
  Pending& pending = found->second;
  const bool from_another =
      pending.kind == To::Kind::kWorker
          ? reply.from != pending.id
          : pending.kind == To::Kind::kSlot && reply.from.slot != pending.id.slot;
  if (from_another && (reply.loss == Loss::kNone || reply.loss == Loss::kRefused)) return;
  auto last = pending_.extract(found);
  if (last.mapped().take(reply) || reply.loss == Loss::kTimeout || reply.loss == Loss::kNoBroker) {
    return loop_.cancel(last.mapped().timer);
  }
  pending_.insert(std::move(last));
}

void WorkerBus::lose(const LostLetter& lost) {
  answer(lost.letter, {lost.why, lost.to});
  if (on_loss_) on_loss_(lost);
}

void WorkerBus::give_credit(std::uint32_t letters, std::uint32_t bytes) {
  credit_.add(letters, bytes);
  post_refusals();
  end_waits(for_room_, Loss::kNone);
  if (std::exchange(wants_room_, false) && on_room_) on_room_();
}

void WorkerBus::wait(Waits& waits, Time timeout, std::function<void(Loss)> action) {
  const std::uint64_t id = next_wait_++;
  const Loss why = orphaned_ ? Loss::kNoBroker : Loss::kTimeout;
  const Time time = orphaned_ ? Time{0} : std::max(timeout, Time{0});
  const auto timer = loop_.after(time, [&waits, id, why] {
    const auto ended = waits.extract(id);
    if (!ended.empty()) ended.mapped().action(why);
  });
  waits.emplace(id, Wait{std::move(action), timer});
}

void WorkerBus::end_waits(Waits& waits, Loss why) {
  const Waits ended = std::exchange(waits, {});
  for (const auto& [id, wait] : ended) loop_.cancel(wait.timer);
  for (const auto& [id, wait] : ended) wait.action(why);
}

// --- groups and events
// -----------------------------------------------------------------------------

void WorkerBus::join(const std::string& group) {
  if (group.empty()) throw std::length_error("name of a group empty");
  check_length("name of a group", group.size(), kMaxTopic);
  if (groups_.contains(group)) return;
  if (groups_.size() == kMaxGroups) throw std::length_error("too many groups");
  groups_.insert(group);
  if (online_) send_join(group, 0);
}

void WorkerBus::leave(const std::string& group) {
  if (groups_.erase(group) != 0 && online_) send_join(group, channel::Join::kLeave);
}

void WorkerBus::send_join(const std::string& group, std::uint16_t flags) {
  std::string datagram;
  channel::encode(datagram, channel::Join{flags, group});
  if (office_ != nullptr) office_->post(datagram, -1);
}

void WorkerBus::on_event(std::function<void(const WorkerEvent&)> told) {
  on_event_ = std::move(told);
  subscribe();
}

void WorkerBus::subscribe() {
  subscribed_ = true;
  if (orphaned_) return;
  roster_.forget();
  if (alone_) {
    loop_.after(Duration{0}, [this, alive = std::weak_ptr<int>(alive_)] {
      if (alive.expired()) return;
      tell({WorkerEvent::Kind::kOnline, self_, static_cast<std::uint64_t>(::getpid())});
      tell({});
    });
  } else if (online_ && office_ != nullptr) {
    std::string datagram;
    channel::encode(datagram, channel::Subscribe{});
    office_->post(datagram, -1);
  }
}

void WorkerBus::tell(const WorkerEvent& event) {
  roster_.take(event);
  if (event.kind == WorkerEvent::Kind::kLost) subscribe();
  if (roster_.current()) end_waits(for_roster_, Loss::kNone);
  if (on_event_) on_event_(event);
  note_gone(event);
}

void WorkerBus::with_roster(Time timeout, std::function<void(Loss)> action) {
  if (roster_.current() && !orphaned_) return action(Loss::kNone);
  wait(for_roster_, timeout, std::move(action));
  if (!subscribed_) subscribe();
}

}  // namespace mpb
