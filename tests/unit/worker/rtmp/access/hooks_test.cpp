#include "worker/rtmp/access/hooks.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <atomic>
#include <chrono>
#include <filesystem>
#include <future>
#include <iterator>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <boost/json.hpp>

#include "tests/support/answered.hpp"
#include "tests/support/descriptors.hpp"
#include "tests/support/http_server.hpp"
#include "worker/rtmp/access/http_post.hpp"

namespace mpb::rtmp {
namespace {

using test::http_answer;
using test::HttpRequest;
using test::HttpServer;

constexpr Duration kPatience{20'000};  // far beyond what anything here takes
constexpr Duration kShort{60};

HookEvent publish_event() {
  return {.action = "on_publish",
          .client_id = 7,
          .ip = "192.0.2.1",
          .vhost = "a.test",
          .app = "live",
          .tc_url = "rtmp://a.test/live",
          .page_url = {},
          .stream = "s",
          .param = "key=abc",
          .section = "a.test"};
}

HookSettings settings_of(Duration timeout, bool fail_open = false) {
  HookSettings settings;
  settings.timeout = timeout;
  settings.fail_open = fail_open;
  return settings;
}

struct Answered {
  bool allowed = false;
  std::string why;
  Reason refused = Reason::kNone;
};

/// A web server that consents, but not before open().
class HeldServer {
 public:
  ~HeldServer() { open(); }
  void open() {
    if (!std::exchange(open_, true)) promise_.set_value();
  }
  HttpServer* operator->() { return &server_; }

 private:
  bool open_ = false;
  std::promise<void> promise_;
  std::shared_future<void> opened_ = promise_.get_future().share();
  HttpServer server_{[opened = opened_](const HttpRequest&) {
    opened.wait();
    return http_answer(200, "0");
  }};
};

class HooksTest : public testing::Test {
 protected:
  Hooks& hooks() { return environment_->shared<Hooks>(); }

  template <class Condition>
  bool turn_until(Condition condition) {
    const TimePoint limit = Clock::now() + kPatience;
    while (!condition() && Clock::now() < limit) loop_.turn(Duration{100});
    return condition();
  }

  Hooks::Done into(std::optional<Answered>& place) {
    return [&place](Reason refused, std::string_view why) {
      place = Answered{refused == Reason::kNone, std::string(why), refused};
    };
  }

  Answered ask(const std::string& url, const HookSettings& settings = settings_of(kPatience)) {
    std::optional<Answered> answered;
    hooks().ask(url, publish_event(), settings, into(answered));
    EXPECT_FALSE(answered) << "never from within";
    EXPECT_TRUE(turn_until([&] { return answered.has_value(); }));
    return answered.value_or(Answered{});
  }

  EventLoop loop_;
  std::optional<WorkerEnvironment> environment_{std::in_place, loop_};
};

// --- the document and the answer -----------------------------------------------------------------

TEST(HookDocument, HasSrssForm) {
  const auto text = hook_document(publish_event(), "host", "1-7");
  ASSERT_TRUE(text);
  EXPECT_EQ(boost::json::parse(*text),
            boost::json::parse(R"({"server_id":"host","action":"on_publish","client_id":"1-7",
              "ip":"192.0.2.1","vhost":"a.test","app":"live","tcUrl":"rtmp://a.test/live",
              "stream":"s","param":"?key=abc"})"));
}

TEST(HookDocument, OfConnectHasThePageAndNoStream) {
  HookEvent event = publish_event();
  event.action = "on_connect";
  event.page_url = "http://page/";
  const boost::json::value document = boost::json::parse(*hook_document(event, "host", "1-7"));
  EXPECT_EQ(document.at("pageUrl").as_string(), "http://page/");
  EXPECT_EQ(document.at("tcUrl").as_string(), "rtmp://a.test/live");
  EXPECT_FALSE(document.as_object().contains("stream"));
  EXPECT_FALSE(document.as_object().contains("param"));
}

TEST(HookDocument, QuotesWhatAClientMayCallAStream) {
  HookEvent event = publish_event();
  event.stream = "\",\"code\":0,\n\\\xc3\xa4";
  const auto text = hook_document(event, "host", "1-7");
  ASSERT_TRUE(text);
  EXPECT_EQ(boost::json::parse(*text).at("stream").as_string(), std::string_view(event.stream));
}

TEST(HookDocument, CannotSayWhatIsNotUtf8) {
  HookEvent event = publish_event();
  event.stream = "a\xff";
  EXPECT_FALSE(hook_document(event, "host", "1-7"));
}

TEST(HookAnswer, IsReadAsSrsReadsIt) {
  const struct {
    unsigned status;
    std::string body;
    HookAnswer answer;
  } cases[] = {
      {200, "0", HookAnswer::kConsent},
      {200, " 0\r\n", HookAnswer::kConsent},
      {200, R"({"code":0})", HookAnswer::kConsent},
      {200, R"({"code": 0, "data": null})", HookAnswer::kConsent},
      {200, "1", HookAnswer::kRefusal},
      {200, "-1", HookAnswer::kRefusal},
      {200, R"({"code":403})", HookAnswer::kRefusal},
      {200, R"({"code":18446744073709551615})", HookAnswer::kRefusal},
      {400, "0", HookAnswer::kRefusal},
      {403, "", HookAnswer::kRefusal},
      {499, R"({"code":0})", HookAnswer::kRefusal},
      {200, "", HookAnswer::kFailure},
      {200, "ok", HookAnswer::kFailure},
      {200, "0 0", HookAnswer::kFailure},
      {200, "0.0", HookAnswer::kFailure},
      {200, "null", HookAnswer::kFailure},
      {200, "[0]", HookAnswer::kFailure},
      {200, R"({"code":"0"})", HookAnswer::kFailure},
      {200, R"({"kode":0})", HookAnswer::kFailure},
      {200, std::string(60'000, '['), HookAnswer::kFailure},
      {201, "0", HookAnswer::kFailure},
      {302, "0", HookAnswer::kFailure},
      {500, "0", HookAnswer::kFailure},
  };
  for (const auto& one : cases) {
    EXPECT_EQ(read_hook_answer(one.status, one.body), one.answer)
        << one.status << " " << one.body.substr(0, 40);
  }
}

// --- a web server --------------------------------------------------------------------------------

TEST_F(HooksTest, ConsentLetsIn) {
  HttpServer server([](const HttpRequest&) { return http_answer(200, R"({"code":0})"); });
  const Answered answered = ask(server.url("/api/v1/streams?x=1"));
  EXPECT_TRUE(answered.allowed);
  EXPECT_EQ(answered.why, "");

  ASSERT_EQ(server.requests().size(), 1U);
  const HttpRequest request = server.requests().front();
  EXPECT_TRUE(request.head.starts_with("POST /api/v1/streams?x=1 HTTP/1.1\r\n")) << request.head;
  EXPECT_NE(request.head.find("Content-Type: application/json\r\n"), std::string::npos);
  EXPECT_NE(request.head.find("Host: 127.0.0.1:"), std::string::npos);
  EXPECT_EQ(boost::json::parse(request.body).at("action").as_string(), "on_publish");
}

TEST_F(HooksTest, AnAnswerThatEndsWithTheConnectionCounts) {
  HttpServer server([](const HttpRequest&) { return "HTTP/1.0 200 OK\r\n\r\n0"; });
  EXPECT_TRUE(ask(server.url()).allowed);
}

TEST_F(HooksTest, RefusalRefusesAlsoWhenFailuresLetIn) {
  HttpServer server([](const HttpRequest&) { return http_answer(200, R"({"code":1})"); });
  const Answered answered = ask(server.url(), settings_of(kPatience, true));
  EXPECT_FALSE(answered.allowed);
  EXPECT_EQ(answered.why, "refused by the server's hook");
  EXPECT_EQ(hooks().counters().refused, 1U);
  EXPECT_EQ(hooks().counters().failed, 0U);
}

TEST_F(HooksTest, WhatIsNoAnswerObeysFailOpen) {
  const std::vector<std::string> answers = {
      http_answer(500, "0"),
      http_answer(200, "garbage"),
      "no HTTP at all\r\n\r\n",
      "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n0",  // cut off
      "",
      http_answer(200, std::string(kMaxReplyBody + 1, ' ')),
      "HTTP/1.1 200 OK\r\nX: " + std::string(100'000, 'x') + "\r\n\r\n0",
  };
  for (const std::string& bytes : answers) {
    HttpServer server([&](const HttpRequest&) { return bytes; });
    EXPECT_TRUE(ask(server.url(), settings_of(kPatience, true)).allowed) << bytes.substr(0, 60);
    const Answered closed = ask(server.url(), settings_of(kPatience, false));
    EXPECT_FALSE(closed.allowed) << bytes.substr(0, 60);
    EXPECT_NE(closed.why, "");
  }
  EXPECT_EQ(hooks().counters().failed, 2 * answers.size());
}

TEST_F(HooksTest, TellTheOperatorWhatTheyCounted) {
  EXPECT_EQ(environment_->responder("hooks"), nullptr) << "no hook was needed yet";
  HttpServer server([](const HttpRequest&) { return http_answer(200, "1"); });
  hooks();
  hooks().tell(server.url(), publish_event(), settings_of(kPatience));
  const std::string url = server.url("");
  const auto expect_told = [&](const HookCounters& counters) {
    const auto listing = test::answered<HookEntry>(*environment_);
    ASSERT_EQ(listing.entries.size(), 1U);
    EXPECT_EQ(listing.entries[0].server, url.substr(url.find("//") + 2));
    EXPECT_EQ(listing.entries[0].state, "closed");
    EXPECT_EQ(counter_values(listing.entries[0].counters), counter_values(counters));
  };
  expect_told({.told = 1, .under_way = 1});
  EXPECT_FALSE(ask(server.url()).allowed);
  ASSERT_TRUE(turn_until([&] { return hooks().counters().refused == 2; }));
  expect_told({.asked = 1, .told = 1, .refused = 2});
}

TEST_F(HooksTest, ABodyOfTheLargestSizeIsRead) {
  HttpServer server([](const HttpRequest&) {
    return http_answer(200, "0" + std::string(kMaxReplyBody - 1, ' '));
  });
  EXPECT_TRUE(ask(server.url()).allowed);
}

TEST_F(HooksTest, ASlowServerIsAFailureAtTheTimeLimit) {
  HeldServer server;
  EXPECT_FALSE(ask(server->url(), settings_of(kShort, false)).allowed);
  EXPECT_TRUE(ask(server->url(), settings_of(kShort, true)).allowed);
}

TEST_F(HooksTest, AClosedPortIsAFailure) {
  std::string url;
  {
    HttpServer server([](const HttpRequest&) { return http_answer(200, "0"); });
    url = server.url();
  }
  EXPECT_FALSE(ask(url, settings_of(kPatience, false)).allowed);
  EXPECT_TRUE(ask(url, settings_of(kPatience, true)).allowed);
}

TEST_F(HooksTest, ANameIsLookedUp) {
  HttpServer server([](const HttpRequest&) { return http_answer(200, "0"); });
  std::string url = server.url();
  url.replace(url.find("127.0.0.1"), 9, "localhost");
  EXPECT_TRUE(ask(url).allowed);
}

TEST_F(HooksTest, TheAddressesOfANameAreTriedInTurn) {
  HttpServer server([](const HttpRequest&) { return http_answer(200, "0"); });
  std::string url = server.url();
  url.replace(url.find("127.0.0.1"), 9, "hooks.test");
  environment_->shared<NameResolver>().look_up_by([](const std::string&) -> NameResolver::Looked {
    return {{parse_endpoint("[::1]:0").value(), parse_endpoint("127.0.0.1:0").value()}, {}};
  });
  EXPECT_TRUE(ask(url).allowed);
}

TEST_F(HooksTest, ANameThatIsNoneIsAFailure) {
  EXPECT_FALSE(ask("http://name.invalid:1/", settings_of(Duration{500}, false)).allowed);
}

TEST_F(HooksTest, ANameThatCannotBeLookedUpForWantOfSomethingHereIsRefusedInAnyCase) {
  environment_->shared<NameResolver>().look_up_by([](const std::string&) -> NameResolver::Looked {
    return {{}, {"no descriptor", NameCache::Cause::kOurs}};
  });
  for (std::uint32_t i = 0; i <= CircuitBreaker::kFailures; ++i) {
    const Answered answered = ask("http://hooks.test:1/", settings_of(kPatience, true));
    EXPECT_EQ(answered.refused, Reason::kHookBusy);
  }
  EXPECT_EQ(hooks().counters().failed, 0U);
}

TEST_F(HooksTest, NamesThatNobodyAnswersForHoldUpNoOther) {
  std::promise<void> open;
  environment_->shared<NameResolver>().look_up_by(
      [opened = open.get_future().share()](const std::string& name) -> NameResolver::Looked {
        if (name != "hooks.test") opened.wait();
        return {{parse_endpoint("127.0.0.1:0").value()}, {}};
      });
  for (int i = 0; i < 10; ++i) {
    hooks().ask("http://slow" + std::to_string(i) + ".test:1/", publish_event(),
                settings_of(kPatience), {});
  }
  HttpServer server([](const HttpRequest&) { return http_answer(200, "0"); });
  std::string url = server.url();
  url.replace(url.find("127.0.0.1"), 9, "hooks.test");
  EXPECT_TRUE(ask(url).allowed);
  open.set_value();
}

TEST_F(HooksTest, AUrlThatIsNoneIsAFailure) {
  EXPECT_FALSE(ask("ftp://x/", settings_of(kPatience, false)).allowed);
  EXPECT_TRUE(ask("ftp://x/", settings_of(kPatience, true)).allowed);
}

TEST_F(HooksTest, ANameThatJsonCannotSayIsRefusedUnasked) {
  HttpServer server([](const HttpRequest&) { return http_answer(200, "0"); });
  HookEvent event = publish_event();
  event.stream = "\xff";
  std::optional<Answered> answered;
  hooks().ask(server.url(), event, settings_of(kPatience, true), into(answered));
  ASSERT_TRUE(turn_until([&] { return answered.has_value(); }));
  EXPECT_FALSE(answered->allowed) << "a client must not choose that it counts as a failure";
  EXPECT_TRUE(server.requests().empty());
}

TEST_F(HooksTest, TellsWithoutWaiting) {
  HttpServer server([](const HttpRequest&) { return http_answer(200, "1"); });
  HookEvent event = publish_event();
  event.action = "on_unpublish";
  hooks().tell(server.url(), event, settings_of(kPatience));
  ASSERT_TRUE(turn_until([&] { return !server.requests().empty(); }));
  EXPECT_EQ(boost::json::parse(server.requests().front().body).at("action").as_string(),
            "on_unpublish");
  EXPECT_EQ(hooks().counters().told, 1U);
}

// --- many, cancelled, abandoned ------------------------------------------------------------------

TEST_F(HooksTest, ManyAtOnceAreAllAnswered) {
  HttpServer server([](const HttpRequest& request) {
    const boost::json::value document = boost::json::parse(request.body);
    return http_answer(200, document.at("stream").as_string() == "odd" ? "1" : "0");
  });
  constexpr int kMany = 500;
  int allowed = 0;
  int refused = 0;
  for (int i = 0; i < kMany; ++i) {
    HookEvent event = publish_event();
    event.stream = i % 2 != 0 ? "odd" : "even";
    hooks().ask(server.url(), event, settings_of(kPatience),
                [&, odd = i % 2 != 0](Reason no, std::string_view) {
                  EXPECT_EQ(no, odd ? Reason::kHookRefused : Reason::kNone);
                  ++(no == Reason::kNone ? allowed : refused);
                });
  }
  EXPECT_TRUE(turn_until([&] { return allowed + refused == kMany; }));
  EXPECT_EQ(allowed, kMany / 2);
  EXPECT_EQ(server.requests().size(), static_cast<std::size_t>(kMany));
}

TEST_F(HooksTest, HowManyWaitIsBoundedAndWhoIsTooManyIsRefusedInAnyCase) {
  HeldServer server;
  constexpr std::size_t kMost = HookQueue::kMaxOfSource + HookQueue::kMaxWaiting;
  std::size_t allowed = 0;
  std::size_t refused = 0;
  for (std::size_t i = 0; i < kMost + 10; ++i) {
    hooks().ask(server->url(), publish_event(), settings_of(kPatience, true),
                [&](Reason no, std::string_view) {
                  ++(no == Reason::kNone ? allowed : refused);
                  EXPECT_TRUE(no == Reason::kNone || no == Reason::kHookBusy);
                });
  }
  EXPECT_TRUE(turn_until([&] { return refused == 10; })) << "those beyond the bound, at once";
  EXPECT_EQ(hooks().counters().dropped, 10U);
  EXPECT_EQ(hooks().counters().failed, 0U);
  EXPECT_TRUE(turn_until([&] { return server->requests().size() == HookQueue::kMaxOfSource; }));
  EXPECT_EQ(allowed, 0U);
  server.open();
  EXPECT_TRUE(turn_until([&] { return allowed == kMost; }));
  EXPECT_EQ(server->requests().size(), kMost);
}

TEST_F(HooksTest, WhoGetsNoPlaceInTimeIsRefusedWhileTheServerAnswersOthers) {
  std::promise<void> open;
  HttpServer server([opened = open.get_future().share()](const HttpRequest& request) {
    if (request.body.find("\"held\"") != std::string::npos) opened.wait();
    return http_answer(200, "1");
  });
  HookEvent held = publish_event();
  held.stream = "held";
  for (std::size_t i = 0; i < HookQueue::kMaxOfSource; ++i) {
    hooks().ask(server.url(), held, settings_of(kPatience, true), {});
  }
  std::optional<Answered> waits;
  hooks().ask(server.url(), publish_event(), settings_of(Duration{2'000}, true), into(waits));
  HookEvent other = publish_event();
  other.ip = "192.0.2.2";
  std::optional<Answered> served;
  hooks().ask(server.url(), other, settings_of(kPatience, true), into(served));
  ASSERT_TRUE(turn_until([&] { return served && waits; }));
  EXPECT_EQ(served->refused, Reason::kHookRefused);
  EXPECT_EQ(waits->refused, Reason::kHookBusy);
  open.set_value();
}

TEST_F(HooksTest, ThoseThatWaitForAServerThatAnswersNobodyFailAtTheirTimeLimitToo) {
  HeldServer server;
  for (std::size_t i = 0; i < HookQueue::kMaxOfSource; ++i) {
    hooks().ask(server->url(), publish_event(), settings_of(kPatience), {});
  }
  EXPECT_EQ(ask(server->url(), settings_of(kShort)).refused, Reason::kHookTimeout);
  EXPECT_TRUE(ask(server->url(), settings_of(kShort, true)).allowed);
  EXPECT_LE(server->requests().size(), HookQueue::kMaxOfSource);
}

TEST_F(HooksTest, NobodyWaitsForAnothersServer) {
  HeldServer slow;
  for (int i = 0; i < 2'000; ++i) {
    HookEvent event = publish_event();
    event.ip = "192.0.2." + std::to_string(i % 250);
    hooks().ask(slow->url(), event, settings_of(kPatience), {});
  }
  HttpServer fast([](const HttpRequest&) { return http_answer(200, "0"); });
  EXPECT_TRUE(ask(fast.url()).allowed);
  EXPECT_LE(slow->requests().size(), HookQueue::kMaxOfServer);
}

// --- a server that does not answer ---------------------------------------------------------------

TEST_F(HooksTest, AServerThatDoesNotAnswerIsNotAskedForAWhileAndThenAgain) {
  std::atomic<bool> well = false;
  HttpServer server([&](const HttpRequest&) { return well ? http_answer(200, "0") : ""; });
  for (std::uint32_t i = 0; i < CircuitBreaker::kFailures; ++i) {
    EXPECT_FALSE(ask(server.url(), settings_of(kPatience, false)).allowed);
  }
  const std::size_t asked = server.requests().size();
  EXPECT_EQ(asked, CircuitBreaker::kFailures);
  EXPECT_TRUE(ask(server.url(), settings_of(kPatience, true)).allowed) << "the setting decides";
  EXPECT_EQ(hooks().counters().failed, CircuitBreaker::kFailures + 1);
  well = true;
  ASSERT_TRUE(turn_until([&] { return ask(server.url()).allowed; }));
  EXPECT_GT(server.requests().size(), asked);
  EXPECT_TRUE(ask(server.url()).allowed);
}

TEST_F(HooksTest, AServerThatAnswersWithErrorsIsAskedOn) {
  HttpServer server([](const HttpRequest&) { return http_answer(500, "0"); });
  constexpr std::uint32_t kMany = 3 * CircuitBreaker::kFailures;
  for (std::uint32_t i = 0; i < kMany; ++i) ask(server.url());
  EXPECT_EQ(server.requests().size(), kMany) << "what one client makes it say is not for all";
}

TEST_F(HooksTest, AnnouncementsOfAnAnswerAreReadOver) {
  const std::string announced = "HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n";
  HttpServer server([&](const HttpRequest&) {
    return "HTTP/1.1 100 Continue\r\n\r\n" + announced + http_answer(200, "0");
  });
  EXPECT_TRUE(ask(server.url()).allowed);
}

TEST_F(HooksTest, WhateverAServerSendsIsBounded) {
  const std::string ok = "HTTP/1.1 200 OK\r\n";
  std::string interim;
  for (std::size_t i = 0; i <= kMaxInterimReplies; ++i) interim += "HTTP/1.1 100 Continue\r\n\r\n";
  std::string chunks = ok + "Transfer-Encoding: chunked\r\n\r\n";
  for (std::size_t i = 0; i <= kMaxReplyBody; ++i) chunks += "1\r\n \r\n";
  std::string fields = ok;
  for (int i = 0; i < 20'000; ++i) fields += "A: b\r\n";
  const std::vector<std::string> answers = {
      interim + http_answer(200, "0"),
      chunks + "0\r\n\r\n",
      fields + "\r\n0",
      ok + "Transfer-Encoding: chunked\r\n\r\n1;" + std::string(200'000, 'x') +
          "\r\n0\r\n0\r\n\r\n",
      ok + "Content-Length: 18446744073709551615\r\n\r\n0",
      ok + "Content-Length: -1\r\n\r\n0",
      "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 1\r\n\r\n0",
      "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n0",
      "HTTP/1.1 000 None\r\nContent-Length: 1\r\n\r\n0",
      std::string(300'000, '\0'),
  };
  for (const std::string& bytes : answers) {
    HttpServer server([&](const HttpRequest&) { return bytes; });
    EXPECT_FALSE(ask(server.url(), settings_of(kPatience, false)).allowed) << bytes.substr(0, 60);
  }
  EXPECT_EQ(hooks().counters().failed, answers.size());
}

/// Sends one client `head`, and then `piece` again and again, with a pause or as fast as it is
/// read.
class EndlessServer {
 public:
  EndlessServer(std::string head, std::string piece, Duration pause)
      : head_(std::move(head)),
        piece_(std::move(piece)),
        pause_(pause),
        listener_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t length = sizeof address;
    auto* generic = reinterpret_cast<sockaddr*>(&address);
    EXPECT_EQ(::bind(listener_.get(), generic, length), 0);
    EXPECT_EQ(::listen(listener_.get(), 1), 0);
    EXPECT_EQ(::getsockname(listener_.get(), generic, &length), 0);
    port_ = ntohs(address.sin_port);
    thread_ = std::thread([this] { drip(); });
  }
  ~EndlessServer() { thread_.join(); }
  [[nodiscard]] std::string url() const { return "http://127.0.0.1:" + std::to_string(port_); }

 private:
  void drip() const {
    const UniqueFd client(::accept(listener_.get(), nullptr, nullptr));
    const std::string* bytes = &head_;
    while (::send(client.get(), bytes->data(), bytes->size(), MSG_NOSIGNAL) >= 0) {
      bytes = &piece_;
      if (pause_ > Duration{0}) std::this_thread::sleep_for(pause_);
    }
  }

  std::string head_;
  std::string piece_;
  Duration pause_;
  UniqueFd listener_;
  std::uint16_t port_ = 0;
  std::thread thread_;
};

TEST_F(HooksTest, TheTimeLimitIsOfTheWholeAnswer) {
  EndlessServer server("HTTP/1.1 200 OK\r\nX: ", "x", Duration{1});  // its end waits for ours
  EXPECT_EQ(ask(server.url(), settings_of(Duration{200})).refused, Reason::kHookTimeout);
}

TEST_F(HooksTest, TheTimeLimitHoldsForAServerThatAlwaysHasMoreToo) {
  EndlessServer server("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
                       "1;" + std::string(8'000, 'x') + "\r\n \r\n", Duration{0});
  EXPECT_EQ(ask(server.url(), settings_of(Duration{100})).refused, Reason::kHookTimeout);
}

TEST_F(HooksTest, ACancelledOneIsNotAnswered) {
  HeldServer server;
  std::vector<std::uint64_t> tickets;
  for (std::size_t i = 0; i < HookQueue::kMaxOfSource + 5; ++i) {
    tickets.push_back(
        hooks().ask(server->url(), publish_event(), settings_of(kPatience),
                    [](Reason, std::string_view) { FAIL() << "called after cancel"; }));
  }
  ASSERT_TRUE(turn_until([&] { return server->requests().size() == HookQueue::kMaxOfSource; }));
  for (const std::uint64_t ticket : tickets) hooks().cancel(ticket);
  hooks().cancel(tickets.front());
  hooks().cancel(12'345);
  server.open();
  EXPECT_TRUE(ask(server->url()).allowed);
  EXPECT_EQ(server->requests().size(), HookQueue::kMaxOfSource + 1)
      << "those that waited for their turn were not sent";
}

TEST_F(HooksTest, OneThatIsCancelledWhileItsServersNameIsLookedUpIsNotSent) {
  std::promise<void> open;
  environment_->shared<NameResolver>().look_up_by(
      [opened = open.get_future().share()](const std::string&) -> NameResolver::Looked {
        opened.wait();
        return {{parse_endpoint("127.0.0.1:0").value()}, {}};
      });
  HttpServer server([](const HttpRequest&) { return http_answer(200, "0"); });
  std::string url = server.url();
  url.replace(url.find("127.0.0.1"), 9, "hooks.test");
  const std::uint64_t ticket =
      hooks().ask(url, publish_event(), settings_of(kPatience),
                  [](Reason, std::string_view) { FAIL() << "called after cancel"; });
  loop_.turn(Duration{0});
  hooks().cancel(ticket);
  open.set_value();
  EXPECT_TRUE(ask(url).allowed);
  EXPECT_EQ(server.requests().size(), 1U);
}

TEST_F(HooksTest, OneThatCannotBeSentCanBeCancelled) {
  const std::uint64_t ticket =
      hooks().ask("ftp://x/", publish_event(), settings_of(kPatience),
                  [](Reason, std::string_view) { FAIL() << "called after cancel"; });
  hooks().cancel(ticket);
  EXPECT_FALSE(ask("ftp://x/").allowed);
}

TEST_F(HooksTest, AnAnswerMayAskAgainAndCancelOthers) {
  HttpServer server([](const HttpRequest&) { return http_answer(200, "0"); });
  std::optional<Answered> second;
  std::uint64_t other = 0;
  bool other_answered = false;
  hooks().ask(server.url(), publish_event(), settings_of(kPatience), [&](Reason, std::string_view) {
    if (!other_answered) hooks().cancel(other);
    hooks().ask(server.url(), publish_event(), settings_of(kPatience), into(second));
  });
  other = hooks().ask(server.url(), publish_event(), settings_of(kPatience),
                      [&](Reason, std::string_view) { other_answered = true; });
  ASSERT_TRUE(turn_until([&] { return second.has_value(); }));
  EXPECT_TRUE(second->allowed);
}

TEST_F(HooksTest, TheEndDoesNotWaitForAServer) {
  HeldServer server;
  for (std::size_t i = 0; i < HookQueue::kMaxOfSource + 5; ++i) {
    hooks().ask(server->url(), publish_event(), settings_of(kPatience),
                [](Reason, std::string_view) { FAIL() << "called after the end"; });
  }
  ASSERT_TRUE(turn_until([&] { return server->requests().size() == HookQueue::kMaxOfSource; }));
  hooks().ask("ftp://x/", publish_event(), settings_of(kPatience),
              [](Reason, std::string_view) { FAIL() << "called after the end"; });
  environment_.reset();  // would not return before the server opens
  loop_.turn(Duration{0});
}

TEST_F(HooksTest, TheEndDoesNotWaitForALookUp) {
  hooks().ask("http://name.invalid:1/", publish_event(), settings_of(kPatience),
              [](Reason, std::string_view) { FAIL() << "called after the end"; });
  environment_.reset();
  loop_.turn(Duration{0});
}

TEST_F(HooksTest, WithoutDescriptorsItIsAFailureAndGoesOnLater) {
  hooks();
  {
    const test::NoMoreDescriptors none;
    const Answered answered = ask("http://127.0.0.1:1/", settings_of(kPatience, true));
    EXPECT_EQ(answered.refused, Reason::kHookBusy) << "clients can bring it about";
  }
  HttpServer server([](const HttpRequest&) { return http_answer(200, "0"); });
  EXPECT_TRUE(ask(server.url()).allowed);
}

TEST_F(HooksTest, WithTooFewDescriptorsItIsAFailureToo) {
  hooks();
  for (int left = 1; left <= 4; ++left) {
    std::vector<UniqueFd> spare;
    for (int i = 0; i < left; ++i) spare.emplace_back(::open("/dev/null", O_RDONLY | O_CLOEXEC));
    const test::NoMoreDescriptors none;
    spare.clear();
    EXPECT_FALSE(ask("http://127.0.0.1:1/").allowed) << left;
  }
}

TEST_F(HooksTest, ThereIsNoThreadForRequests) {
  const auto threads = [] {
    const std::filesystem::directory_iterator tasks("/proc/self/task");
    return std::distance(begin(tasks), end(tasks));
  };
  const auto before = threads();  // those of tests before may still end
  EXPECT_FALSE(ask("http://127.0.0.1:1/").allowed);
  EXPECT_LE(threads(), before);
}

TEST_F(HooksTest, WithoutARequestThereIsNoDescriptor) {
  const std::size_t before = test::open_descriptors();
  hooks();
  EXPECT_LE(test::open_descriptors(), before);
}

}  // namespace
}  // namespace mpb::rtmp
