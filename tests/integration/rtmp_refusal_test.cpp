// RTMP clients that find no place are told so, at each point where they are dispatched.
#include <gtest/gtest.h>

#include "proto/rtmp/command.hpp"
#include "tests/integration/harness/broker_process.hpp"
#include "tests/integration/harness/media.hpp"
#include "tests/integration/harness/rtmp_peer.hpp"

namespace mpb::test {
namespace {

constexpr std::string_view kFull = "The server is full. Try again later.";

/// Two workers, each with room for one client.
BrokerSetup setup(const std::string& key, const std::string& more = {}) {
  BrokerSetup full;
  full.config =
      "workers = 2\nmax-clients = 1\n[listener rtmp]\nlisten = 127.0.0.1:PORT\nprotocol = rtmp\n"
      "key = " +
      key + "\n" + more;
  return full;
}

std::string overflow_of(const BrokerProcess& broker) {
  const auto status = broker.request({{"command", "status"}});
  return std::string(status.at("listeners").as_array().at(0).at("overflow").as_string());
}

/// What the next onStatus or `_error` says to people.
std::string description(RtmpPeer& peer) {
  const auto payload = peer.next(rtmp::MessageType::kCommandAmf0);
  if (!payload) return "nothing";
  const auto command = rtmp::read_command({rtmp::MessageType::kCommandAmf0, 3, 0, 0, *payload});
  if (!command || command->arguments.size() < 2) return "another answer";
  const amf0::Object* info = command->arguments[1].object();
  if (info == nullptr) return "no reason";
  return std::string(amf0::text(*info, "code")) + ": " +
         std::string(amf0::text(*info, "description"));
}

TEST(RtmpRefusal, AtConnectWhenTheVhostsWorkerIsFull) {
  const BrokerProcess broker(setup("vhost"));
  EXPECT_EQ(overflow_of(broker), "refuse") << "by default";
  RtmpPeer first(broker.port());
  ASSERT_TRUE(first.enter_stream("a.test"));
  RtmpPeer second(broker.port());
  ASSERT_TRUE(second.greet());
  second.send(rtmp_connect_bytes("a.test"));
  EXPECT_EQ(description(second), "NetConnection.Connect.Rejected: " + std::string(kFull));
  EXPECT_TRUE(second.sees_end());
  RtmpPeer elsewhere(broker.port());
  EXPECT_TRUE(elsewhere.enter_stream("b.test")) << "the other worker has room";
}

TEST(RtmpRefusal, AtTheStreamsNameWhenItsWorkerIsFull) {
  const BrokerProcess broker(setup("vhost/app/stream"));
  RtmpPeer publisher(broker.port());
  ASSERT_TRUE(publisher.enter_stream("a.test"));
  std::string publish;
  rtmp::append_publish(publish, 1, "s");
  publisher.send(publish);
  ASSERT_EQ(publisher.status(), "NetStream.Publish.Start");
  {
    RtmpPeer player(broker.port());
    ASSERT_TRUE(player.enter_stream("a.test"));
    std::string play;
    rtmp::append_play(play, 1, "s");
    player.send(play);
    EXPECT_EQ(description(player), "NetStream.Play.Failed: " + std::string(kFull));
    EXPECT_TRUE(player.sees_end());
  }
  RtmpPeer rival(broker.port());
  ASSERT_TRUE(rival.enter_stream("a.test"));
  rival.send(publish);
  EXPECT_EQ(description(rival), "NetStream.Publish.Denied: " + std::string(kFull));
  EXPECT_TRUE(rival.sees_end());
}

TEST(RtmpRefusal, FfmpegSaysWhy) {
  const TempFolder folder;
  for (const char* key : {"vhost", "vhost/app/stream"}) {
    const BrokerProcess broker(setup(key));
    RtmpPeer publisher(broker.port());
    ASSERT_TRUE(publisher.enter_stream("a.test"));
    std::string publish;
    rtmp::append_publish(publish, 1, "s");
    publisher.send(publish);
    ASSERT_EQ(publisher.status(), "NetStream.Publish.Start");
    Recorder player(
        folder, "rtmp://127.0.0.1:" + std::to_string(broker.port()) + "/live?vhost=a.test/s", 1);
    EXPECT_FALSE(player.finished()) << key;
    EXPECT_NE(player.log().find(kFull), std::string::npos) << key << ": " << player.log();
  }
}

TEST(RtmpRefusal, SpillMustBeAskedForAndIsWarnedOf) {
  const BrokerProcess broker(setup("vhost", "overflow = spill\n"));
  EXPECT_EQ(overflow_of(broker), "spill");
  EXPECT_NE(broker.log().find("event=doubtful option="), std::string::npos) << broker.log();
  RtmpPeer first(broker.port());
  ASSERT_TRUE(first.enter_stream("a.test"));
  RtmpPeer second(broker.port());
  EXPECT_TRUE(second.enter_stream("a.test"));
}

TEST(RtmpRefusal, OtherProtocolsSpillByDefault) {
  const BrokerProcess broker;
  EXPECT_EQ(overflow_of(broker), "spill");
}

}  // namespace
}  // namespace mpb::test
