#include "bench/mprtmp/session.hpp"

#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

#include "proto/rtmp/command.hpp"
#include "proto/rtmp/handshake.hpp"

namespace mpb::rtmp_load {
namespace {

class Recorder final : public SessionObserver {
 public:
  void on_accepted() override { events.emplace_back("accepted"); }
  void on_started() override { events.emplace_back("started"); }
  void on_refused(std::string_view why) override {
    events.push_back("refused " + std::string(why));
  }
  void on_media_begun() override { events.emplace_back("begun"); }
  void on_media(const Skimmed& message) override {
    events.push_back("media " + std::to_string(message.length));
  }
  std::vector<std::string> events;
};

class MprtmpSession : public testing::Test {
 protected:
  MprtmpSession() {
    std::mt19937_64 random(1);
    handshake_ =
        rtmp::answer_hello(rtmp::make_hello(rtmp::HandshakeScheme::kSimple, random), random);
  }
  /// The commands that `session` sends for `bytes`.
  std::vector<rtmp::Command> give(Session& session, const std::string& bytes,
                                  std::size_t answered = 0) {
    std::string out;
    EXPECT_TRUE(session.receive(bytes, out, recorder_)) << session.why();
    std::string_view rest = std::string_view(out).substr(std::min(answered, out.size()));
    std::vector<rtmp::Command> commands;
    rtmp::Message message;
    while (reader_.read(rest, message) == rtmp::ChunkReader::Result::kMessage) {
      if (auto command = rtmp::read_command(message)) commands.push_back(*command);
    }
    return commands;
  }
  static std::string success() {
    std::string out;
    rtmp::append_connect_success(out, 1, 0, "x");
    return out;
  }
  static std::string result(double stream) {
    std::string out;
    rtmp::append_result(out, 2, stream);
    return out;
  }
  static std::string status(const char* level, const char* code) {
    std::string out;
    rtmp::append_status(out, 5, level, code, "words");
    return out;
  }

  const Address address_{"rtmp://v0.test/live", "live", "s"};
  rtmp::ChunkReader reader_{1 << 20};
  Recorder recorder_;
  std::string handshake_;
};

TEST_F(MprtmpSession, ComesToPlay) {
  Session session(Session::Role::kPlay, address_);
  auto commands = give(session, handshake_, rtmp::kHandshakeBlock);
  ASSERT_EQ(commands.size(), 1U);
  EXPECT_EQ(commands[0].name, "connect");
  commands = give(session, success());
  ASSERT_EQ(commands.size(), 1U);
  EXPECT_EQ(commands[0].name, "createStream");
  commands = give(session, result(5));
  ASSERT_EQ(commands.size(), 1U);
  EXPECT_EQ(commands[0].name, "play");
  EXPECT_EQ(commands[0].text(1), "s");
  EXPECT_EQ(session.stream(), 5U);
  EXPECT_FALSE(session.started());
  std::string last = status("status", "NetStream.Play.Start");
  rtmp::append_message(last, {rtmp::MessageType::kVideo, 6, 5, 0, "video"}, rtmp::kOutChunkSize);
  give(session, last);
  EXPECT_TRUE(session.started());
  EXPECT_EQ(recorder_.events,
            (std::vector<std::string>{"accepted", "started", "begun", "media 5"}));
}

TEST_F(MprtmpSession, ComesToPublishByteByByte) {
  Session session(Session::Role::kPublish, address_);
  std::vector<std::string> names;
  std::size_t answered = rtmp::kHandshakeBlock;
  for (const char c :
       handshake_ + success() + result(1) + status("status", "NetStream.Publish.Start")) {
    for (const auto& command : give(session, std::string(1, c), answered)) {
      names.push_back(command.name);
      answered = 0;
    }
  }
  EXPECT_EQ(names, (std::vector<std::string>{"connect", "createStream", "publish"}));
  EXPECT_TRUE(session.started());
}

TEST_F(MprtmpSession, TellsWhyItWasRefused) {
  Session session(Session::Role::kPublish, address_);
  std::string rejected;
  rtmp::append_connect_rejected(rejected, 1, "no such vhost");
  give(session, handshake_ + rejected, rtmp::kHandshakeBlock);
  ASSERT_EQ(recorder_.events.size(), 1U);
  EXPECT_EQ(recorder_.events[0].find("refused NetConnection.Connect.Rejected: no such vhost"), 0U)
      << recorder_.events[0];
  Session taken(Session::Role::kPublish, address_);
  recorder_.events.clear();
  reader_ = rtmp::ChunkReader(1 << 20);
  give(taken, handshake_ + success() + result(1) + status("error", "NetStream.Publish.BadName"),
       rtmp::kHandshakeBlock);
  EXPECT_EQ(recorder_.events,
            (std::vector<std::string>{"accepted", "refused NetStream.Publish.BadName: words"}));
}

TEST_F(MprtmpSession, AcknowledgesAndAnswersPings) {
  Session session(Session::Role::kPlay, address_);
  std::string bytes = handshake_ + success() + result(1) + status("status", "NetStream.Play.Start");
  give(session, bytes, rtmp::kHandshakeBlock);
  std::string control;
  rtmp::append_window_ack_size(control, 1'000);
  rtmp::append_user_control(control, 6, 77);
  std::string out;
  ASSERT_TRUE(session.receive(control, out, recorder_));
  std::string pong;
  rtmp::append_user_control(pong, 7, 77);
  EXPECT_EQ(out, pong);
  out.clear();
  std::string more;
  rtmp::append_message(more, {rtmp::MessageType::kVideo, 6, 1, 0, std::string(1'000, 'v')},
                       rtmp::kOutChunkSize);
  ASSERT_TRUE(session.receive(more, out, recorder_));
  std::string acknowledgement;
  rtmp::append_acknowledgement(
      acknowledgement, static_cast<std::uint32_t>(bytes.size() + control.size() + more.size()));
  EXPECT_EQ(out, acknowledgement);
}

TEST_F(MprtmpSession, RefusesAnotherVersion) {
  Session session(Session::Role::kPlay, address_);
  std::string out;
  EXPECT_FALSE(session.receive("\x06", out, recorder_));
  EXPECT_FALSE(session.why().empty());
}

}  // namespace
}  // namespace mpb::rtmp_load
