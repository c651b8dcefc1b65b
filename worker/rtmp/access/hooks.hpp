// HTTP callbacks in SRS's form: asks or tells a web server what a client is about to do.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "common/answers/entries.hpp"
#include "common/base/keyed_map.hpp"
#include "common/config/vhost_settings.hpp"
#include "common/io/event_loop.hpp"
#include "mpbroker/notice.hpp"
#include "worker/names/name_resolver.hpp"
#include "worker/rtmp/access/failure_reports.hpp"
#include "worker/rtmp/access/hook_queue.hpp"
#include "worker/rtmp/access/http_post.hpp"
#include "worker/worker_environment.hpp"

namespace mpb::rtmp {

/// What happened, as the web server is told.
struct HookEvent {
  std::string_view action;      // "on_connect", "on_publish", "on_play", "on_unpublish", "on_stop"
  std::uint64_t client_id = 0;  // unique in this process
  std::string ip;
  std::string vhost;
  std::string app;
  std::string tc_url;
  std::string page_url;  // of on_connect and on_play; may be empty
  std::string stream;    // not of on_connect
  std::string param;     // "key=abc&x=y"
  std::string section;   // of the vhost, in the configuration: not told
};

/// The document that is posted; nothing: a name is not UTF-8, and JSON cannot say it.
std::optional<std::string> hook_document(const HookEvent& event, std::string_view server_id,
                                         std::string_view client_id);

enum class HookAnswer : std::uint8_t {
  kConsent,  // 200 with "0" or {"code": 0}
  kRefusal,  // 200 with another number or code; 400 to 499
  kFailure,  // anything else: a web server that has trouble of its own
  kNotSent,  // nobody was asked, for want of something here
};
HookAnswer read_hook_answer(unsigned status, std::string_view body);

/// The worker's hooks, made by WorkerEnvironment::shared<Hooks>(). A request that has a place is a
/// coroutine in WorkerEnvironment::asio().
class Hooks final {
 public:
  /// Answers "hooks" of the operator's.
  explicit Hooks(WorkerEnvironment& environment);
  /// Drops what is under way; no Done is called any more.
  ~Hooks();
  Hooks(const Hooks&) = delete;
  Hooks& operator=(const Hooks&) = delete;

  /// kNone: it is allowed; else kHookRefused, kHookFailed, kHookTimeout or kHookBusy, and `why` in
  /// words for the client.
  using Done = std::function<void(Reason refused, std::string_view why)>;

  /// Posts `event` to `url` (not empty) and calls `done` in a later turn of the loop, unless
  /// cancelled: within settings.timeout of its getting a place among those under way, for which it
  /// waits no longer than that. Settings.fail_open says what no answer of the server means; who got
  /// no place is refused whatever it says, since clients can bring that about.
  std::uint64_t ask(const std::string& url, const HookEvent& event, const HookSettings& settings,
                    Done done);
  /// `done` is not called any more. The web server may have been asked already. Unknown and past
  /// tickets are ignored.
  void cancel(std::uint64_t ticket);
  /// Posts without waiting for consent (on_unpublish, on_stop).
  void tell(const std::string& url, const HookEvent& event, const HookSettings& settings);

  [[nodiscard]] const HookCounters& counters() const { return counters_; }

 private:
  struct Request {
    std::string action;
    std::string url;
    std::string server;  // "host:port"; empty: its URL is none
    bool fail_open = false;
    bool cancelled = false;
    Done done;                     // null: nobody waits for the answer
    std::optional<HttpPost> post;  // until it has a place
    TimePoint asked{};
    std::optional<EventLoop::TimerId> timer;  // settles it; it is not under way
  };

  struct Settlement {
    HookAnswer answer = HookAnswer::kFailure;
    std::string why;                      // for the operator
    Reason reason = Reason::kHookFailed;  // of a failure
  };

  class Place;

  std::uint64_t post(const std::string& url, const HookEvent& event, const HookSettings& settings,
                     Done done);
  void enter(std::uint64_t ticket, Request& request, const HookEvent& event);
  void settle_later(std::uint64_t ticket, Request& request, Settlement settlement);
  void settle(std::uint64_t ticket, const Settlement& settlement);
  void expire(std::uint64_t ticket);
  void pump();
  /// In a later turn.
  void pump_soon();
  void send(std::uint64_t ticket);
  boost::asio::awaitable<HttpReply> exchange(std::uint64_t ticket, HttpPost& post);
  static boost::asio::awaitable<void> serve(Place place, HttpPost post);
  void finish(std::uint64_t ticket, HookQueue::Outcome outcome, std::string_view why);
  void take(Place& place, const HttpReply& reply);
  void give_up(std::uint64_t ticket);
  void count(const std::string& server, std::uint64_t HookCounters::*counter);
  [[nodiscard]] Listing<HookEntry> report() const;
  void report_failure(const Request& request, std::string_view why, bool let_in);
  void write(const FailureReports::Line& line);
  void report_later();

  WorkerEnvironment& environment_;
  NameResolver& names_;
  std::string server_id_;
  HookQueue queue_;
  KeyedMap<std::uint64_t, Request> requests_;
  std::uint64_t last_ticket_ = 0;
  HookCounters counters_;
  std::map<std::string, HookCounters> by_server_;
  FailureReports reports_;
  std::optional<EventLoop::TimerId> report_timer_;
  std::shared_ptr<Hooks*> self_ = std::make_shared<Hooks*>(this);  // for coroutines' ends
};

}  // namespace mpb::rtmp
