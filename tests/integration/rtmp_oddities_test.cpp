// Clients of RTMP that are careless, or name things in odd ways, under a real broker with several
// workers: they are served like others.
#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "proto/rtmp/command.hpp"
#include "tests/integration/harness/broker_process.hpp"
#include "tests/integration/harness/media.hpp"
#include "tests/integration/harness/rtmp_peer.hpp"

namespace mpb::test {
namespace {

using rtmp::MessageType;

std::string string_argument(std::string_view text) {
  std::string bytes;
  amf0::write_string(bytes, text);
  return bytes;
}

std::string message(MessageType type, std::uint32_t stream, std::string_view payload) {
  std::string bytes;
  rtmp::append_message(bytes, {type, 6, stream, 0, payload}, rtmp::kDefaultChunkSize);
  return bytes;
}

const std::string kHeader("\x17\0\0\0\0\1\x42\xc0\x0a\xff\xe0\0", 12);
const std::string kKeyFrame("\x17\1\0\0\0key", 8);

class RtmpOddities : public testing::Test {
 protected:
  void start(const std::string& more = {}) {
    BrokerSetup setup;
    setup.config =
        "workers = 3\nping-interval = 200ms\n"
        "[listener rtmp]\nlisten = 127.0.0.1:PORT\nprotocol = rtmp\nhandler = relay\n" +
        more;
    broker = std::make_unique<BrokerProcess>(setup);
  }
  std::unique_ptr<RtmpPeer> guest(const std::string& host) const {
    auto made = std::make_unique<RtmpPeer>(broker->port());
    EXPECT_TRUE(made->enter(host));
    return made;
  }
  [[nodiscard]] std::string address() const {
    return "rtmp://127.0.0.1:" + std::to_string(broker->port());
  }

  TempFolder folder;
  std::unique_ptr<BrokerProcess> broker;
};

TEST_F(RtmpOddities, MediaOnStreamZeroGoesAlongToAnotherWorker) {
  start("key = vhost/app/stream\npolicy = hash\n");
  for (int i = 0; i < 8; ++i) {
    const std::string name = string_argument("s" + std::to_string(i));
    const auto source = guest("a.test");
    source->send(rtmp_command_bytes("publish", 3, 1, name));
    ASSERT_EQ(source->status(), "NetStream.Publish.Start");
    const auto sink = guest("a.test");
    sink->send(rtmp_command_bytes("play", 3, 0, name));
    ASSERT_EQ(sink->status(), "NetStream.Play.Reset");
    source->send(message(MessageType::kVideo, 0, kHeader) +
                 message(MessageType::kVideo, 0, kKeyFrame));
    EXPECT_EQ(sink->next(MessageType::kVideo), kHeader);
    EXPECT_EQ(sink->next(MessageType::kVideo), kKeyFrame);
  }
}

TEST_F(RtmpOddities, WhatIsIgnoredIsToldTheOperator) {
  start();
  const auto stray = guest("a.test");
  stray->send(message(MessageType::kVideo, 1, kHeader) +
              message(MessageType::kCommandAmf0, 0, "x") +
              rtmp_command_bytes("createStream", 4, 0));
  ASSERT_TRUE(stray->next(MessageType::kCommandAmf0));
  EXPECT_EQ(broker->request({{"command", "streams"}}).at("ignored").to_number<int>(), 2);
  EXPECT_TRUE(eventually([&] { return broker->log().find("ignored") != std::string::npos; }));
}

TEST_F(RtmpOddities, APublicationThatEndsWithAFalseNameBeginsAgain) {
  start();
  const auto source = guest("a.test");
  for (const std::string& end : {string_argument(""), std::string("\1\0", 2), std::string("\5")}) {
    source->send(rtmp_command_bytes("publish", 3, 1, string_argument("s")));
    ASSERT_EQ(source->status(), "NetStream.Publish.Start");
    source->send(rtmp_command_bytes("publish", 4, 1, end));
    ASSERT_EQ(source->status(), "NetStream.Unpublish.Success");
  }
}

TEST_F(RtmpOddities, PublisherAndPlayersOfAUrlWithoutAStreamMeet) {
  start();
  const std::string clip = make_clip(folder, Tint::kGreen);
  Publisher publisher(folder, address() + "/room", clip);
  for (const char* end : {"/room", "/room/"}) {
    Recorder player(folder, address() + end, 1);
    ASSERT_TRUE(player.finished()) << player.log();
    EXPECT_EQ(difference(folder, clip, player.file()), "");
  }
}

TEST_F(RtmpOddities, AVhostThatOnlyTheStreamsNameSaysIsEnough) {
  start("[vhost a.test]\n[vhost b.test]\npublish-deny = all\n");
  const std::string clip = make_clip(folder, Tint::kBlue);
  Publisher publisher(folder, address() + "/live/s?vhost=a.test", clip);
  Recorder player(folder, address() + "/live/s?vhost=a.test", 1);
  ASSERT_TRUE(player.finished()) << player.log();
  EXPECT_EQ(difference(folder, clip, player.file()), "");

  for (const auto& [name, code] : {std::pair{"s", "NetStream.Publish.BadName"},
                                   std::pair{"s?vhost=c.test", "NetStream.Publish.BadName"},
                                   std::pair{"s?vhost=b.test", "NetStream.Publish.Denied"}}) {
    const auto other = guest("127.0.0.1");
    other->send(rtmp_command_bytes("publish", 3, 1, string_argument(name)));
    EXPECT_EQ(other->status(), code) << name;
    EXPECT_TRUE(other->sees_end());
  }
  RtmpPeer named(broker->port());
  EXPECT_FALSE(named.enter("127.0.0.1/live?vhost=c.test&x="));
}

TEST_F(RtmpOddities, ALongNameGoesAlongToAnotherWorker) {
  start("key = vhost/app/stream\npolicy = hash\n");
  for (int i = 0; i < 8; ++i) {
    const std::string name = string_argument(std::string(40'000, 's') + std::to_string(i));
    const auto source = guest("a.test");
    source->send(rtmp_command_bytes("publish", 3, 1, name));
    ASSERT_EQ(source->status(), "NetStream.Publish.Start");
    const auto sink = guest("a.test");
    sink->send(rtmp_command_bytes("play", 3, 1, name));
    source->send(message(MessageType::kVideo, 1, kHeader) +
                 message(MessageType::kVideo, 1, kKeyFrame));
    EXPECT_EQ(sink->next(MessageType::kVideo), kHeader);
    const boost::json::object report = broker->request({{"command", "streams"}});
    EXPECT_EQ(report.at("streams").as_array().size(), 1U);
  }
}

}  // namespace
}  // namespace mpb::test
