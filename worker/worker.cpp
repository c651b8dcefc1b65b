#include "worker/worker.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <malloc.h>

#include <algorithm>
#include <cerrno>
#include <new>
#include <utility>

#include "common/base/plain_text.hpp"
#include "common/config/network.hpp"
#include "common/io/foreign_descriptor.hpp"
#include "common/listen/listen_flags.hpp"
#include "common/log/error_log.hpp"
#include "common/log/log.hpp"
#include "common/process/process_title.hpp"
#include "worker/registry_lookup.hpp"
#include "worker/sandbox/confine.hpp"

namespace mpb {
namespace {

constexpr Duration kSweepInterval{500};  // see Acceptor::sweep
constexpr std::size_t kManyVhosts = 1000;

ListenerTraits traits_of(const channel::Listen& message) {
  const auto has = [&message](std::uint16_t flag) { return (message.flags & flag) != 0; };
  return {has(channel::Listen::kKeyIsStream), has(channel::Listen::kProxyProtocol),
          has(channel::Listen::kSrsRealIp), has(channel::Listen::kKeyIsApp)};
}

constexpr const char* kFolderOfPath =
    "this user must be able to write to the folder of the path; with sandbox = strict it must be "
    "the one that was there at the start: if it was made anew, restart";

}  // namespace

Worker::Worker(EventLoop& loop, const Registry& registry)
    : loop_(loop),
      registry_(registry),
      environment_(loop),
      context_(loop, environment_),
      memory_relief_(context_, environment_),
      waiting_(context_) {
  context_.waiting = &waiting_;
  context_.give_away = [this](HeldClient&& client) { waiting_.wait_for_room(std::move(client)); };
  loop_.at_turn_end([this] { end_turn(); });
  sweep();
}

Worker::~Worker() {
  close_clients();
}

Status Worker::join_broker(UniqueFd socket) {
  link_ = std::make_unique<BrokerLink>(context_, std::move(socket),
                                       static_cast<BrokerCommands&>(*this));
  context_.alone = false;
  context_.give_away = [this](HeldClient&& client) { link_->handoffs().offer(std::move(client)); };
  environment_.letters.go_by(*link_, 0);
  environment_.tables.join_broker([this](std::string_view datagram) { link_->send(datagram); });
  environment_.notices.set_sink([this](const Notice& notice) { return link_->tell(notice); });
  return link_->open();
}

Status Worker::serve_alone(const Settings& settings, std::vector<InheritedSocket> inherited) {
  environment_.letters.be_alone();
  environment_.tables.serve_alone();
  reconfigure(settings);
  auto given = distribute(std::move(inherited), socket_wishes(settings.listeners));
  for (std::size_t i = 0; i < settings.listeners.size(); ++i) {
    const ListenerSettings& listener = settings.listeners[i];
    auto sockets = open_listener(listener, socket_setup(listener, settings), std::move(given[i]),
                                 [](const Endpoint&) { return SharedSocket(); });
    if (!sockets) return sockets.error();
    for (ListenerSocket& opened : *sockets) {
      if (const Status added = open_alone(listener, std::move(opened.socket)); !added) return added;
    }
  }
  on_start();
  return {};
}

Status Worker::open_alone(const ListenerSettings& listener, SharedSocket socket) {
  channel::Listen message;
  message.listener = static_cast<std::uint16_t>(listeners_.size());
  message.flags = channel::Listen::kAccepts | reading_flags(listener);
  message.name = listener.name;
  message.protocol = listener.protocol;
  message.handler = listener.handler;
  const std::string prefix_from = pack(listener.prefix_from);
  message.prefix_from = prefix_from;
  if (const Status added = add_listener(message, {}); !added) return added;
  Listener& added = listeners_[message.listener];
  added.socket = std::move(socket);
  log_info("listening")("listener", listener.name)("address", added.socket->address().to_string());
  return accept_alone(added);
}

Status Worker::add_acceptor(Listener& listener, UniqueFd socket) {
  for (const auto& before : listener.acceptors) before->retire();
  auto acceptor = std::make_unique<Acceptor>(context_, listener.served, std::move(socket));
  if (started_) {
    if (const Status begun = acceptor->start(); !begun) return begun;
  }
  listener.acceptors.push_back(std::move(acceptor));
  return {};
}

/// Acceptors have copies of the sockets, as those of a worker under a broker have.
Status Worker::accept_alone(Listener& listener) {
  listener.acceptors.clear();
  for (const int socket : {listener.upkeep.rest(), listener.socket->descriptor()}) {
    if (socket < 0) continue;
    UniqueFd copy(::fcntl(socket, F_DUPFD_CLOEXEC, 3));
    if (!copy) return system_error("cannot keep the socket of listener " + listener.served.name);
    if (const Status added = add_acceptor(listener, std::move(copy)); !added) return added;
  }
  return {};
}

void Worker::keep_up_sockets() {
  if (context_.draining) return;
  for (auto& [number, listener] : listeners_) {
    if (!listener.socket) continue;
    listener.upkeep.run(*listener.socket, listener.served.name, loop_.now(), report_,
                        [&listener = listener] { listener.acceptors.clear(); });
    if (!listener.acceptors.empty()) continue;
    if (const Status begun = accept_alone(listener); !begun) {
      report_.lost(*listener.socket, listener.served.name, {}, begun.error(), loop_.now());
    }
  }
}

void Worker::restore_paths() {
  for (auto& [number, listener] : listeners_) {
    if (!listener.socket) continue;
    warn_of_taken_path(listener.served.name, *listener.socket);
    if (listener.socket->path_state() != OwnedPath::State::kGone) continue;
    auto renewed = listener.socket->renew(ListeningSocket::Renewal::kAtAnyPrice);
    if (!renewed) {
      Error error = renewed.error();
      if (error.code == EACCES && error.help.empty()) error.help = kFolderOfPath;
      LogLine line(LogLevel::kError, "listener.failed");
      add_error(line("listener", listener.served.name), error);
      continue;
    }
    if (*renewed) listener.upkeep.keep(*std::move(renewed), loop_.now());
    if (const Status begun = accept_alone(listener); !begun) {
      log_error("listener.failed")("listener", listener.served.name)("why", begun.error().text);
    }
  }
}

void Worker::reconfigure(const Settings& settings) {
  configure(settings);
  if (!settings.vhosts.empty() || environment_.vhosts.size() > 0) set_vhosts(settings.vhosts);
  if (!context_.draining) restore_paths();
}

void Worker::configure(const WorkerSettings& settings) {
  context_.settings = settings;
  environment_.gop_memory = settings.gop_memory;
  environment_.memory.set_limit(settings.media_memory);
  context_.deadlines.configure(settings);
  context_.keys.set_linger(settings.key_linger);
}

void Worker::on_configure(const channel::Configure& message) {
  if (channel::kVersion < message.oldest_version || channel::kVersion > message.newest_version) {
    log_error("channel.version")(
        "why", fmt::format("mpbroker speaks versions {} to {} of the "
                           "channel, this worker version {}",
                           message.oldest_version, message.newest_version, channel::kVersion));
    return stop(ExitCode::kUsage);
  }
  context_.slot = environment_.own_slot = message.slot;
  environment_.letters.go_by(*link_, message.slot);
  context_.window = message.window;
  configure(settings_of(message.settings));
  if (context_.settings.cell == 0) {
    set_process_title(fmt::to_string(message.slot));
  } else if (!named_) {
    set_process_title("spare");
  }
}

void Worker::on_client(std::string_view key) {
  if (context_.settings.cell == 0 || std::exchange(named_, true)) return;
  constexpr std::size_t kMost = 64;  // bytes of a key
  set_process_title(key.empty() ? "client" : plain_text(key.substr(0, kMost)));
}

void Worker::on_listen(const channel::Listen& message, UniqueFd socket) {
  if (const Status added = add_listener(message, std::move(socket)); !added) {
    log_error("listener.failed")("listener", message.name)("why", added.error().text);
    // A listener that a reload brings must not cost the clients of the others.
    if (started_) return;
    stop(added.error().kind == ErrorKind::kUsage ? ExitCode::kUsage : ExitCode::kFailure);
  }
}

Status Worker::add_listener(const channel::Listen& message, UniqueFd socket) {
  // What is said of a listener again has the same protocol, handler and traits.
  if (!listeners_.contains(message.listener)) {
    auto made = make_listener(registry_, message.protocol, message.handler, environment_,
                              traits_of(message));
    if (!made) return made.error();
    listeners_[message.listener].served = *std::move(made);
  }
  note_needs(message);
  Listener& listener = listeners_[message.listener];
  ServedListener& served = listener.served;
  served.number = message.listener;
  served.space = message.space;
  served.serve_local = (message.flags & channel::Listen::kServeLocal) != 0;
  served.spread = (message.flags & channel::Listen::kSpread) != 0;
  served.prefixed =
      (message.flags & (channel::Listen::kProxyProtocol | channel::Listen::kSrsRealIp)) != 0;
  served.name = message.name;
  served.counters.listener = message.listener;
  served.prefix_from = unpack_networks(message.prefix_from);
  if ((message.flags & channel::Listen::kBeside) == 0) listener.acceptors.clear();
  if (!socket || context_.draining) return {};
  return add_acceptor(listener, std::move(socket));
}

/// What was given up does not come back.
void Worker::note_needs(const channel::Listen& message) {
  if (!needs_) return;
  const Needs wanted = needs_of(registry_, message.protocol, message.handler);
  if (!started_) return needs_->add(wanted);
  if (needs_->leave_calls_for(wanted)) return;
  log_error("sandbox.narrow")("listener", message.name)(
      "why", "its handler needs what this worker has given up")(
      "help", "drain the workers one by one (mpctl drain SLOT): those that follow have it");
}

void Worker::on_unlisten(std::uint16_t listener) {
  const auto found = listeners_.find(listener);
  if (found == listeners_.end()) return;
  found->second.acceptors.clear();  // its last clients remain
}

void Worker::on_vhosts(const channel::Vhosts& message) {
  auto news = vhosts_.add(message);
  if (!news) {
    log_error("vhosts.failed")("why", news.error().text);
    // Who may publish and play is among what it was to be told. Later it still has what it had.
    if (!started_) stop(ExitCode::kUsage);
  } else if (*news && (*news)->whole) {
    set_vhosts(std::move((*news)->vhosts));
  } else if (*news) {
    environment_.vhosts.change(std::move((*news)->vhosts), (*news)->removed);
    log_info("vhosts")("count", environment_.vhosts.size());
  }
}

void Worker::set_vhosts(std::vector<VhostSettings> vhosts) {
  environment_.vhosts.replace(std::move(vhosts));
  // Reading many takes several times the memory that they need afterwards.
  if (environment_.vhosts.size() > kManyVhosts) ::malloc_trim(0);
  log_info("vhosts")("count", environment_.vhosts.size());
}

void Worker::on_start() {
  if (exit_code_ != ExitCode::kOk || std::exchange(started_, true)) return;
  for (auto& [number, listener] : listeners_) {
    for (const auto& acceptor : listener.acceptors) {
      if (const Status begun = acceptor->start(); !begun) {
        log_error("listener.failed")("listener", listener.served.name)("why", begun.error().text);
        return stop(ExitCode::kFailure);
      }
    }
  }
  if (!link_) return;
  const Status confined = needs_ ? confinement_.give_up_calls(*needs_) : Status{};
  if (!confined) {
    log_failed(confined.error());
    return stop(ExitCode::kFailure);
  }
  link_->send_ready();
  environment_.tables.begin();
}

ServedListener* Worker::find_listener(std::uint16_t listener) {
  const auto found = listeners_.find(listener);
  return found == listeners_.end() ? nullptr : &found->second.served;
}

std::optional<std::uint16_t> Worker::space_of(std::string_view listener) const {
  for (const auto& [number, one] : listeners_) {
    if (listener.empty() || one.served.name == listener) return one.served.space;
  }
  return std::nullopt;
}

void Worker::read_counters(std::string& blocks) {
  WorkerCounters worker;
  worker.clients = context_.clients.routed();
  worker.held = context_.clients.held();
  worker.keys_owned = context_.keys.owned_count();
  worker.accept_pauses = context_.accept_pauses;
  worker.queue_high_water = link_ ? link_->channel().queue_high_water() : 0;
  const OperationQueue& operations = environment_.tables.operations();
  worker.table_operations = operations.asked();
  worker.table_refusals = operations.refused();
  worker.table_waiting = operations.without_result();
  const auto append = [&blocks]<class Counters>(channel::BlockKind kind, std::uint16_t number,
                                                const Counters& counters) {
    channel::append_block(blocks, {kind, number, counter_values(counters)});
  };
  append(channel::BlockKind::kWorker, 0, worker);
  for (const auto& [number, listener] : listeners_) {
    append(channel::BlockKind::kListener, number, listener.served.counters);
  }
}

AnswerContent Worker::answer(std::string_view question, std::string_view argument) {
  const WorkerEnvironment::Responder* responder = environment_.responder(std::string(question));
  return responder != nullptr ? (*responder)(argument) : AnswerContent{.unknown = true};
}

void Worker::on_resync() {
  log_info("broker.follows")("clients", context_.clients.held());
  vhosts_.forget();
  environment_.letters.on_resync();
  environment_.tables.on_resync();
}

/// What follows waits for the end of the turn: whoever has found it out is in the midst of
/// something.
void Worker::on_broker_gone(const Error& why) {
  if (!context_.draining) {
    log_warning("broker.gone")("why", why.text)("clients", context_.clients.held())(
        "help", drains_alone() ? "nobody follows it: this worker drains"
                               : "it serves these to their end, and takes no others");
  }
  if (!started_) stop(ExitCode::kFailure);
}

/// It serves the clients that it has. Others it could only refuse, and they may be welcome with the
/// workers of another broker, which needs the addresses.
void Worker::become_orphan() {
  orphaned_ = true;
  stop_accepting();
  environment_.letters.on_broker_gone();
  environment_.tables.abandon();
  link_->abandon();
  if (drains_alone()) drain(context_.settings.drain_timeout);
}

void Worker::stop_accepting() {
  for (auto& [number, listener] : listeners_) {
    listener.acceptors.clear();
    listener.upkeep.drop_rest();
    listener.socket.reset();
  }
}

void Worker::drain(Duration deadline) {
  const bool in_time = deadline != Duration{channel::Drain::kNoDeadline};
  if (!std::exchange(context_.draining, true)) {
    if (in_time) {
      log_info("draining")("clients", context_.clients.held())("deadline",
                                                               format_duration(deadline));
    }
    stop_accepting();
    // The broker gives its keys to others from now on.
    if (link_) context_.keys.disown_all();
  }
  if (!in_time) return;
  has_deadline_ = true;
  loop_.after(deadline, [this] { stop(ExitCode::kOk); });
}

void Worker::end_turn() {
  environment_.tables.end_turn();
  memory_relief_.end_turn();
  waiting_.admit();
  expire_deadlines();
  if (link_) link_->flush();
  if (link_ && !link_->is_open() && !orphaned_) become_orphan();
  for_each_acceptor([](Acceptor& acceptor) {
    if (acceptor.paused()) acceptor.resume_if_possible();
  });
  if ((context_.draining || orphaned_) && context_.clients.held() == 0) stop(ExitCode::kOk);
  await_deadlines();
}

void Worker::expire_deadlines() {
  const TimePoint now = loop_.now();
  for (DeadlineList<Session>* list : context_.deadlines.all()) {
    list->expire(now, [](Session& session) { session.expire(); });
  }
  waiting_.expire(now);
  if (link_) link_->handoffs().expire(now);
  if (gives_up_keys()) {
    context_.keys.expire(now, [this](const KeyState& key) {
      if (link_) link_->release(key);
    });
  }
}

/// One timer, for the earliest of all deadlines.
void Worker::await_deadlines() {
  std::optional<TimePoint> next = waiting_.next_expiry();
  const auto consider = [&next](std::optional<TimePoint> other) {
    if (other && (!next || *other < *next)) next = other;
  };
  if (gives_up_keys()) consider(context_.keys.next_expiry());
  if (link_) consider(link_->handoffs().next_expiry());
  for (const DeadlineList<Session>* list : context_.deadlines.all()) consider(list->next());
  if (next) wake_up_.by(*next);
}

void Worker::sweep() {
  keep_up_sockets();
  for_each_acceptor([](Acceptor& acceptor) { acceptor.sweep(); });
  catch_up_log();
  loop_.after(kSweepInterval, [this] { sweep(); });
}

void Worker::run() {
  for (;;) {
    try {
      return loop_.run();
    } catch (const std::bad_alloc&) {
      // What was not done in this turn is done in the next: the loop is level-triggered.
    }
  }
}

void Worker::stop(ExitCode code) {
  // A broker that is not its parent cannot see its exit code.
  const bool tells = code == ExitCode::kUsage || (link_ && link_->was_resynced());
  if (link_ && tells && !std::exchange(said_bye_, true)) {
    link_->send_bye(static_cast<std::uint32_t>(code), "");
  }
  if (exit_code_ == ExitCode::kOk) exit_code_ = code;
  loop_.stop();
}

void Worker::close_clients() {
  context_.ends = true;
  context_.clients.for_each([](Session& session) { session.close(); });
}

}  // namespace mpb
