// What a relay's players are sent: in which pieces, when, and what becomes of slow ones.
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "tests/support/relay_fixture.hpp"
#include "worker/rtmp/relay/relay_client.hpp"

namespace mpb::rtmp {
namespace {

constexpr auto kVideo = MessageType::kVideo;
constexpr auto kAudio = MessageType::kAudio;
using Texts = std::vector<std::string>;

class RelaySending : public ::testing::Test, public RelayFixture {
 protected:
  /// Of the streams "one" and "two", whose publishers send their first frames here.
  std::unique_ptr<RelayPeer> player_of_both(RelayPeer& one, RelayPeer& two) {
    for (RelayPeer* source : {&one, &two}) {
      source->send_media(kVideo, 0, avc_header());
      source->send_media(kVideo, 0, avc_key_frame("k"));
    }
    auto sink = peer();
    sink->enter();
    sink->play("one");
    std::string bytes;
    append_create_stream(bytes, 4);
    append_play(bytes, 2, "two");
    sink->say(bytes);
    turn();
    return sink;
  }
};

TEST_F(RelaySending, ABlockedPlayerGoesOnWhereItStoppedByteForByte) {
  auto source = publisher();
  source->send_media(kVideo, 0, avc_header());
  source->send_media(kVideo, 0, avc_key_frame(std::string(200'000, 'k')));
  auto sink = player();
  sink->received();
  sink->set_room(1'000);
  std::vector<std::string> expected;
  for (std::uint32_t frame = 1; frame <= 20; ++frame) {
    const std::string payload = avc_frame(std::string(70'000 + frame, static_cast<char>(frame)));
    expected.push_back(payload);
    source->send_media(kVideo, frame * 40, payload);
    turn();
  }
  std::vector<std::string> got;
  for (int i = 0; i < 3000 && got.size() < expected.size(); ++i) {
    sink->drain(997);
    for (const Received& message : sink->received()) {
      ASSERT_EQ(message.type, kVideo) << message.payload;
      got.push_back(message.payload);
    }
  }
  EXPECT_EQ(got, expected);
}

TEST_F(RelaySending, LongMessagesAreLentToThePlayersSockets) {
  auto source = publisher();
  source->send_media(kVideo, 0, avc_header());
  source->send_media(kVideo, 0, avc_key_frame("k"));
  auto viewer = player();
  viewer->received();
  const std::size_t before = viewer->lent();
  source->send_media(kAudio, 10, aac_frame("short"));
  turn();
  EXPECT_EQ(viewer->lent(), before);
  const std::string frame = avc_frame(std::string(10'000, 'f'));
  source->send_media(kVideo, 40, frame);
  turn();
  EXPECT_GE(viewer->lent(), before + frame.size());
  EXPECT_EQ(payloads(viewer->received()), (Texts{aac_frame("short"), frame}));
}

TEST_F(RelaySending, ALentMessageThatTheSocketTookInPartGoesOnWhereItStopped) {
  auto source = publisher();
  source->send_media(kVideo, 0, avc_header());
  source->send_media(kVideo, 0, avc_key_frame("k"));
  auto viewer = player();
  viewer->received();
  const std::string frame = avc_frame(std::string(10'000, 'f'));
  viewer->set_room(5'000);
  source->send_media(kVideo, 40, frame);
  turn();
  EXPECT_EQ(viewer->lent(), 5'000U);
  viewer->drain(SIZE_MAX);
  turn();
  EXPECT_EQ(payloads(viewer->received()), (Texts{frame}));
}

TEST_F(RelaySending, ALongDeliveryIsFollowedByAPause) {
  auto source = publisher();
  source->send_media(kVideo, 0, avc_header());
  source->send_media(kVideo, 0, avc_key_frame("k"));
  auto viewer = player();
  viewer->received();
  constexpr Duration kCost{18};
  viewer->set_cost(kCost);
  source->send_media(kVideo, 40, avc_frame("a"));
  const TimePoint began = Clock::now();
  turn();
  EXPECT_EQ(payloads(viewer->received()), Texts{avc_frame("a")});
  source->send_media(kVideo, 80, avc_frame("b"));
  source->send_media(kVideo, 120, avc_frame("c"));
  std::vector<Received> later;
  while (later.empty() && Clock::now() - began < std::chrono::seconds(10)) {
    loop.turn(Duration{1});
    later = viewer->received();
  }
  EXPECT_GE(Clock::now() - began, kCost + pause_after(kCost) + kCost);
  EXPECT_EQ(payloads(later), (Texts{avc_frame("b"), avc_frame("c")})) << "all at once";
}

TEST(RelayPause, IsBoundedAndFollowsLongDeliveriesOnly) {
  EXPECT_EQ(pause_after(Duration{0}), Duration{0});
  EXPECT_EQ(pause_after(Duration{8}), Duration{0});
  EXPECT_EQ(pause_after(Duration{12}), Duration{12});
  EXPECT_EQ(pause_after(Duration{30}), Duration{32});
  EXPECT_EQ(pause_after(std::chrono::hours(1)), Duration{32});
}

TEST_F(RelaySending, APlayerThatReadsNoAnswersIsCut) {
  auto source = publisher();
  source->send_media(kVideo, 0, avc_header());
  source->send_media(kVideo, 0, avc_key_frame(std::string(100'000, 'k')));
  auto sink = player();
  sink->set_room(0);
  source->send_media(kVideo, 40, avc_frame("f"));
  turn();
  std::string ping;
  append_user_control(ping, 6, 1);
  for (int i = 0; i < 20'000 && !sink->cut(); ++i) {
    sink->say(ping);
    turn();
  }
  EXPECT_TRUE(sink->cut());
  auto other = player();
  EXPECT_FALSE(other->received(kVideo).empty());
}

TEST_F(RelaySending, CommandsInOneBurstCannotMakeABlockedPlayersQueueGrow) {
  auto source = publisher();
  for (const std::string codec : {"avc1", "hvc1", "av01"}) {
    source->send_media(kVideo, 0, "\x90" + codec + std::string(60'000, 'c'));
  }
  source->send_media(kVideo, 0,
                     "\x91"
                     "avc1frame");
  auto sink = player();
  sink->set_room(0);
  const auto pause = [](bool on) {
    std::string payload;
    amf0::write_string(payload, "pause");
    amf0::write_number(payload, 0);
    amf0::write_null(payload);
    amf0::write(payload, amf0::Value(on));
    std::string bytes;
    append_message(bytes, {MessageType::kCommandAmf0, 3, 1, 0, payload}, kDefaultChunkSize);
    return bytes;
  };
  std::string burst;
  for (int i = 0; i < 700; ++i) burst += pause(true) + pause(false);
  sink->say(burst);  // headers of 180 kB each time would make 126 MB
  turn();
  EXPECT_LT(sink->held(), 128U * 1024) << "headers are lent";
  sink->set_room(SIZE_MAX);
  std::size_t queued = 0;
  sink->drain(SIZE_MAX);
  for (const Received& message : sink->received()) queued += message.payload.size();
  EXPECT_LT(queued, 25'000'000U);
}

TEST_F(RelaySending, TwoStreamsOnOneConnectionDoNotMixUp) {
  const auto one = publisher("one");
  const auto two = publisher("two");
  const auto sink = player_of_both(*one, *two);
  sink->received();
  for (std::uint32_t frame = 1; frame <= 30; ++frame) {
    one->send_media(kVideo, frame * 40, avc_frame("one" + std::string(frame * 4'000, '1')));
    two->send_media(kVideo, frame * 50, avc_frame("two" + std::string(frame * 3'000, '2')));
    turn();
  }
  std::vector<std::uint32_t> times[3];
  for (const Received& message : sink->received()) {
    ASSERT_EQ(message.type, kVideo) << message.payload;
    ASSERT_LT(message.stream, 3U);
    times[message.stream].push_back(message.timestamp);
    EXPECT_EQ(message.payload.substr(5, 3), message.stream == 1 ? "one" : "two");
  }
  ASSERT_EQ(times[1].size(), 30U);
  ASSERT_EQ(times[2].size(), 30U);
  EXPECT_EQ(times[1].back() - times[1].front(), 29U * 40);
  EXPECT_EQ(times[2].back() - times[2].front(), 29U * 50);
}

TEST_F(RelaySending, TwoSlowStreamsOfOneClientAreBothDroppedBeforeItIsCut) {
  const auto one = publisher("one");
  const auto two = publisher("two");
  const auto sink = player_of_both(*one, *two);
  sink->set_room(10);
  for (RelayPeer* source : {one.get(), two.get()}) {
    source->send_media(kVideo, 40, avc_frame(std::string(300'000, 'f')));
    source->send_media(kVideo, 80, avc_frame("g"));
  }
  turn();
  auto& client = sink->relay_client();
  const TimePoint later = hub().now() + Duration{11'000};
  std::size_t late = 0;
  for (const char* path : {"a.test/live/one", "a.test/live/two"}) {
    LiveStream* stream = hub().find(path);
    ASSERT_EQ(stream->players().size(), 1U);
    client.drop_if_late(*stream->players()[0], later, Duration{10'000});
    late += stream->counters.drops > 0 ? 1 : 0;
  }
  EXPECT_EQ(late, 2U);
  turn();
  EXPECT_FALSE(sink->cut());
}

}  // namespace
}  // namespace mpb::rtmp
