#include "worker/rtmp/hooks.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <exception>
#include <utility>

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include "common/http_url.hpp"
#include "common/log.hpp"
#include "worker/rtmp/http_poster.hpp"

namespace mpb::rtmp {
namespace {

namespace json = boost::json;

constexpr std::size_t kMaxRequests = 1'024;  // under way or waiting
constexpr Duration kReportInterval{10'000};  // between two lines about one URL
constexpr std::size_t kMaxReportedUrls = 256;

constexpr std::string_view kRefused = "refused by the server's hook";
constexpr std::string_view kUnavailable = "the server cannot ask its hook: try again later";
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

Hooks::Hooks(Environment& environment)
    : environment_(environment),
      names_(environment.shared<NameResolver>()),
      server_id_(host_name()),
      reports_(kReportInterval, kMaxReportedUrls) {
  environment.answer("hooks", [this](std::string_view) { return report(); });
}

/// Whom it asks for names ends with it, before or after.
Hooks::~Hooks() {
  for (const auto& [ticket, request] : requests_) {
    if (request.late) environment_.loop.cancel(*request.late);
  }
  if (report_timer_) environment_.loop.cancel(*report_timer_);
  if (watch_.active()) environment_.loop.remove(watch_, poster_->descriptor());
}

std::uint64_t Hooks::ask(const std::string& url, const HookEvent& event,
                         const HookSettings& settings, Done done) {
  ++counters_.asked;
  return post(url, event, settings, std::move(done));
}

void Hooks::tell(const std::string& url, const HookEvent& event, const HookSettings& settings) {
  ++counters_.told;
  post(url, event, settings, {});
}

void Hooks::cancel(std::uint64_t ticket) {
  const auto found = requests_.find(ticket);
  if (found == requests_.end()) return;
  if (found->second.look_up) {
    names_.cancel(*found->second.look_up);
    requests_.erase(found);
    return;
  }
  found->second.cancelled = true;
  found->second.done = {};
  if (!found->second.late) poster_->cancel(ticket);
}

std::uint64_t Hooks::post(const std::string& url, const HookEvent& event,
                          const HookSettings& settings, Done done) {
  const std::uint64_t ticket = ++last_ticket_;
  const bool full = requests_.size() >= kMaxRequests;
  Request& request = requests_[ticket];
  request.action = event.action;
  request.url = url;
  request.fail_open = settings.fail_open;
  request.done = std::move(done);

  const auto settle_late = [&](HookAnswer answer, std::string why) {
    request.late = environment_.loop.after(
        Duration{0}, [this, ticket, answer, why = std::move(why)] { settle(ticket, answer, why); });
  };
  auto document =
      hook_document(event, server_id_, fmt::format("{}-{}", ::getpid(), event.client_id));
  if (!document) {
    // Not a failure: a client could choose its name so that fail-open lets it in unasked.
    settle_late(HookAnswer::kRefusal, std::string(kNotUtf8));
  } else if (full) {
    ++counters_.dropped;
    settle_late(HookAnswer::kFailure, fmt::format("{} requests are under way", kMaxRequests));
  } else if (const Status sent = send(ticket, url, std::move(*document), settings.timeout); !sent) {
    settle_late(HookAnswer::kFailure, sent.error().text);
  }
  return ticket;
}

Status Hooks::send(std::uint64_t ticket, const std::string& url, std::string document,
                   Duration timeout) {
  Result<HttpUrl> parsed = parse_http_url(url);
  if (!parsed) return parsed.error();
  if (const Status started = start(); !started) return started.error();
  const bool is_v6 = parsed->host.find(':') != std::string::npos;
  const auto literal = parse_endpoint(
      fmt::format(fmt::runtime(is_v6 ? "[{}]:{}" : "{}:{}"), parsed->host, parsed->port));
  HttpPost post{ticket, std::move(*parsed), {}, std::move(document), timeout};
  if (!literal) {
    const auto port = static_cast<std::uint16_t>(std::stoul(post.url.port));
    return send_to_name(std::move(post), port);
  }
  post.addresses = {*literal};
  poster_->post(std::move(post));
  return {};
}

Status Hooks::send_to_name(HttpPost post, std::uint16_t port) {
  Request& request = requests_.at(post.ticket);
  const std::string name = request.host = post.url.host;
  if (auto known = names_.find(name, port)) {
    if (!*known) return known->error();
    post.addresses = **std::move(known);
    poster_->post(std::move(post));
    return {};
  }
  const Duration limit = post.timeout;
  request.look_up = names_.wait(
      name, port, limit,
      [this, began = environment_.loop.now(),
       post = std::move(post)](const NameResolver::Found& found) mutable {
        requests_.at(post.ticket).look_up.reset();
        const auto passed = std::chrono::ceil<Duration>(environment_.loop.now() - began);
        if (!found) {
          return settle(post.ticket, HookAnswer::kFailure, found.error().text,
                        passed < post.timeout ? Reason::kHookFailed : Reason::kHookTimeout);
        }
        post.timeout = std::max(post.timeout - passed, Duration{1});
        post.addresses = *found;
        poster_->post(std::move(post));
      });
  return {};
}

Status Hooks::start() {
  if (poster_) return {};
  try {
    auto poster = std::make_unique<HttpPoster>();
    const Result<Watch> watch = environment_.loop.add(poster->descriptor(), EPOLLIN, *this);
    if (!watch) return watch.error();
    watch_ = *watch;
    poster_ = std::move(poster);
    return {};
  } catch (const std::exception& error) {
    return unavailable_error(fmt::format("cannot start the thread of the hooks: {}", error.what()));
  }
}

void Hooks::on_events(std::uint32_t) {
  for (const HttpReply& reply : poster_->take_replies()) {
    if (reply.status == 0 && !reply.connected) names_.doubt(requests_.at(reply.ticket).host);
    const HookAnswer answer =
        reply.status == 0 ? HookAnswer::kFailure : read_hook_answer(reply.status, reply.body);
    settle(reply.ticket, answer, answer == HookAnswer::kFailure ? why_failed(reply) : "",
           reply.timed_out ? Reason::kHookTimeout : Reason::kHookFailed);
  }
}

void Hooks::settle(std::uint64_t ticket, HookAnswer answer, std::string_view why, Reason failure) {
  // Taken out first: `done` may ask and cancel.
  const auto node = requests_.extract(ticket);
  const Request& request = node.mapped();
  if (request.cancelled) return;
  Reason refused = Reason::kNone;
  std::string_view text;
  if (answer == HookAnswer::kRefusal) {
    ++counters_.refused;
    refused = Reason::kHookRefused;
    text = kRefused;
  } else if (answer == HookAnswer::kFailure) {
    ++counters_.failed;
    report_failure(request, why);
    if (!request.fail_open) {
      refused = failure;
      text = kUnavailable;
    }
  }
  if (request.done) request.done(refused, text);
}

std::string Hooks::report() const {
  const json::object all{{"asked", counters_.asked},     {"told", counters_.told},
                         {"refused", counters_.refused}, {"failed", counters_.failed},
                         {"dropped", counters_.dropped}, {"under_way", requests_.size()}};
  return json::serialize(json::object{{"hooks", json::array{all}}});
}

void Hooks::report_failure(const Request& request, std::string_view why) {
  HookFailure failure{request.action, std::string(why), request.fail_open};
  if (const auto line = reports_.note(request.url, std::move(failure), environment_.loop.now())) {
    write(*line);
  }
  report_later();
}

void Hooks::write(const FailureReports::Line& line) {
  log_warning("hook.failed")("action", line.failure.action)("url", without_query(line.url))(
      "why", line.failure.why)("failures", counters_.failed)(
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
