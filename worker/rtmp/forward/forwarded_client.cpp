#include "worker/rtmp/forward/forwarded_client.hpp"

#include <fmt/format.h>
#include <sys/socket.h>

#include <array>
#include <cstring>
#include <new>
#include <utility>

#include "common/io/endpoint.hpp"
#include "common/io/foreign_descriptor.hpp"
#include "common/io/host_name.hpp"
#include "common/io/socket_options.hpp"
#include "common/io/turn_guard.hpp"
#include "common/log/log.hpp"
#include "proto/rtmp/command.hpp"
#include "proto/rtmp/prefix.hpp"
#include "worker/clients/memory_reserve.hpp"

namespace mpb::rtmp {
namespace {

constexpr Duration kEndWait{5'000};  // for an upstream to end after its client
constexpr std::uint32_t kGone = EPOLLERR | EPOLLHUP;

}  // namespace

template <class F>
void ForwardedClient::work(F&& what) {
  try {
    const MemoryReserve::ClientWork at_work;
    return what();  // may destroy this
  } catch (const std::bad_alloc&) {
    // Below, where the reserve is there for what an end needs.
  }
  end();
}

void ForwardedClient::Side::on_events(std::uint32_t events) {
  owner_.work([this, events] { (owner_.*react_)(events); });
}

bool ForwardedClient::Side::watch(int fd, std::uint32_t events) {
  EventLoop& loop = owner_.upstreams_.loop;
  if (!watch_.active()) {
    const auto added = loop.add(fd, events, *this);
    if (!added) return false;
    watch_ = *added;
    fd_ = fd;
  } else if (watched_ != events && !loop.modify(watch_, fd, events)) {
    return false;
  }
  watched_ = events;
  return true;
}

void ForwardedClient::Side::unwatch() {
  owner_.upstreams_.loop.remove(watch_, fd_);
}

ForwardedClient::ForwardedClient(Upstreams& upstreams, Connection& connection)
    : upstreams_(upstreams),
      connection_(connection),
      client_side_(*this, &ForwardedClient::on_client),
      upstream_side_(*this, &ForwardedClient::on_upstream) {
  upstreams_.add_client();
}

ForwardedClient::~ForwardedClient() {
  leave();
  upstreams_.remove_client();
}

void ForwardedClient::begin(ForwardRequest request) {
  search_ = std::make_unique<Search>();
  search_->set = upstreams_.of(request.settings);
  search_->request = std::move(request);
  note_memory();
  restart_timer(Duration{0}, &ForwardedClient::try_next);
}

void ForwardedClient::note_memory() {
  constexpr std::size_t kPipe = 64UL * 1024;  // of the kernel's memory; see pipe(7)
  std::size_t bytes = sizeof *this;
  if (search_) bytes += sizeof(Search) + 2 * search_->request.bytes.capacity();
  for (const SplicePath* path : {&up_, &down_}) bytes += path->wants_to_write() ? kPipe : 0;
  connection_.note_memory(bytes);
}

void ForwardedClient::leave() {
  stop_timer();
  client_side_.unwatch();
  upstream_side_.unwatch();
  if (search_ && search_->look_up) upstreams_.names.cancel(*search_->look_up);
  search_.reset();
  upstream_.reset();
  seat_.reset();
}

void ForwardedClient::end() {
  leave();
  connection_.finish();  // may destroy this
}

void ForwardedClient::restart_timer(Duration delay, void (ForwardedClient::*action)()) {
  stop_timer();
  timer_ = upstreams_.loop.after(delay, [this, action] {
    timer_.reset();
    work([this, action] { (this->*action)(); });
  });
}

void ForwardedClient::stop_timer() {
  if (timer_) upstreams_.loop.cancel(*std::exchange(timer_, std::nullopt));
}

// ---- until an upstream has answered

/// The next address of the upstream, else those of the next upstream.
void ForwardedClient::try_next() {
  if (!client_side_.watch(connection_.descriptor(), 0)) return end();
  for (;;) {
    while (search_->next_address < search_->addresses.size()) {
      switch (dial(search_->addresses[search_->next_address++])) {
        case Dialled::kBegun:
          return;
        case Dialled::kNoDescriptor:
          return refuse(Reason::kBusy, "Out of descriptors");
        case Dialled::kFailed:
          break;
      }
    }
    if (!search_->tried.empty()) {
      upstreams_.note_failure(*search_->set, search_->tried.back(), search_->why, search_->blamed);
    }
    const auto number = search_->set->pick(upstreams_.loop.now(), search_->tried);
    if (!number) break;
    search_->tried.push_back(*number);
    if (!find_addresses(*number)) return;
  }
  refuse(Reason::kUpstream,
         fmt::format("No upstream server of vhost {} answers", search_->request.vhost));
}

bool ForwardedClient::find_addresses(std::size_t number) {
  search_->addresses.clear();
  search_->next_address = 0;
  search_->blamed = false;
  const std::string& address = search_->set->members()[number].upstream.address;
  if (const auto literal = parse_endpoint(address)) {
    search_->addresses = {*literal};
    return true;
  }
  const auto named = parse_host_and_port(address);
  if (!named) {
    search_->why = "it is no address";
    search_->blamed = true;
    return true;
  }
  const auto learn = [this, number](const NameResolver::Found& found) {
    if (!found) {
      search_->why = found.error().text;
      search_->blamed = found.error().kind != ErrorKind::kLimit;
      return;
    }
    search_->addresses = search_->set->arrange(number, *found, upstreams_.loop.now());
  };
  if (const auto known = upstreams_.names.find(named->host, named->port)) {
    learn(*known);
    return true;
  }
  search_->look_up =
      upstreams_.names.wait(named->host, named->port, search_->request.settings->upstream_timeout,
                            [this, learn](const NameResolver::Found& found) {
                              search_->look_up.reset();
                              learn(found);
                              try_next();
                            });
  return false;
}

ForwardedClient::Dialled ForwardedClient::dial(const Endpoint& address) {
  const ForwardRequest& request = search_->request;
  UpstreamDial& dial = search_->dial.emplace(upstream_prefix(), request.bytes, upstreams_.random);
  const Status begun = dial.begin(address);
  if (!begun && out_of_descriptors(begun.error())) return Dialled::kNoDescriptor;
  if (!begun) {
    address_failed(begun.error().text);
    return Dialled::kFailed;
  }
  if (!upstream_side_.watch(dial.socket(), dial.interest())) return Dialled::kNoDescriptor;
  restart_timer(request.settings->upstream_timeout, &ForwardedClient::on_dial_timeout);
  return Dialled::kBegun;
}

void ForwardedClient::address_failed(std::string_view why) {
  const std::size_t number = search_->tried.back();
  const Endpoint& address = search_->addresses[search_->next_address - 1];
  search_->set->address_failed(number, address, upstreams_.loop.now());
  search_->blamed = true;
  search_->why = search_->addresses.size() == 1 ? std::string(why)
                                                : fmt::format("{}: {}", address.to_string(), why);
  const auto named = parse_host_and_port(search_->set->members()[number].upstream.address);
  if (named) upstreams_.names.doubt(named->host);
}

std::string ForwardedClient::upstream_prefix() const {
  const ForwardRequest& request = search_->request;
  const auto server = [this] {
    const auto local = local_endpoint(connection_.descriptor());
    return local ? local->to_string() : std::string();
  };
  switch (request.settings->upstream_prefix) {
    case UpstreamPrefix::kNone:
      return {};
    case UpstreamPrefix::kProxyV1:
      return make_proxy_v1(request.address, server());
    case UpstreamPrefix::kProxyV2:
      return make_proxy_v2(request.address, server());
    case UpstreamPrefix::kSrsRealIp:
      return make_srs_real_ip(request.address);
  }
  return {};
}

void ForwardedClient::on_dial_event(std::uint32_t events) {
  UpstreamDial& dial = *search_->dial;
  const bool was_greeted = dial.is_greeted();
  switch (dial.on_events(events)) {
    case UpstreamDial::Progress::kAnswers:
      upstreams_.note_success(*search_->set, search_->tried.back());
      return start_relaying();
    case UpstreamDial::Progress::kFailed:
      // One that has played its handshake is there: what it ends is what this client asked for.
      return give_up_on(dial.why(), !dial.is_greeted());
    case UpstreamDial::Progress::kGoesOn:
      break;
  }
  if (!upstream_side_.watch(dial.socket(), dial.interest())) return end();
  if (was_greeted || !dial.is_greeted()) return;
  // From here on the upstream takes the time it needs (a hook of its own, for example), as long as
  // the client stays.
  stop_timer();
  connection_.note_progress(false);
  if (!client_side_.watch(connection_.descriptor(), EPOLLRDHUP)) end();
}

void ForwardedClient::on_dial_timeout() {
  give_up_on(fmt::format("it did not answer the handshake within {}",
                         format_duration(search_->request.settings->upstream_timeout)),
             true);
}

void ForwardedClient::give_up_on(std::string_view why, bool blames) {
  if (blames) {
    address_failed(why);
  } else {
    search_->why = why;
  }
  stop_timer();
  upstream_side_.unwatch();
  try_next();
}

void ForwardedClient::refuse(Reason reason, std::string_view description) {
  upstreams_.note_unserved(search_->request.vhost, description);
  Notice notice;
  notice.reason = reason;
  notice.action = Notice::Action::kConnect;
  notice.address = search_->request.address;
  notice.vhost = search_->request.vhost;
  upstreams_.tell(notice);
  std::string text;
  append_connect_rejected(text, search_->request.transaction, description);
  leave();
  const iovec slice{text.data(), text.size()};
  // Few bytes, and nothing waits before them: the socket takes them, or is broken.
  static_cast<void>(connection_.send({&slice, 1}));
  connection_.finish();  // may destroy this
}

// ---- from then on

void ForwardedClient::start_relaying() {
  stop_timer();
  upstream_ = search_->dial->take_socket();
  vhost_ = std::move(search_->request.vhost);
  seat_ = search_->set->seat(search_->tried.back());
  search_.reset();
  // What may be passed along with bytes of a unix socket must not be closed by splice(2).
  const auto is_tcp = [](int socket) { return stream_kind(socket) == StreamKind::kTcp; };
  copies_ = !is_tcp(connection_.descriptor()) || !is_tcp(upstream_.get());
  on_upstream(EPOLLIN);
}

void ForwardedClient::on_client(std::uint32_t events) {
  const bool gone = (events & kGone) != 0;
  if (search_ != nullptr) {
    // One that only sends no more is no longer worth another try, and may want this answer.
    return gone ? end() : start_relaying();
  }
  bool sent = false;
  bool received = false;
  if ((events & (EPOLLIN | kGone)) != 0) {
    sent = pump_up();
  }
  if ((events & (EPOLLOUT | kGone)) != 0) {
    received = pump_down();
  }
  if (gone && !up_.wants_to_read()) return end();
  if ((events & EPOLLERR) != 0 && !sent && !received) {
    clear_error_queue(connection_.descriptor());
  }
  go_on(sent, received);
}

void ForwardedClient::on_upstream(std::uint32_t events) {
  if (search_ != nullptr) return on_dial_event(events);
  bool sent = false;
  bool received = false;
  if ((events & (EPOLLOUT | kGone)) != 0) {
    sent = pump_up();
  }
  if ((events & (EPOLLIN | kGone)) != 0) {
    received = pump_down();
  }
  go_on(sent, received);
}

bool ForwardedClient::pump_up() {
  return pump(up_, connection_.descriptor(), upstream_.get());
}

bool ForwardedClient::pump_down() {
  return pump(down_, upstream_.get(), connection_.descriptor());
}

bool ForwardedClient::pump(SplicePath& path, int source, int sink) {
  const auto interruptions = TurnGuard::count();
  const bool moved = path.pump(upstreams_.pipes, source, sink, copies_ || connection_.wary());
  if (TurnGuard::count() != interruptions) connection_.endure_interruption();
  return moved;
}

/// Watches for what can go on, and only for that: the loop is level-triggered.
void ForwardedClient::go_on(bool sent, bool received) {
  if (const int error = up_.pipe_error() != 0 ? up_.pipe_error() : down_.pipe_error(); error != 0) {
    upstreams_.note_unserved(vhost_,
                             fmt::format("Out of descriptors (pipe2: {})", std::strerror(error)));
    return end();
  }
  if (up_.source_failed() || down_.is_broken() || down_.is_done()) return end();
  if (up_.is_done() && !std::exchange(client_ended_, true)) {
    ::shutdown(upstream_.get(), SHUT_WR);
    restart_timer(kEndWait, &ForwardedClient::end);
  }
  const bool unread = down_.wants_to_write();
  if (received || unread != unread_ || (sent && !unread)) connection_.note_progress(unread);
  unread_ = unread;
  note_memory();

  const auto interest = [](const SplicePath& reads, const SplicePath& writes) {
    return (reads.wants_to_read() ? EPOLLIN : 0U) | (writes.wants_to_write() ? EPOLLOUT : 0U);
  };
  if (!client_side_.watch(connection_.descriptor(), interest(up_, down_))) return end();
  // The upstream's end waits until its bytes are written: out of the loop it cannot be reported
  // again and again.
  const std::uint32_t upstream = interest(down_, up_);
  if (upstream == 0) {
    upstream_side_.unwatch();
  } else if (!upstream_side_.watch(upstream_.get(), upstream)) {
    end();
  }
}

}  // namespace mpb::rtmp
