// What an operator learns of single clients: from mpctl events, the log and status.
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include <boost/json/array.hpp>

#include "common/base/plain_text.hpp"
#include "proto/rtmp/command.hpp"
#include "tests/integration/harness/broker_process.hpp"
#include "tests/integration/harness/rtmp_peer.hpp"

namespace mpb::test {
namespace {

namespace json = boost::json;

std::string config(const std::string& listener, const std::string& vhosts) {
  return "workers = 2\n"
         "[listener rtmp]\nlisten = 127.0.0.1:PORT\nprotocol = rtmp\nhandler = relay\n" +
         listener + vhosts;
}

std::size_t lines_with(const std::string& log, const std::string& text) {
  std::size_t lines = 0;
  for (auto at = log.find(text); at != std::string::npos; at = log.find(text, at + 1)) ++lines;
  return lines;
}

class RtmpNotices : public testing::Test {
 protected:
  void start(const std::string& listener, const std::string& vhosts) {
    BrokerSetup setup;
    setup.config = config(listener, vhosts);
    broker = std::make_unique<BrokerProcess>(setup);
    events = std::make_unique<EventStream>(broker->control_path());
  }
  /// Gives what it is told.
  std::string publish(const std::string& vhost, const std::string& stream,
                      const std::string& before = {}) {
    auto& peer = peers.emplace_back(std::make_unique<RtmpPeer>(broker->port()));
    if (!before.empty()) peer->send(before);
    if (!peer->enter_stream(vhost)) return {};
    std::string bytes;
    rtmp::append_publish(bytes, 1, stream);
    peer->send(bytes);
    return peer->status();
  }
  /// The count of all workers together.
  std::int64_t refused(const std::string& reason) {
    std::int64_t total = 0;
    const json::object report = broker->request({{"command", "status"}});
    for (const json::value& worker : report.at("workers").as_array()) {
      total += worker.at("refused").at(reason).to_number<std::int64_t>();
    }
    return total;
  }

