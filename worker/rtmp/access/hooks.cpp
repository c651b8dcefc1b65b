#include "worker/rtmp/access/hooks.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <exception>
#include <utility>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include "common/answers/record.hpp"
#include "common/config/http_url.hpp"
#include "common/log/log.hpp"
#include "proto/rtmp/ip_address.hpp"
#include "worker/names/resolve.hpp"

namespace mpb::rtmp {
namespace {

namespace asio = boost::asio;
namespace json = boost::json;

constexpr Duration kReportInterval{10'000};  // between two lines about one URL
constexpr std::size_t kMaxReportedUrls = 256;
constexpr std::size_t kMaxCountedServers = 256;
constexpr std::string_view kOtherServers = "(others)";

constexpr std::string_view kRefused = "refused by the server's hook";
constexpr std::string_view kUnavailable = "the server cannot ask its hook: try again later";
constexpr std::string_view kBusy = "too many wait for the server's hook: try again later";
constexpr std::string_view kNotAsked = "the server did not answer, and is not asked for a while";
constexpr std::string_view kNotUtf8 = "a name is not UTF-8";

std::string host_name() {
  std::array<char, 256> name{};
  ::gethostname(name.data(), name.size() - 1);
  return name.data();
}

std::string with_question_mark(const std::string& parameters) {
  return parameters.empty() || parameters.starts_with('?') ? parameters : "?" + parameters;
}

std::string why_failed(const HttpReply& reply) {
  return reply.status == 0 ? reply.error
                           : fmt::format(
                                 "HTTP status {}, and neither 0 nor {{\"code\":0}} in {} "
                                 "bytes",
                                 reply.status, reply.body.size());
}

/// As its requests share places, and as it is told.
std::string server_of(const HttpUrl& url) {
  std::string host = url.host;
  for (char& c : host) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  const bool is_v6 = host.find(':') != std::string::npos;
  return fmt::format(fmt::runtime(is_v6 ? "[{}]:{}" : "{}:{}"), host, url.port);
}

std::string no_room() {
  return fmt::format("{} requests wait for a place", HookQueue::kMaxWaiting);
}

/// Whose clients have one part of the places: an address, an IPv6 network of 64 bits, or a client
/// that has none.
std::string source_of(const HookEvent& event) {
  const auto address = parse_ip(event.ip);
  if (!address) return fmt::format("client {}", event.client_id);
  return address->is_v4() ? address->bytes : address->bytes.substr(0, kIpv6Size / 2);
}

}  // namespace

std::optional<std::string> hook_document(const HookEvent& event, std::string_view server_id,
                                         std::string_view client_id) {
  json::object document{
      {"server_id", server_id}, {"action", event.action}, {"client_id", client_id},
      {"ip", event.ip},         {"vhost", event.vhost},   {"app", event.app},
      {"tcUrl", event.tc_url},
  };
  if (!event.page_url.empty() || event.action == "on_connect") {
    document["pageUrl"] = event.page_url;
  }
  if (event.action != "on_connect") {
    document["stream"] = event.stream;
    document["param"] = with_question_mark(event.param);
  }
  std::string text = json::serialize(document);
  json::error_code error;
  json::parse(text, error);  // refuses what is not UTF-8; serialize does not
  if (error) return std::nullopt;
  return text;
}

HookAnswer read_hook_answer(unsigned status, std::string_view body) {
  if (status >= 400 && status < 500) return HookAnswer::kRefusal;
  if (status != 200) return HookAnswer::kFailure;
  json::error_code error;
  json::value value = json::parse(body, error);
  if (error) return HookAnswer::kFailure;
  if (const json::object* object = value.if_object()) {
    const json::value* code = object->if_contains("code");
    if (code == nullptr) return HookAnswer::kFailure;
    value = json::value(*code);
  }
  if (value.is_uint64()) return HookAnswer::kRefusal;  // beyond int64
  if (!value.is_int64()) return HookAnswer::kFailure;
  return value.get_int64() == 0 ? HookAnswer::kConsent : HookAnswer::kRefusal;
}

/// A request's place among those under way. However its coroutine ends, the place is given back.
class Hooks::Place {
 public:
  Place(Hooks& hooks, std::uint64_t its_ticket) : ticket(its_ticket), hooks_(hooks.self_) {}
  Place(Place&& other) noexcept = default;
  Place& operator=(Place&& other) = delete;
  ~Place() {
    if (const auto hooks = hooks_.lock()) (*hooks)->give_up(ticket);
  }

