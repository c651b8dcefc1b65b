// The relay's streams that another publisher wants.
#include <gtest/gtest.h>
#include <sys/socket.h>

#include <string>
#include <utility>
#include <vector>

#include "common/base/unique_fd.hpp"
#include "tests/support/http_server.hpp"
#include "tests/support/relay_fixture.hpp"
#include "tests/support/socket_pair.hpp"
#include "worker/rtmp/access/hooks.hpp"
#include "worker/rtmp/relay/relay_client.hpp"

namespace mpb::rtmp {
namespace {

using test::http_answer;
using test::HttpRequest;
using test::HttpServer;
using Texts = std::vector<std::string>;

constexpr auto kVideo = MessageType::kVideo;
constexpr Duration kPatience{20'000};  // far beyond what anything here takes
constexpr Duration kMoment{1};
constexpr Duration kAges{3'600'000};

class RelayTakeover : public ::testing::Test, public RelayFixture {
 protected:
  RelayTakeover() { configure(kMoment); }

  VhostSettings& vhost() { return vhost_; }
  void configure() { environment.vhosts.replace({vhost_}); }
  void configure(std::optional<Duration> yields) {
    vhost_.name = "a.test";
    vhost_.publisher_yields = yields;
    configure();
  }
  template <class Condition>
  bool turn_until(Condition condition) {
    const TimePoint limit = Clock::now() + kPatience;
    while (!condition() && Clock::now() < limit) loop.turn(Duration{10});
    return condition();
  }
  /// A publisher whose last byte is longer ago than kMoment.
  std::unique_ptr<RelayPeer> silent_publisher() {
    auto peer = publisher();
    const TimePoint came = loop.now();
    EXPECT_TRUE(turn_until([&] { return loop.now() > came + kMoment; }));
    return peer;
  }
  [[nodiscard]] static std::string last_status(RelayPeer& peer) {
    const Texts codes = peer.statuses();
    return codes.empty() ? std::string() : codes.back();
  }

 private:
  VhostSettings vhost_;
};

TEST_F(RelayTakeover, ASilentPublisherGivesWayAndIsToldSo) {
  auto first = silent_publisher();
  first->statuses();
  auto second = publisher();
  EXPECT_EQ(last_status(*second), "NetStream.Publish.Start");
  turn();
  EXPECT_EQ(last_status(*first), "NetStream.Unpublish.Success");
  EXPECT_TRUE(first->finished());
  EXPECT_FALSE(second->finished());
  ASSERT_NE(hub().find("a.test/live/s"), nullptr);
  EXPECT_EQ(hub().find("a.test/live/s")->publisher(), &second->relay_client());
  EXPECT_EQ(hub().usage("a.test").publishers, 1U);
  first.reset();
  EXPECT_EQ(hub().find("a.test/live/s")->publisher(), &second->relay_client());
  EXPECT_EQ(hub().usage("a.test").publishers, 1U);
}

TEST_F(RelayTakeover, OneThatSendsKeepsItsStream) {
  configure(kAges);
  auto first = publisher();
  auto second = publisher();
  EXPECT_EQ(last_status(*second), "NetStream.Publish.BadName");
  turn();
  EXPECT_FALSE(first->finished());
  EXPECT_EQ(hub().find("a.test/live/s")->publisher(), &first->relay_client());
}

TEST_F(RelayTakeover, TheFirstKeepsItHoweverSilentIfItIsSo) {
  configure(std::nullopt);
  auto first = silent_publisher();
  auto second = publisher();
  EXPECT_EQ(last_status(*second), "NetStream.Publish.BadName");
}

TEST_F(RelayTakeover, TheLastTakesOverFromOneThatSends) {
  configure(Duration{0});
  auto first = publisher();
  auto second = publisher();
  EXPECT_EQ(last_status(*second), "NetStream.Publish.Start");
  // What the first still says before it is closed changes nothing.
  first->publish("s");
  first->send_media(kVideo, 0, avc_key_frame("of the first"));
  EXPECT_EQ(hub().find("a.test/live/s")->publisher(), &second->relay_client());
  turn();
  EXPECT_TRUE(first->finished());
  EXPECT_FALSE(second->finished());
}

TEST_F(RelayTakeover, APieceOfAFrameIsNoSilence) {
  auto first = silent_publisher();
  EXPECT_TRUE(first->relay_client().silent_for(kMoment));
  std::string bytes;
  append_message(bytes, {kVideo, 6, 1, 0, avc_key_frame(std::string(100'000, 'x'))},
                 kDefaultChunkSize);
  first->say(std::string_view(bytes).substr(0, 5));
  EXPECT_FALSE(first->relay_client().silent_for(kMoment));
  const TimePoint said = loop.now();
  ASSERT_TRUE(turn_until([&] { return loop.now() > said + kMoment; }));
  EXPECT_TRUE(first->relay_client().silent_for(kMoment));
  first->say(std::string_view(bytes).substr(5, 1'000));
  EXPECT_FALSE(first->relay_client().silent_for(kMoment));
}

TEST_F(RelayTakeover, WhatTheSocketHoldsIsNoSilence) {
  const auto [ours, theirs] = test::SocketPair();
  auto first = silent_publisher();
  first->socket = ours.get();
  ASSERT_EQ(::send(theirs.get(), "x", 1, MSG_NOSIGNAL), 1);
  auto second = publisher();
  EXPECT_EQ(last_status(*second), "NetStream.Publish.BadName");
}

TEST_F(RelayTakeover, PlayersGoOnAtTheNewcomersKeyFrame) {
  auto first = publisher();
  first->send_media(kVideo, 7'000, avc_header());
  first->send_media(kVideo, 7'000, avc_key_frame("k"));
  auto sink = player();
  first->send_media(kVideo, 7'040, avc_frame("a"));
  turn();
  const auto before = sink->received(kVideo);
  ASSERT_FALSE(before.empty());
  configure(Duration{0});
  auto second = publisher();
  second->send_media(kVideo, 500, avc_header('w'));
  second->send_media(kVideo, 500, avc_frame("cannot be decoded"));
  second->send_media(kVideo, 540, avc_key_frame("l"));
  turn();
  EXPECT_FALSE(sink->finished());
  std::vector<Received> video;
  for (const Received& message : sink->received()) {
    ASSERT_NE(message.type, MessageType::kAbort) << message.payload;
    EXPECT_NE(message.type, MessageType::kUserControl) << "neither an end nor a beginning";
    EXPECT_NE(message.type, MessageType::kCommandAmf0);
    if (message.type == kVideo) video.push_back(message);
  }
  EXPECT_EQ(payloads(video), (Texts{avc_header('w'), avc_key_frame("l")}));
  EXPECT_GT(video.front().timestamp, before.back().timestamp);
  EXPECT_LT(video.back().timestamp, before.back().timestamp + 200);
}

TEST_F(RelayTakeover, OneThatMayNotPublishChangesNothing) {
  vhost().publish.key = "sesame";
  vhost().publisher_yields = Duration{0};
  configure();
  auto first = publisher("s?key=sesame");
  auto second = publisher("s?key=wrong");
  EXPECT_EQ(last_status(*second), "NetStream.Publish.Denied");
  turn();
  EXPECT_FALSE(first->finished());
  EXPECT_EQ(hub().find("a.test/live/s")->publisher(), &first->relay_client());
}

TEST_F(RelayTakeover, TheOneThatIsReplacedDoesNotCount) {
  vhost().max_publishers = 1;
  configure();
  auto first = silent_publisher();
  auto other = publisher("another");
  EXPECT_EQ(last_status(*other), "NetStream.Publish.Denied");
  auto second = publisher();
  EXPECT_EQ(last_status(*second), "NetStream.Publish.Start");
  EXPECT_EQ(hub().usage("a.test").publishers, 1U);
}

TEST_F(RelayTakeover, OneThatDoesSomethingElseAsWellStays) {
  configure(Duration{0});
  auto first = publisher();
  std::string bytes;
  append_create_stream(bytes, 3);
  append_publish(bytes, 2, "another");
  first->say(bytes);
  auto second = publisher();
  turn();
  EXPECT_FALSE(first->finished());
  EXPECT_EQ(last_status(*first), "NetStream.Unpublish.Success");
  EXPECT_EQ(hub().find("a.test/live/another")->publisher(), &first->relay_client());
  EXPECT_EQ(hub().find("a.test/live/s")->publisher(), &second->relay_client());
}

TEST_F(RelayTakeover, AClientMayTakeOverFromItself) {
  configure(Duration{0});
  auto client = publisher();
  std::string bytes;
  append_create_stream(bytes, 3);
  append_publish(bytes, 2, "s");
  client->say(bytes);
  turn();
  EXPECT_FALSE(client->finished());
  Texts codes = client->statuses();
  ASSERT_GE(codes.size(), 2U);
  EXPECT_EQ(codes[codes.size() - 2], "NetStream.Unpublish.Success");
  EXPECT_EQ(codes.back(), "NetStream.Publish.Start");
  EXPECT_EQ(hub().usage("a.test").publishers, 1U);
  configure(kMoment);
  bytes.clear();
  append_create_stream(bytes, 4);
  append_publish(bytes, 3, "s");
  client->say(bytes);
  turn();
  EXPECT_EQ(last_status(*client), "NetStream.Publish.BadName") << "it has just said something";
}

/// The client and action of a request to a web server.
std::pair<std::string, std::string> told(const HttpRequest& request) {
  const auto value = [&request](const std::string& name) {
    const std::string head = "\"" + name + "\":\"";
    const auto from = request.body.find(head) + head.size();
    return request.body.substr(from, request.body.find('"', from) - from);
  };
  return {value("client_id"), value("action")};
}

TEST_F(RelayTakeover, TheHooksHearOfBothInOrder) {
  HttpServer server([](const HttpRequest&) { return http_answer(200, "0"); });
  vhost().hooks = {{}, server.url(), {}, server.url(), {}, kPatience, false};
  configure();
  auto first = publisher();
  ASSERT_TRUE(turn_until([&] { return first->next() == Step::Next::kContinue; }));
  const TimePoint came = loop.now();
  ASSERT_TRUE(turn_until([&] { return loop.now() > came + kMoment; }));
  auto second = publisher();
  EXPECT_EQ(second->next(), Step::Next::kWait);
  EXPECT_EQ(hub().find("a.test/live/s")->publisher(), &first->relay_client());
  ASSERT_TRUE(turn_until([&] { return server.requests().size() == 3; }));
  const auto requests = server.requests();
  const auto [first_id, asked] = told(requests[0]);
  const auto [second_id, asked_again] = told(requests[1]);
  EXPECT_EQ(asked, "on_publish");
  EXPECT_EQ(asked_again, "on_publish");
  EXPECT_NE(first_id, second_id);
  EXPECT_EQ(told(requests[2]), std::pair(first_id, std::string("on_unpublish")));
  EXPECT_TRUE(turn_until([&] { return first->finished(); })) << "it ends with the turn after";
}

TEST_F(RelayTakeover, ARefusalByTheHookLeavesTheFirstAlone) {
  HttpServer server([](const HttpRequest&) { return http_answer(200, "1"); });
  configure(Duration{0});
  auto first = publisher();
  vhost().hooks.on_publish = server.url();
  vhost().hooks.timeout = kPatience;
  configure();
  auto second = publisher();
  ASSERT_TRUE(turn_until([&] { return second->next() == Step::Next::kClose; }));
  EXPECT_EQ(last_status(*second), "NetStream.Publish.Denied");
  EXPECT_FALSE(first->finished());
  EXPECT_EQ(hub().find("a.test/live/s")->publisher(), &first->relay_client());
}

TEST_F(RelayTakeover, OneThatHasHungUpTakesNobodysPlace) {
  auto [ours, theirs] = test::SocketPair();
  configure(Duration{0});
  auto first = publisher();
  auto second = peer();
  second->socket = ours.get();
  second->enter();
  theirs.reset();
  EXPECT_EQ(second->publish("s"), Step::Next::kClose);
  EXPECT_FALSE(first->finished());
  EXPECT_EQ(hub().find("a.test/live/s")->publisher(), &first->relay_client());
}

TEST_F(RelayTakeover, OneThatWakesUpWhileTheHookIsAskedKeepsItsStream) {
  HttpServer server([](const HttpRequest&) { return http_answer(200, "0"); });
  configure(kMoment);
  auto first = silent_publisher();
  vhost().hooks.on_publish = server.url();
  vhost().hooks.timeout = kPatience;
  configure();
  auto second = publisher();
  EXPECT_EQ(second->next(), Step::Next::kWait);
  vhost().publisher_yields = kAges;
  configure();
  first->send_media(kVideo, 0, avc_header());
  ASSERT_TRUE(turn_until([&] { return second->next() != Step::Next::kWait; }));
  EXPECT_EQ(last_status(*second), "NetStream.Publish.BadName");
  EXPECT_EQ(hub().find("a.test/live/s")->publisher(), &first->relay_client());
}

}  // namespace
}  // namespace mpb::rtmp