  std::unique_ptr<BrokerProcess> broker;
  std::unique_ptr<EventStream> events;
  std::vector<std::unique_ptr<RtmpPeer>> peers;  // end before the broker
};

TEST_F(RtmpNotices, WhoPublishesAndWhoIsRefusedLeavesATraceWithoutSecrets) {
  start("", "[vhost a.test]\npublish-key = sesame\n");
  EXPECT_EQ(publish("a.test", "s?key=opensaysme"), "NetStream.Publish.Denied");
  const json::object refusal = events->await("refused");
  ASSERT_FALSE(refusal.empty());
  EXPECT_EQ(refusal.at("reason").as_string(), "key");
  EXPECT_EQ(refusal.at("action").as_string(), "publish");
  EXPECT_EQ(refusal.at("vhost").as_string(), "a.test");
  EXPECT_EQ(refusal.at("app").as_string(), "live");
  EXPECT_EQ(refusal.at("stream").as_string(), "s");
  EXPECT_TRUE(std::string(refusal.at("address").as_string()).starts_with("127.0.0.1:"));
  EXPECT_TRUE(refusal.contains("slot"));

  EXPECT_EQ(publish("a.test", "s?key=sesame"), "NetStream.Publish.Start");
  EXPECT_EQ(events->await("publish").at("stream").as_string(), "s");
  peers.clear();
  const json::object end = events->await("unpublish");
  ASSERT_FALSE(end.empty());
  EXPECT_EQ(end.at("reason").as_string(), "ended");

  EXPECT_EQ(publish("b.test", "s"), "NetStream.Publish.BadName") << "there is no such vhost";
  EXPECT_EQ(events->await("refused").at("vhost").as_string(), "b.test");
  EXPECT_EQ(refused("key"), 1);
  EXPECT_EQ(refused("vhost"), 1);
  const std::string log = broker->log();
  EXPECT_EQ(lines_with(log, "event=refused"), 2U);
  EXPECT_EQ(lines_with(log, "event=publish"), 1U);
  for (const char* secret : {"sesame", "opensaysme"}) {
    EXPECT_EQ(log.find(secret), std::string::npos) << secret;
  }
}

TEST_F(RtmpNotices, WhatAProxyToldIsTheAddress) {
  start("prefix = proxy\nprefix-from = 127.0.0.0/8\n",
        "[vhost a.test]\npublish-deny = 203.0.113.7\n");
  EXPECT_EQ(publish("a.test", "s", "PROXY TCP4 203.0.113.7 192.0.2.1 4711 1935\r\n"),
            "NetStream.Publish.Denied");
  const json::object refusal = events->await("refused");
  ASSERT_FALSE(refusal.empty());
  EXPECT_EQ(refusal.at("address").as_string(), "203.0.113.7:4711");
  EXPECT_EQ(refusal.at("reason").as_string(), "address");
  EXPECT_EQ(publish("b.test", "s", "PROXY TCP4 203.0.113.8 192.0.2.1 4712 1935\r\n"),
            "NetStream.Publish.BadName");
  EXPECT_EQ(events->await("refused").at("address").as_string(), "203.0.113.8:4712");
}

TEST_F(RtmpNotices, NamesThatWouldTurnHideOrControlTextAreShownAndNotObeyed) {
  start("", "");
  const std::string name = "x\u202etxt\u009b31m\u200b";
  ASSERT_EQ(publish("a.test", name), "NetStream.Publish.Start");
  EXPECT_EQ(events->await("publish").at("stream").as_string(), name)
      << "to programs it is the same";
  const std::string log = broker->log();
  EXPECT_NE(log.find(R"(stream="x\u{202e}txt\u{009b}31m\u{200b}")"), std::string::npos) << log;
  EXPECT_EQ(plain_lines(log), log);
  ControlLink link(broker->control_path());
  link.send("{\"command\":\"streams\"}\n");
  const std::string streams = link.read_line();
  EXPECT_NE(streams.find("\\u202e"), std::string::npos) << streams;
  EXPECT_TRUE(is_plain(streams)) << streams;
}

TEST_F(RtmpNotices, AFloodIsBoundedInLinesAndCountedInFull) {
  constexpr int kClients = 200;
  start("", "[vhost a.test]\npublish-key = sesame\n[vhost b.test]\npublish-key = sesame\n");
  for (int i = 0; i < kClients; ++i) {
    EXPECT_EQ(publish("a.test", "s"), "NetStream.Publish.Denied");
    peers.clear();
  }
  EXPECT_EQ(refused("key"), kClients);
  EXPECT_LT(lines_with(broker->log(), "event=refused"), kClients);
  EXPECT_GE(lines_with(broker->log(), "event=refused"), 10U);
  EXPECT_EQ(publish("b.test", "s"), "NetStream.Publish.Denied");
  json::object last;
  while (last.empty() || last.at("vhost").as_string() != "b.test") {
    last = events->await("refused");
    ASSERT_FALSE(last.empty()) << "the other vhost's line is not held back";
  }
  const auto suppressed = [&] {
    if (publish("a.test", "s").empty()) return false;
    const std::string log = broker->log();
    return log.find("vhost=a.test app=live stream=s suppressed=") != std::string::npos;
  };
  EXPECT_TRUE(eventually(suppressed)) << "the next line tells of those before";
}

TEST_F(RtmpNotices, TheSingleProcessTellsItsLog) {
  BrokerSetup setup;
  setup.arguments = {"--workers", "0"};
  setup.config =
      "[listener rtmp]\nlisten = 127.0.0.1:PORT\nprotocol = rtmp\n"
      "[vhost a.test]\npublish-key = sesame\n";
  setup.await_ready = false;
  broker = std::make_unique<BrokerProcess>(setup);
  ASSERT_TRUE(eventually([&] {
    return broker->log().find("event=listening") != std::string::npos;
  })) << broker->log();
  EXPECT_EQ(publish("a.test", "s?key=wrong"), "NetStream.Publish.Denied");
  EXPECT_TRUE(eventually([&] {
    return broker->log().find("event=refused reason=key action=publish address=127.0.0.1:") !=
           std::string::npos;
  })) << broker->log();
  EXPECT_EQ(publish("a.test", "s?key=sesame"), "NetStream.Publish.Start");
  EXPECT_TRUE(eventually([&] {
    return broker->log().find("event=publish address=127.0.0.1:") != std::string::npos;
  })) << broker->log();
}

TEST_F(RtmpNotices, WhoSaysNothingOrNonsenseIsTold) {
  BrokerSetup setup;
  setup.arguments = {"--header-timeout", "300ms"};
  setup.config = config("", "");
  broker = std::make_unique<BrokerProcess>(setup);
  events = std::make_unique<EventStream>(broker->control_path());
  Client slow(broker->port());
  slow.send("\x03");
  EXPECT_EQ(events->await("refused").at("reason").as_string(), "header-timeout");
  Client wrong(broker->port());
  wrong.send("GET / HTTP/1.1\r\n\r\n");
  EXPECT_EQ(events->await("refused").at("reason").as_string(), "protocol");
}

/// It has a place in the stream's figures, whichever limit ends it.
TEST_F(RtmpNotices, APlayerThatReadsNothingForTheSendTimeLimitIsCountedAsCut) {
  BrokerSetup setup;
  setup.arguments = {"--send-timeout", "500ms"};
  setup.config = config("", "[vhost a.test]\nqueue = 10m\n");
  broker = std::make_unique<BrokerProcess>(setup);
  ASSERT_EQ(publish("a.test", "s"), "NetStream.Publish.Start");
  RtmpPeer player(broker->port());
  ASSERT_TRUE(player.enter_stream("a.test"));
  std::string play;
  rtmp::append_play(play, 1, "s");
  player.send(play);
  ASSERT_EQ(player.status(), "NetStream.Play.Reset");
  std::uint32_t time = 0;
  const auto send_video = [&](const std::string& payload) {
    std::string bytes;
    rtmp::append_message(bytes, {rtmp::MessageType::kVideo, 6, 1, time += 40, payload}, 128);
    peers.front()->send(bytes);
  };
  send_video(std::string("\x17\0\0\0\0", 5) + "config");
  const auto is_cut = [&] {
    send_video(std::string("\x17\1\0\0\0", 5) + std::string(256 * 1024, 'k'));
    const json::object report = broker->request({{"command", "streams"}});
    return report.at("streams").as_array().at(0).at("cut").to_number<std::int64_t>() == 1;
  };
  EXPECT_TRUE(eventually(is_cut, 30s));
  const auto closed = [](const WorkerStatus& worker) { return worker.closed.slow; };
  EXPECT_EQ(broker->status().sum(closed), 1);
}

}  // namespace
}  // namespace mpb::test