  /// The worker ends with Asio's context, and with that all coroutines: who runs has its hooks.
  [[nodiscard]] Hooks& hooks() const { return **hooks_.lock(); }
  /// Its caller finishes the request.
  void leave() { hooks_.reset(); }

  std::uint64_t ticket;

 private:
  std::weak_ptr<Hooks*> hooks_;
};

Hooks::Hooks(WorkerEnvironment& environment)
    : environment_(environment),
      names_(environment.shared<NameResolver>()),
      server_id_(host_name()),
      reports_(kReportInterval, kMaxReportedUrls) {
  environment.answer("hooks", [this](std::string_view) { return content_of(report()); });
}

Hooks::~Hooks() {
  for (const auto& [ticket, request] : requests_) {
    if (request.timer) environment_.loop.cancel(*request.timer);
  }
  if (report_timer_) environment_.loop.cancel(*report_timer_);
}

std::uint64_t Hooks::ask(const std::string& url, const HookEvent& event,
                         const HookSettings& settings, Done done) {
  return post(url, event, settings, std::move(done));
}

void Hooks::tell(const std::string& url, const HookEvent& event, const HookSettings& settings) {
  post(url, event, settings, {});
}

/// What is under way goes on, and has its place: the server works on it.
void Hooks::cancel(std::uint64_t ticket) {
  const auto found = requests_.find(ticket);
  if (found == requests_.end()) return;
  Request& request = found->second;
  request.cancelled = true;
  request.done = {};
  if (request.timer) {
    environment_.loop.cancel(*request.timer);
    queue_.leave(ticket);
    requests_.erase(found);
  }
}

std::uint64_t Hooks::post(const std::string& url, const HookEvent& event,
                          const HookSettings& settings, Done done) {
  const std::uint64_t ticket = ++last_ticket_;
  Request& request = requests_[ticket];
  request.action = event.action;
  request.url = url;
  request.fail_open = settings.fail_open;
  request.done = std::move(done);
  request.asked = environment_.loop.now();
  Result<HttpUrl> parsed = parse_http_url(url);
  if (parsed) request.server = server_of(*parsed);
  count(request.server, request.done ? &HookCounters::asked : &HookCounters::told);

  auto document =
      hook_document(event, server_id_, fmt::format("{}-{}", ::getpid(), event.client_id));
  if (!document) {
    // Not a failure: a client could choose its name so that fail-open lets it in unasked.
    settle_later(ticket, request, {HookAnswer::kRefusal, std::string(kNotUtf8)});
  } else if (!parsed) {
    settle_later(ticket, request, {HookAnswer::kFailure, parsed.error().text});
  } else {
    request.post = HttpPost{*std::move(parsed), {}, *std::move(document), settings.timeout};
    enter(ticket, request, event);
  }
  return ticket;
}

void Hooks::enter(std::uint64_t ticket, Request& request, const HookEvent& event) {
  const HookPlace place{request.server, event.section, source_of(event)};
  const HookQueue::Admission admission = queue_.enter(ticket, place, environment_.loop.now());
  if (const auto displaced = admission.displaced) {
    settle_later(*displaced, requests_.at(*displaced), {HookAnswer::kNotSent, no_room()});
  }
  switch (admission.entry) {
    case HookQueue::Entry::kWaits:
      request.timer =
          environment_.loop.after(request.post->timeout, [this, ticket] { expire(ticket); });
      return pump();
    case HookQueue::Entry::kFull:
      return settle_later(ticket, request, {HookAnswer::kNotSent, no_room()});
    case HookQueue::Entry::kBroken:
      return settle_later(ticket, request, {HookAnswer::kFailure, std::string(kNotAsked)});
  }
}

/// In a later turn of the loop.
void Hooks::settle_later(std::uint64_t ticket, Request& request, Settlement settlement) {
  if (request.timer) environment_.loop.cancel(*request.timer);
  request.timer = environment_.loop.after(
      Duration{0},
      [this, ticket, settlement = std::move(settlement)] { settle(ticket, settlement); });
}

void Hooks::expire(std::uint64_t ticket) {
  const Request& request = requests_.at(ticket);
  // A server that answers nobody all the while is what it waits for, else the others here.
  const bool mute = queue_.server_is_mute(ticket, request.asked);
  const std::string limit = format_duration(request.post->timeout);
  queue_.leave(ticket);
  if (mute) {
    settle(ticket,
           {HookAnswer::kFailure, fmt::format("the server has answered nobody for {}", limit),
            Reason::kHookTimeout});
  } else {
    settle(ticket, {HookAnswer::kNotSent, fmt::format("no place to ask it within {}", limit)});
  }
}

void Hooks::pump() {
  while (const auto ticket = queue_.next()) send(*ticket);
}

void Hooks::pump_soon() {
  environment_.loop.after(Duration{0}, [alive = std::weak_ptr(self_)] {
    if (const auto hooks = alive.lock()) (*hooks)->pump();
  });
}

/// In the turn in which its place is free.
void Hooks::send(std::uint64_t ticket) {
  Request& request = requests_.at(ticket);
  environment_.loop.cancel(*std::exchange(request.timer, std::nullopt));
  HttpPost post = *std::exchange(request.post, std::nullopt);
  Place place(*this, ticket);
  try {
    asio::io_context& context = environment_.asio();
    asio::co_spawn(context, serve(std::move(place), std::move(post)),
                   [](const std::exception_ptr& failure) {
                     if (failure) std::rethrow_exception(failure);  // Asio's host logs it
                   });
  } catch (const std::exception&) {
    // Whoever has the place gives it back.
  }
}

asio::awaitable<void> Hooks::serve(Place place, HttpPost post) {
  co_await asio::post(asio::use_awaitable);  // nobody is answered within the call that asks
  Hooks& hooks = place.hooks();
  const HttpReply reply = co_await hooks.exchange(place.ticket, post);
  try {
    hooks.take(place, reply);
  } catch (...) {
    hooks.pump_soon();
    throw;
  }
  hooks.pump();
}

/// The look-up of its host is of its time.
asio::awaitable<HttpReply> Hooks::exchange(std::uint64_t ticket, HttpPost& post) {
  const std::string host = post.url.host;
  const auto literal = mpb::parse_endpoint(requests_.at(ticket).server);
  if (literal && literal->family() != AF_UNIX) {  // a host may be called "unix"
    post.addresses = {*literal};
  } else {
    const TimePoint began = Clock::now();
    const auto port = static_cast<std::uint16_t>(std::stoul(post.url.port));
    NameResolver::Found found = co_await resolve(names_, host, port, post.timeout);
    const auto passed = std::chrono::ceil<Duration>(Clock::now() - began);
    HttpReply none;
    if (!found) {
      none.error = found.error().text;
      none.ours = found.error().kind == ErrorKind::kLimit;
      none.timed_out = passed >= post.timeout;
      co_return none;
    }
    if (requests_.at(ticket).cancelled) {
      none.ours = true;
      co_return none;
    }
    post.addresses = *std::move(found);
    post.timeout = std::max(post.timeout - passed, Duration{1});
  }
  HttpReply reply = co_await post_http(post);
  if (reply.status == 0 && !reply.connected && !reply.ours) names_.doubt(host);
  co_return reply;
}

/// Of one that could not be sent.
void Hooks::give_up(std::uint64_t ticket) try {
  queue_.finish(ticket, HookQueue::Outcome::kNotSent, environment_.loop.now());
  settle_later(ticket, requests_.at(ticket),
               {HookAnswer::kNotSent, "too little memory, or too few descriptors, to ask it"});
  pump_soon();
} catch (const std::bad_alloc&) {
  // Its client is answered as any that does not go on: by a time limit.
}

/// Of one under way: its place is free, and its server is as that shows.
void Hooks::finish(std::uint64_t ticket, HookQueue::Outcome outcome, std::string_view why) {
  const HookQueue::News news = queue_.finish(ticket, outcome, environment_.loop.now());
  const std::string& server = requests_.at(ticket).server;
  if (news.closed) log_info("hook.back")("server", server);
  if (!news.opened && news.given_up.empty()) return;
  const CircuitBreaker breaker = queue_.state_of(server).breaker;
  if (news.opened) {
    log_warning("hook.out")("server", server)("failures", breaker.failures())("why", why);
  }
  for (const std::uint64_t waited : news.given_up) {
    settle_later(waited, requests_.at(waited), {HookAnswer::kFailure, std::string(kNotAsked)});
  }
}

void Hooks::take(Place& place, const HttpReply& reply) {
  using Outcome = HookQueue::Outcome;
  const std::uint64_t ticket = place.ticket;
  // Without the memory to read it, the place is given back as that of a request never sent.
  const HookAnswer answer = read_hook_answer(reply.status, reply.body);
  place.leave();
  if (reply.status != 0) {
    finish(ticket, Outcome::kAnswered, {});
    return settle(ticket,
                  {answer, answer == HookAnswer::kFailure ? why_failed(reply) : std::string()});
  }
  finish(ticket, reply.ours ? Outcome::kNotSent : Outcome::kFailed, reply.error);
  settle(ticket, {reply.ours ? HookAnswer::kNotSent : HookAnswer::kFailure, reply.error,
                  reply.timed_out ? Reason::kHookTimeout : Reason::kHookFailed});
}

void Hooks::settle(std::uint64_t ticket, const Settlement& settlement) {
  // Taken out first: `done` may ask and cancel.
  const auto node = requests_.extract(ticket);
  const Request& request = node.mapped();
  if (request.cancelled) return;
  Reason refused = Reason::kNone;
  std::string_view text;
  switch (settlement.answer) {
    case HookAnswer::kConsent:
      break;
    case HookAnswer::kRefusal:
      count(request.server, &HookCounters::refused);
      refused = Reason::kHookRefused;
      text = kRefused;
      break;
    case HookAnswer::kFailure:
      count(request.server, &HookCounters::failed);
      report_failure(request, settlement.why, request.fail_open);
      if (request.fail_open) break;
      refused = settlement.reason;
      text = kUnavailable;
      break;
    case HookAnswer::kNotSent:
      count(request.server, &HookCounters::dropped);
      report_failure(request, settlement.why, false);
      refused = Reason::kHookBusy;
      text = kBusy;
      break;
  }
  if (request.done) request.done(refused, text);
}

void Hooks::count(const std::string& server, std::uint64_t HookCounters::*counter) {
  ++(counters_.*counter);
  auto known = by_server_.find(server);
  if (known == by_server_.end()) {
    const bool many = by_server_.size() >= kMaxCountedServers;
    known = by_server_.try_emplace(many ? std::string(kOtherServers) : server).first;
  }
  ++(known->second.*counter);
}

Listing<HookEntry> Hooks::report() const {
  Listing<HookEntry> list;
  for (const auto& [server, counted] : by_server_) {
    const HookQueue::ServerState state = queue_.state_of(server);
    HookCounters counters = counted;
    counters.under_way = state.under_way;
    counters.waiting = state.waiting;
    counters.failures = state.breaker.failures();
    list.entries.push_back({server, std::string(to_string(state.breaker.state())), counters});
  }
  return list;
}

void Hooks::report_failure(const Request& request, std::string_view why, bool let_in) {
  HookFailure failure{request.action, std::string(why), let_in};
  if (const auto line = reports_.note(request.url, std::move(failure), environment_.loop.now())) {
    write(*line);
  }
  report_later();
}

void Hooks::write(const FailureReports::Line& line) {
  log_warning("hook.failed")("action", line.failure.action)("url", without_credentials(line.url))(
      "why", line.failure.why)("failures", counters_.failed)("dropped", counters_.dropped)(
      "clients", line.failure.let_in ? "let in" : "refused")("suppressed", line.suppressed);
}

/// Failures that were only counted are told even if no other follows.
void Hooks::report_later() {
  if (report_timer_) return;
  report_timer_ = environment_.loop.after(kReportInterval, [this] {
    report_timer_.reset();
    for (const FailureReports::Line& line : reports_.due(environment_.loop.now())) write(line);
    if (reports_.has_more()) report_later();
  });
}

}  // namespace mpb::rtmp
