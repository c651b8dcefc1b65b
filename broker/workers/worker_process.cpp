#include "broker/workers/worker_process.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <utility>

#include "broker/workers/descriptor_plan.hpp"
#include "common/io/socket_options.hpp"
#include "proto/channel/encode.hpp"

namespace mpb {
namespace {

constexpr std::size_t kMaxQueued = 2048;    // datagrams a worker may leave unread
constexpr Duration kEndGrace{1'000};        // from the end of the channel to that of the process
constexpr Duration kDrainedGrace{5'000};    // the same of one that was told to drain
constexpr std::size_t kMaxOwed = 16;        // answers a worker may owe when it is asked again
constexpr std::uint32_t kNoticeWeight = 8;  // a worker that keeps its rate sends few of them
// What a worker says beside its clients is a flood by what it costs the broker, which a slow
// machine feels sooner: the rate is far below what any reads, the burst far above what an honest
// one sends.
constexpr std::uint32_t kMostMessagesOwed = 50'000;
constexpr std::uint32_t kMessagesForgiven = 5'000;  // by each forgive_messages
constexpr std::uint32_t kMessagesPerClient = 4;     // that come with a Handoff or an Ack

}  // namespace

WorkerProcess::WorkerProcess(EventLoop& loop, Slot slot, UniqueFd socket, WorkerProcessOwner& owner,
                             const OnMessage& on_message)
    : loop_(loop),
      slot_(slot),
      owner_(owner),
      on_message_(on_message),
      channel_(loop, std::move(socket), *this, kMaxQueued) {}

Result<ChannelEnds> WorkerProcess::make_ends() {
  if (!has_descriptors_for(kDescriptorsToStart + kDescriptorsForControl)) {
    const std::uint64_t limit = descriptor_limit();
    return limit_error(fmt::format(
        "no descriptors for another worker: RLIMIT_NOFILE is {}, and {} of them are kept for "
        "clients on their way; raise the hard limit (LimitNOFILE=)",
        limit, descriptor_reserve(limit)));
  }
  auto pair = make_channel_pair();
  if (!pair) return pair.error();
  struct stat theirs {};
  const bool known = ::fstat(pair->second.get(), &theirs) == 0;
  return ChannelEnds{std::move(pair->first), std::move(pair->second), known ? theirs.st_ino : 0};
}

Result<std::unique_ptr<WorkerProcess>> WorkerProcess::begin(EventLoop& loop, Slot slot,
                                                            ChannelEnds ends,
                                                            WorkerProcessOwner& owner,
                                                            const OnMessage& on_message,
                                                            const MakeChild& make_child) {
  std::unique_ptr<WorkerProcess> worker(
      new WorkerProcess(loop, slot, std::move(ends.own), owner, on_message));
  if (const Status opened = worker->channel_.open(); !opened) return opened.error();
  worker->channel_inode_ = ends.inode;
  auto child = make_child(
      [raw = worker.get()](ExitStatus status) { raw->on_child_exit(std::move(status)); });
  if (!child) return child.error();
  worker->child_ = std::move(*child);
  return worker;
}

Result<std::unique_ptr<WorkerProcess>> WorkerProcess::take_over(
    EventLoop& loop, Slot slot, UniqueFd channel, WorkerProcessOwner& owner,
    const OnMessage& on_message, const MakeChild& make_child, std::uint64_t round) {
  ::fcntl(channel.get(), F_SETFD, FD_CLOEXEC);
  auto worker = begin(loop, slot, {std::move(channel), {}, 0}, owner, on_message, make_child);
  if (!worker) return worker;
  (*worker)->hearing_ = Hearing::kNothing;
  (*worker)->round_ = round;
  (*worker)->had_sockets_ = true;
  (*worker)->scratch_.clear();
  channel::encode((*worker)->scratch_, channel::Resync{round});
  (*worker)->send(Order::kKept);
  return worker;
}

WorkerProcess::~WorkerProcess() {
  loop_.cancel(kill_timer_);
  loop_.cancel(finish_timer_);
}

void WorkerProcess::send(Order order, int descriptor) {
  send(scratch_, order, descriptor);
}

void WorkerProcess::send(std::string_view datagram, Order order, int descriptor) {
  if (!channel_.is_open() || ejected_) return;
  const Status sent = channel_.send(datagram, descriptor, order);
  if (sent) return;
  // A peer that is gone is told of by the end of the channel.
  const Error& error = sent.error();
  if (error.kind == ErrorKind::kUnavailable || error.code == EPIPE || error.code == ECONNRESET) {
    return;
  }
  condemn(error.text);
}

void WorkerProcess::introduce(const WorkerSettings& settings, std::uint32_t window,
                              std::span<const std::string> vhosts,
                              std::span<const ToldListener> listeners) {
  configure(settings, window);
  set_vhosts(vhosts);
  for (const ToldListener& listener : listeners) listen(listener);
}

void WorkerProcess::start() {
  scratch_.clear();
  channel::encode(scratch_, channel::Start{});
  send(Order::kKept);
}

void WorkerProcess::say(std::string_view datagram) {
  send(datagram, Order::kFree);
}

void WorkerProcess::configure(const WorkerSettings& settings, std::uint32_t window) {
  const std::vector<std::uint64_t> values = values_of(settings);
  channel::Configure message;
  message.slot = slot_;
  message.window = window;
  message.settings = values;
  scratch_.clear();
  channel::encode(scratch_, message);
  send(Order::kFree);
}

void WorkerProcess::set_vhosts(std::span<const std::string> texts) {
  std::vector<channel::Vhosts> parts;
  for (const std::string& text : texts) parts.push_back({0, text});
  if (!parts.empty()) send_vhosts(parts);
}

void WorkerProcess::clear_vhosts() {
  std::vector<channel::Vhosts> none{{}};
  send_vhosts(none);
}

void WorkerProcess::change_vhosts(const VhostChange& change) {
  constexpr std::uint16_t kNames = channel::Vhosts::kChange | channel::Vhosts::kRemoved;
  std::vector<channel::Vhosts> parts;
  for (const std::string& names : change.removed) parts.push_back({kNames, names});
  for (const std::string& text : change.set) parts.push_back({channel::Vhosts::kChange, text});
  if (!parts.empty()) send_vhosts(parts);
}

void WorkerProcess::send_vhosts(std::vector<channel::Vhosts>& parts) {
  parts.front().flags |= channel::Vhosts::kFirst;
  parts.back().flags |= channel::Vhosts::kLast;
  for (const channel::Vhosts& part : parts) {
    scratch_.clear();
    channel::encode(scratch_, part);
    send(Order::kFree);
  }
}

void WorkerProcess::listen(const ToldListener& listener) {
  listeners_.insert(listener.message.listener);
  had_sockets_ = had_sockets_ || listener.socket >= 0;
  scratch_.clear();
  channel::encode(scratch_, listener.message);
  send(Order::kKept, listener.socket);
}

void WorkerProcess::unlisten(std::uint16_t listener) {
  listeners_.insert(listener);  // one that was taken over has heard of it
  scratch_.clear();
  channel::encode(scratch_, channel::Unlisten{listener});
  send(Order::kKept);
}

void WorkerProcess::drain(Duration deadline) {
  drains_ = true;
  scratch_.clear();
  channel::Drain message{static_cast<std::uint32_t>(deadline.count())};
  channel::encode(scratch_, message);
  // Where it ends with its client, that must be there before.
  send(message.deadline_ms == channel::Drain::kNoDeadline ? Order::kKept : Order::kFree);
}

void WorkerProcess::ping() {
  ping_outstanding_ = true;
  scratch_.clear();
  channel::encode(scratch_, channel::Ping{++nonce_});
  send(Order::kFree);
}

bool WorkerProcess::ask(const channel::Query& query) {
  if (!channel_.is_open() || ejected_ || owed_.size() >= kMaxOwed) return false;
  owed_.push_back(query.nonce);
  scratch_.clear();
  channel::encode(scratch_, query);
  send(Order::kFree);
  return true;
}

void WorkerProcess::disown(std::string_view keys) {
  while (!keys.empty()) {
    scratch_.clear();
    channel::encode(scratch_, channel::Disown{channel::take_key_batch(keys)});
    send(Order::kKept);
  }
}

Status WorkerProcess::deliver(const channel::Deliver& delivery, int descriptor) {
  if (!channel_.is_open() || ejected_) return unavailable_error("it is ending");
  scratch_.clear();
  channel::encode(scratch_, delivery);
  const Status sent = channel_.send(scratch_, descriptor);
  if (!sent && sent.error().kind == ErrorKind::kLimit) condemn(sent.error().text);
  return sent;
}

void WorkerProcess::send_outbox(const Outbox& outbox) {
  channel::in_batches(std::span<const std::uint64_t>(outbox.settled), [this](auto batch) {
    scratch_.clear();
    channel::encode(scratch_, channel::Settled{batch});
    send(Order::kFree);
  });
  // A Keep makes it the owner again: behind a Disown that waits.
  const Order keep_order = channel_.keeps_order() ? Order::kKept : Order::kFree;
  channel::in_batches(std::span<const channel::KeepEntry>(outbox.keeps),
                      [this, keep_order](auto batch) {
                        scratch_.clear();
                        channel::encode(scratch_, channel::Keep{batch});
                        send(keep_order);
                      });
  channel::in_batches(std::span<const channel::NackEntry>(outbox.nacks), [this](auto batch) {
    scratch_.clear();
    channel::encode(scratch_, channel::Nack{batch});
    send(Order::kFree);
  });
}

Offered WorkerProcess::offer(std::string_view datagram, int descriptor) {
  return ejected_ ? Offered::kNever : channel_.offer(datagram, descriptor);
}

void WorkerProcess::eject(const std::string& why) {
  channel_.close();
  condemn(why);
  if (exit_) finish();
}

void WorkerProcess::condemn(const std::string& why) {
  if (std::exchange(ejected_, true)) return;
  if (child_) child_->signal(SIGKILL);
  owner_.on_ejected(slot_, why);
}

void WorkerProcess::on_channel_broken(const Error& why) {
  if (exit_ && why.kind == ErrorKind::kUnavailable) return finish();
  if (why.kind != ErrorKind::kUnavailable) return eject(why.text);
  // The usual sign of a process that ends; one that lives on without its channel is of no use.
  kill_timer_ = loop_.after(drains_ ? kDrainedGrace : kEndGrace, [this] {
    killed_late_ = true;
    eject("it closed its channel");
  });
  owner_.on_unreachable(slot_);
}

void WorkerProcess::on_child_exit(ExitStatus status) {
  exit_ = std::move(status);
  loop_.cancel(kill_timer_);
  if (!channel_.is_open()) return finish();
  owner_.on_unreachable(slot_);
  channel_.finish();
}

void WorkerProcess::finish() {
  if (exit_->unknown && bye_) {
    exit_->unknown = false;
    exit_->code = static_cast<int>(*bye_);
  }
  finish_timer_ = loop_.after(Duration{0}, [this] { owner_.on_exited(slot_, *exit_); });
}

std::string_view WorkerProcess::check_descriptor(const channel::Message& message,
                                                 const Datagram& datagram, StreamKind kind) {
  const auto* post = std::get_if<channel::Post>(&message);
  const bool letter = post != nullptr && (post->flags & channel::kWithDescriptor) != 0;
  if (!letter && !std::holds_alternative<channel::Handoff>(message)) {
    return datagram.fd || datagram.descriptor_lost ? "a descriptor with a message that has none"
                                                   : "";
  }
  if (datagram.descriptor_lost) return {};
  if (!datagram.fd)
    return letter ? "a Post without its descriptor" : "a Handoff without a descriptor";
  if (letter) {
    return is_for_letters(datagram.fd.get())
               ? ""
               : "a Post of something else than a socket, pipe or file in memory";
  }
  // One that listens neither: whoever adopted the shared listener would shut it down in the end.
  return kind == StreamKind::kOther ? "a Handoff of something else than a stream socket" : "";
}

void WorkerProcess::on_datagram(Datagram& datagram) {
  const auto decoded = channel::decode(datagram.bytes);
  if (hearing_ == Hearing::kNothing) {
    // Whatever it is, the broker before was told it. Its descriptor is closed.
    const auto* bye = decoded ? std::get_if<channel::Bye>(&*decoded) : nullptr;
    if (bye != nullptr) bye_ = bye->code;
    const auto* report = decoded ? std::get_if<channel::ResyncReport>(&*decoded) : nullptr;
    if (report == nullptr || report->round != round_) return;
    hearing_ = Hearing::kReport;
  }
  std::string_view wrong = decoded.why();
  const StreamKind kind = datagram.fd ? stream_kind(datagram.fd.get()) : StreamKind::kOther;
  if (decoded) wrong = check_descriptor(*decoded, datagram, kind);
  if (wrong.empty()) wrong = handle(*decoded, datagram, kind);
  if (!wrong.empty()) eject(std::string(wrong));
}

std::string_view WorkerProcess::handle(const channel::Message& message, Datagram& datagram,
                                       StreamKind kind) {
  // Handoffs and Acks come with every client: many of them are no flood.
  const auto* ack = std::get_if<channel::Ack>(&message);
  const bool with_client = (ack != nullptr && !ack->deliveries.empty()) ||
                           std::holds_alternative<channel::Handoff>(message);
  const std::uint32_t weight = std::holds_alternative<Notice>(message) ? kNoticeWeight : 1;
  if (with_client) messages_ -= std::min(messages_, kMessagesPerClient);
  // Letters and operations on tables have windows of their own.
  const bool counts = !with_client && !std::holds_alternative<channel::Post>(message) &&
                      !std::holds_alternative<channel::TableOperation>(message);
  if (counts && !spend(weight)) return "a flood of messages";
  if (const auto* bye = std::get_if<channel::Bye>(&message)) return handle_bye(*bye);
  if (const auto* ready = std::get_if<channel::Ready>(&message)) return handle_ready(*ready);
  const auto* report = std::get_if<channel::ResyncReport>(&message);
  if (report != nullptr && hearing_ == Hearing::kReport) {
    note_report(*report);
  } else if (!ready_) {
    return "a message before Ready";
  }
  if (const auto* pong = std::get_if<channel::Pong>(&message)) return handle_pong(*pong);
  if (const auto* answer = std::get_if<channel::Answer>(&message)) {
    if (const auto wrong = handle_answer(*answer); !wrong.empty()) return wrong;
  }
  return on_message_(slot_, message, {std::move(datagram.fd), kind});
}

bool WorkerProcess::spend(std::uint32_t messages) {
  messages_ += std::min(messages, kMostMessagesOwed + 1 - std::min(messages_, kMostMessagesOwed));
  return messages_ <= kMostMessagesOwed;
}

void WorkerProcess::forgive_messages() {
  messages_ -= std::min(messages_, kMessagesForgiven);
}

std::string_view WorkerProcess::handle_ready(const channel::Ready& message) {
  if (std::exchange(ready_, true)) return "a second Ready";
  if (message.version != channel::kVersion) return "a Ready for a version that was not offered";
  owner_.on_ready(slot_);
  return {};
}

std::string_view WorkerProcess::handle_bye(const channel::Bye& message) {
  if (std::exchange(bye_, message.code)) return "a second Bye";
  return {};
}

/// It is heard before Ready, too.
void WorkerProcess::note_report(const channel::ResyncReport& report) {
  ready_ = (report.flags & channel::ResyncReport::kReady) != 0;
  if ((report.flags & channel::ResyncReport::kLast) != 0) hearing_ = Hearing::kAll;
}

std::string_view WorkerProcess::handle_pong(const channel::Pong& message) {
  if (!ping_outstanding_ || message.nonce != nonce_) return "a Pong that nobody asked for";
  ping_outstanding_ = false;
  counters_.take(message, listeners_, descriptor_limit());
  owner_.on_pong(slot_);
  return {};
}

std::string_view WorkerProcess::handle_answer(const channel::Answer& message) {
  const auto owed = std::find(owed_.begin(), owed_.end(), message.nonce);
  if (owed == owed_.end()) return "an Answer that nobody asked for";
  if ((message.flags & channel::Answer::kLast) != 0) owed_.erase(owed);
  return {};
}

}  // namespace mpb
