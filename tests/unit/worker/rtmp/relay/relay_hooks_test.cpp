// The relay's clients that wait for the answer of an HTTP hook.
#include <gtest/gtest.h>

#include <future>
#include <memory>
#include <string>

#include "tests/support/http_server.hpp"
#include "tests/support/relay_fixture.hpp"
#include "worker/rtmp/access/hooks.hpp"

namespace mpb::rtmp {
namespace {

using test::http_answer;
using test::HttpRequest;
using test::HttpServer;

constexpr Duration kPatience{20'000};  // far beyond what anything here takes

class RelayHooks : public ::testing::Test, public RelayFixture {
 protected:
  template <class Condition>
  bool turn_until(Condition condition) {
    const TimePoint limit = Clock::now() + kPatience;
    while (!condition() && Clock::now() < limit) loop.turn(Duration{100});
    return condition();
  }
  void configure(const std::string& name, const std::string& on_publish) {
    VhostSettings vhost;
    vhost.name = name;
    vhost.hooks.on_publish = on_publish;
    vhost.hooks.timeout = kPatience;
    environment.vhosts.replace({vhost});
  }
  Hooks& hooks() { return environment.shared<Hooks>(); }
};

TEST_F(RelayHooks, AConsentIsForTheOneThatWasAskedFor) {
  HttpServer server([](const HttpRequest&) { return http_answer(200, "0"); });
  configure("a.test", server.url());
  auto source = peer();
  source->enter();
  EXPECT_EQ(source->publish("s"), Step::Next::kWait);
  configure("a.test", "");  // a reload removes the hook before it has answered
  ASSERT_TRUE(turn_until([&] { return source->next() == Step::Next::kContinue; }));
  EXPECT_EQ(source->statuses().back(), "NetStream.Publish.Start");
  source->command("closeStream", 1);
  configure("a.test", server.url());
  EXPECT_EQ(source->publish("another"), Step::Next::kWait) << "nobody was asked about this one";
  ASSERT_TRUE(turn_until([&] { return source->next() == Step::Next::kContinue; }));
  EXPECT_EQ(hooks().counters().asked, 2U);
}

TEST_F(RelayHooks, AreToldTheVhostThatTheStreamsNameSays) {
  HttpServer server([](const HttpRequest&) { return http_answer(200, "0"); });
  configure("*.example.com", server.url());
  auto source = peer("b.example.com");
  source->enter("live", "rtmp://x.example.com/live");
  EXPECT_EQ(source->publish("s?vhost=b.example.com"), Step::Next::kWait);
  ASSERT_TRUE(turn_until([&] { return source->next() == Step::Next::kContinue; }));
  ASSERT_EQ(server.requests().size(), 1U);
  EXPECT_NE(server.requests()[0].body.find(R"("vhost":"b.example.com")"), std::string::npos)
      << server.requests()[0].body;
}

TEST_F(RelayHooks, OnConnectIsAskedOfAVhostThatOnlyTheStreamsNameSays) {
  for (const bool lets_in : {true, false}) {
    HttpServer server([&](const HttpRequest&) { return http_answer(200, lets_in ? "0" : "1"); });
    VhostSettings vhost;
    vhost.name = "b.test";
    vhost.hooks.on_connect = server.url();
    vhost.hooks.timeout = kPatience;
    environment.vhosts.replace({vhost});
    auto client = peer("");
    client->enter("live", "rtmp://127.0.0.1/live");
    EXPECT_EQ(client->publish("s?vhost=b.test"), Step::Next::kMove);
    auto moved = peer("b.test");
    ASSERT_TRUE(moved->adopt(handler.export_state(client->client)));
    EXPECT_EQ(moved->say({}), Step::Next::kWait);
    ASSERT_TRUE(turn_until([&] { return moved->next() != Step::Next::kWait; }));
    EXPECT_EQ(moved->next(), lets_in ? Step::Next::kContinue : Step::Next::kClose);
    EXPECT_EQ(moved->statuses().back(),
              lets_in ? "NetStream.Publish.Start" : "NetStream.Publish.Denied");
    ASSERT_EQ(server.requests().size(), 1U);
    const std::string body = server.requests()[0].body;
    EXPECT_NE(body.find("on_connect"), std::string::npos) << body;
    EXPECT_NE(body.find(R"("vhost":"b.test")"), std::string::npos) << body;
  }
}

TEST_F(RelayHooks, AreToldTheAddressWithoutItsPort) {
  HttpServer server([](const HttpRequest&) { return http_answer(200, "0"); });
  configure("a.test", server.url());
  auto source = peer();
  ASSERT_TRUE(handler.import_state(source->client, "A[2001:db8::1]:1234"));
  source->enter();
  EXPECT_EQ(source->publish("s"), Step::Next::kWait);
  ASSERT_TRUE(turn_until([&] { return !server.requests().empty(); }));
  EXPECT_NE(server.requests()[0].body.find(R"("ip":"2001:db8::1")"), std::string::npos)
      << server.requests()[0].body;
}

TEST_F(RelayHooks, AClientThatEndsWhileTheHookIsAskedPublishesNothing) {
  std::promise<void> open;
  HttpServer server([opened = open.get_future().share()](const HttpRequest&) {
    opened.wait();
    return http_answer(200, "0");
  });
  configure("a.test", server.url());
  auto first = peer();
  first->enter();
  EXPECT_EQ(first->publish("s"), Step::Next::kWait);
  auto second = peer();
  second->enter();
  EXPECT_EQ(second->publish("t"), Step::Next::kWait);
  first.reset();
  open.set_value();
  ASSERT_TRUE(turn_until([&] { return second->next() == Step::Next::kContinue; }));
  EXPECT_EQ(hub().find("a.test/live/s"), nullptr);
  EXPECT_NE(hub().find("a.test/live/t"), nullptr);
}

}  // namespace
}  // namespace mpb::rtmp
