// The relay's publishing and playing, without sockets.
#include <gtest/gtest.h>
#include <sys/socket.h>

#include <string>
#include <vector>

#include "common/unique_fd.hpp"
#include "tests/support/relay_fixture.hpp"
#include "worker/rtmp/relay_client.hpp"

namespace mpb::rtmp {
namespace {

constexpr auto kVideo = MessageType::kVideo;
constexpr auto kAudio = MessageType::kAudio;
using Texts = std::vector<std::string>;

std::vector<std::string> payloads(const std::vector<Received>& messages) {
  std::vector<std::string> texts;
  for (const Received& message : messages) texts.push_back(message.payload);
  return texts;
}

class Relay : public ::testing::Test, public RelayFixture {
 protected:
  std::unique_ptr<RelayPeer> publisher(std::string_view name = "s") {
    auto peer = this->peer();
    peer->enter();
    peer->publish(name);
    return peer;
  }
  std::unique_ptr<RelayPeer> player(std::string_view name = "s") {
    auto peer = this->peer();
    peer->enter();
    peer->play(name);
    turn();
    return peer;
  }
};

TEST_F(Relay, AnswersConnectAndCreateStream) {
  auto client = peer();
  client->enter();
  std::vector<std::string> names;
  for (const Received& message : client->received(MessageType::kCommandAmf0)) {
    names.push_back(read_command({message.type, 3, 0, 0, message.payload})->name);
  }
  EXPECT_EQ(names, (std::vector<std::string>{"_result", "_result"}));
}

TEST_F(Relay, APlayerGetsHeadersAndThenTheLatestKeyFrameOn) {
  auto source = publisher();
  EXPECT_EQ(source->statuses(), std::vector<std::string>{"NetStream.Publish.Start"});
  source->send_media(kVideo, 0, avc_header());
  source->send_media(kAudio, 0, aac_header());
  source->send_media(kVideo, 0, avc_key_frame("k1"));
  source->send_media(kVideo, 40, avc_frame("a"));
  source->send_media(kVideo, 80, avc_key_frame("k2"));
  source->send_media(kAudio, 85, aac_frame("x"));
  turn();
  auto sink = player();
  source->send_media(kVideo, 120, avc_frame("b"));
  turn();
  const auto messages = sink->received();
  std::vector<std::string> media;
  for (const Received& message : messages) {
    if (message.type == kVideo || message.type == kAudio) media.push_back(message.payload);
    ASSERT_NE(message.type, MessageType::kAbort) << message.payload;
  }
  EXPECT_EQ(media, (std::vector<std::string>{avc_header(), aac_header(), avc_key_frame("k2"),
                                             aac_frame("x"), avc_frame("b")}));
}

TEST_F(Relay, TimesBeginNearZeroAndKeepTheirDistances) {
  auto source = publisher();
  source->send_media(kVideo, 500'000, avc_header());
  source->send_media(kAudio, 500'000, aac_header());
  source->send_media(kVideo, 500'000, avc_key_frame("k"));
  source->send_media(kAudio, 500'010, aac_frame("x"));
  for (std::uint32_t frame = 1; frame <= 100; ++frame) {
    source->send_media(kVideo, 500'000 + frame * 40,
                       frame == 50 ? avc_key_frame("k") : avc_frame("f"));
    source->send_media(kAudio, 500'010 + frame * 40, aac_frame("x"));
  }
  turn();
  auto sink = player();
  std::vector<std::uint32_t> video;
  std::vector<std::uint32_t> audio;
  for (const Received& message : sink->received()) {
    if (message.type == kVideo) video.push_back(message.timestamp);
    if (message.type == kAudio) audio.push_back(message.timestamp);
  }
  // Header, then frames 50 to 100: the header stands where frame 49 would.
  ASSERT_EQ(video.size(), 52U);
  ASSERT_EQ(audio.size(), 52U);
  for (std::size_t i = 1; i < video.size(); ++i) EXPECT_EQ(video[i] - video[i - 1], 40U);
  for (std::size_t i = 1; i < audio.size(); ++i) EXPECT_EQ(audio[i] - audio[i - 1], 40U);
  EXPECT_EQ(audio[1] - video[1], 10U) << "sound and picture stay together";
  EXPECT_EQ(std::min(video[0], audio[0]), 0U);
}

TEST_F(Relay, PlayersBeforeThePublisherBeginWithItsFirstKeyFrame) {
  auto sink = player();
  EXPECT_EQ(sink->statuses().back(), "NetStream.Play.Start");
  auto source = publisher();
  source->send_media(kVideo, 0, avc_header());
  source->send_media(kVideo, 0, avc_frame("not a key frame"));
  turn();
  EXPECT_TRUE(sink->received(kVideo).empty());
  source->send_media(kVideo, 40, avc_key_frame("k"));
  turn();
  EXPECT_EQ(payloads(sink->received(kVideo)),
            (std::vector<std::string>{avc_header(), avc_key_frame("k")}));
}

TEST_F(Relay, PlayersStayWhenThePublisherLeavesAndGoOnWhenItIsBack) {
  auto source = publisher();
  source->send_media(kVideo, 7'000, avc_header());
  source->send_media(kVideo, 7'000, avc_key_frame("k"));
  auto sink = player();
  source->send_media(kVideo, 7'040, avc_frame("a"));
  turn();
  const auto before = sink->received(kVideo);
  source.reset();
  turn();
  EXPECT_FALSE(sink->finished());
  EXPECT_TRUE(sink->received().empty());
  source = publisher();
  source->send_media(kVideo, 0, avc_header('w'));
  source->send_media(kVideo, 0, avc_key_frame("k"));
  turn();
  const auto after = sink->received(kVideo);
  EXPECT_EQ(payloads(after), (std::vector<std::string>{avc_header('w'), avc_key_frame("k")}));
  EXPECT_GT(after.front().timestamp, before.back().timestamp) << "full: the times go on";
  EXPECT_LT(after.front().timestamp, before.back().timestamp + 100);
}

TEST_F(Relay, ASecondPublisherIsRefused) {
  auto first = publisher();
  auto second = peer();
  second->enter();
  EXPECT_EQ(second->publish("s"), Step::Next::kClose);
  EXPECT_EQ(second->statuses(), std::vector<std::string>{"NetStream.Publish.BadName"});
  first.reset();
  auto third = publisher();
  EXPECT_EQ(third->statuses(), std::vector<std::string>{"NetStream.Publish.Start"});
}

TEST_F(Relay, AVhostInTheStreamsNameMovesTheClient) {
  auto client = peer();
  client->enter();
  EXPECT_EQ(client->play("s?vhost=b.test"), Step::Next::kMove);
  const std::string state = handler.export_state(client->client);
  EXPECT_LE(state.size(), 4096U);
  // There, the command is carried out from the state alone.
  auto source = peer("b.test");
  source->enter("live", "rtmp://b.test/live");
  source->publish("s");
  source->send_media(kVideo, 0, avc_header());
  source->send_media(kVideo, 0, avc_key_frame("of b"));
  turn();
  auto moved = peer("b.test");
  ASSERT_TRUE(handler.import_state(moved->client, state));
  client.reset();
  EXPECT_EQ(moved->say({}), Step::Next::kContinue);
  turn();
  std::string set_chunk_size;
  const auto messages = moved->received();
  ASSERT_FALSE(messages.empty());
}

TEST_F(Relay, AStateThatIsCutShortIsRefused) {
  auto client = peer();
  client->enter();
  client->play("s?vhost=b.test");
  const std::string state = handler.export_state(client->client);
  for (std::size_t size = 0; size < state.size(); ++size) {
    auto moved = peer("b.test");
    EXPECT_FALSE(handler.import_state(moved->client, state.substr(0, size))) << size;
  }
}

TEST_F(Relay, ABlockedPlayerGoesOnWhereItStoppedByteForByte) {
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

TEST_F(Relay, LongMessagesAreLentToThePlayersSockets) {
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

TEST_F(Relay, ALentMessageThatTheSocketTookInPartGoesOnWhereItStopped) {
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

TEST_F(Relay, ALongDeliveryIsFollowedByAPause) {
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

TEST_F(Relay, APlayerThatReadsNoAnswersIsCut) {
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

TEST_F(Relay, CommandsInOneBurstCannotMakeABlockedPlayersQueueGrow) {
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
  EXPECT_TRUE(sink->cut());
  sink->set_room(SIZE_MAX);
  std::size_t queued = 0;
  sink->drain(SIZE_MAX);
  for (const Received& message : sink->received()) queued += message.payload.size();
  EXPECT_LT(queued, 25'000'000U);
}

TEST_F(Relay, TwoStreamsOnOneConnectionDoNotMixUp) {
  auto one = publisher("one");
  auto two = publisher("two");
  for (RelayPeer* source : {one.get(), two.get()}) {
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

TEST_F(Relay, DeleteStreamEndsPublishing) {
  auto source = publisher();
  ASSERT_NE(hub().find("a.test/live/s"), nullptr);
  std::string payload;
  amf0::write_string(payload, "deleteStream");
  amf0::write_number(payload, 5);
  amf0::write_null(payload);
  amf0::write_number(payload, 1);
  std::string bytes;
  append_message(bytes, {MessageType::kCommandAmf0, 3, 0, 0, payload}, kDefaultChunkSize);
  source->say(bytes);
  EXPECT_EQ(hub().find("a.test/live/s"), nullptr);
}

TEST_F(Relay, KickEndsAllWhoUseTheStream) {
  auto source = publisher();
  auto sink = player();
  auto other = player("t");
  EXPECT_EQ(hub().kick("a.test/live/s"), 2U);
  turn();
  EXPECT_TRUE(source->finished());
  EXPECT_TRUE(sink->finished());
  EXPECT_FALSE(other->finished());
  EXPECT_EQ(hub().kick("a.test/live/nobody"), 0U);
}

TEST_F(Relay, LimitsOfTheVhostAreKept) {
  VhostSettings vhost;
  vhost.name = "a.test";
  vhost.max_players = 1;
  vhost.max_publishers = 1;
  environment.vhosts.replace({vhost});
  auto source = publisher();
  auto sink = player();
  auto second = peer();
  second->enter();
  EXPECT_EQ(second->play("s"), Step::Next::kClose);
  auto third = peer();
  third->enter();
  EXPECT_EQ(third->publish("other"), Step::Next::kClose);
  EXPECT_EQ(third->statuses(), std::vector<std::string>{"NetStream.Publish.Denied"});
  sink.reset();
  auto fourth = player();
  EXPECT_EQ(fourth->statuses().back(), "NetStream.Play.Start");
}

TEST_F(Relay, AnUnknownVhostIsRejected) {
  VhostSettings vhost;
  vhost.name = "other.test";
  environment.vhosts.replace({vhost});
  auto client = peer();
  std::string bytes(1536, 'c');
  append_connect(bytes, "live", "rtmp://a.test/live");
  EXPECT_EQ(client->say(bytes), Step::Next::kClose);
}

TEST_F(Relay, PauseStopsAndUnpauseBeginsWithAKeyFrame) {
  auto source = publisher();
  source->send_media(kVideo, 0, avc_header());
  source->send_media(kVideo, 0, avc_key_frame("k"));
  auto sink = player();
  const auto pause = [&sink](bool on) {
    std::string payload;
    amf0::write_string(payload, "pause");
    amf0::write_number(payload, 0);
    amf0::write_null(payload);
    amf0::write(payload, amf0::Value(on));
    amf0::write_number(payload, 0);
    std::string bytes;
    append_message(bytes, {MessageType::kCommandAmf0, 3, 1, 0, payload}, kDefaultChunkSize);
    sink->say(bytes);
  };
  pause(true);
  turn();
  sink->received();
  source->send_media(kVideo, 40, avc_frame("a"));
  turn();
  EXPECT_TRUE(sink->received(kVideo).empty());
  pause(false);
  turn();
  EXPECT_EQ(payloads(sink->received(kVideo)),
            (std::vector<std::string>{avc_header(), avc_key_frame("k"), avc_frame("a")}));
}

TEST_F(Relay, WhatIsLeftOfAnEndedStreamIsWrittenBeforeTheClientMoves) {
  auto source = publisher();
  source->send_media(kVideo, 0, avc_header());
  source->send_media(kVideo, 0, avc_key_frame("k"));
  auto sink = player();
  sink->received();
  const std::string large = avc_frame(std::string(150'000, 'f'));
  source->send_media(kVideo, 40, large);
  sink->set_room(1'000);
  turn();
  sink->command("deleteStream", 0, {amf0::Value(1.0)});
  std::string bytes;
  append_create_stream(bytes, 4);
  append_play(bytes, 2, "s?vhost=b.test");
  EXPECT_EQ(sink->say(bytes), Step::Next::kWait);
  turn();
  sink->drain(100'000);
  EXPECT_EQ(sink->next(), Step::Next::kWait);
  sink->drain(SIZE_MAX);
  EXPECT_EQ(sink->next(), Step::Next::kMove);
  EXPECT_EQ(payloads(sink->received(kVideo)), Texts{large});
  auto moved = this->peer("b.test");
  ASSERT_TRUE(handler.import_state(moved->client, handler.export_state(sink->client)));
  EXPECT_EQ(moved->say({}), Step::Next::kContinue);
  turn();
  EXPECT_EQ(hub().usage("b.test").players, 1U);
}

TEST_F(Relay, AnswersOfTheSameTurnAreWrittenBeforeTheClientMoves) {
  auto sink = player();
  sink->received();
  std::string bytes;
  append_create_stream(bytes, 4);
  sink->say(bytes);
  EXPECT_EQ(sink->command("closeStream", 1), Step::Next::kContinue);
  EXPECT_EQ(sink->play("s?vhost=b.test"), Step::Next::kWait);
  turn();
  EXPECT_EQ(sink->next(), Step::Next::kMove);
  EXPECT_EQ(sink->received(MessageType::kCommandAmf0).size(), 1U) << "createStream's";
}

TEST_F(Relay, APublisherThatBreaksTheProtocolFreesItsNameAtOnce) {
  auto source = publisher();
  EXPECT_EQ(source->say(std::string(1, '\xff') + std::string(100, '\xff')), Step::Next::kReject);
  auto next = publisher();
  EXPECT_EQ(next->statuses(), Texts{"NetStream.Publish.Start"});
}

TEST_F(Relay, ASecondPlayDoesNotTakeTheFirstOnesDataAway) {
  auto source = publisher();
  source->send_media(kVideo, 0, avc_header());
  source->send_media(kVideo, 0, avc_key_frame("k"));
  auto sink = player();
  std::string data;
  amf0::write_string(data, "onCuePoint");
  source->send_media(MessageType::kDataAmf0, 1'000, data);
  turn();
  std::string bytes;
  append_create_stream(bytes, 4);
  append_play(bytes, 2, "other");
  sink->say(bytes);
  turn();
  sink->received();
  source->send_media(MessageType::kDataAmf0, 1'500, data);
  turn();
  const auto got = sink->received(MessageType::kDataAmf0);
  ASSERT_EQ(got.size(), 1U);
  EXPECT_EQ(got[0].stream, 1U);
  EXPECT_EQ(got[0].timestamp, 1'500U);
}

TEST_F(Relay, TwoSlowStreamsOfOneClientAreBothDroppedBeforeItIsCut) {
  auto one = publisher("one");
  auto two = publisher("two");
  for (RelayPeer* source : {one.get(), two.get()}) {
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
  sink->set_room(10);
  for (RelayPeer* source : {one.get(), two.get()}) {
    source->send_media(kVideo, 40, avc_frame(std::string(300'000, 'f')));
    source->send_media(kVideo, 80, avc_frame("g"));
  }
  turn();
  auto& client = static_cast<RelayClient&>(*sink->client.state);
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

TEST_F(Relay, AStreamThatLostItsPublisherKeepsNoMediaForItsPlayers) {
  auto source = publisher();
  source->send_media(kVideo, 0, avc_header());
  source->send_media(kVideo, 0, avc_key_frame(std::string(1'000'000, 'k')));
  auto sink = player();
  turn();
  ASSERT_GT(hub().find("a.test/live/s")->log().bytes(), 1'000'000U);
  source.reset();
  turn();
  EXPECT_EQ(hub().find("a.test/live/s")->log().bytes(), 0U);
}

TEST_F(Relay, OnlyPlayersWithoutAPublisherAreToldThatThereIsNone) {
  VhostSettings vhost;
  vhost.name = "a.test";
  vhost.play_wait = Duration{5'000};
  environment.vhosts.replace({vhost});
  auto source = publisher();
  source->send_media(kVideo, 0, avc_header());  // its first key frame is still to come
  auto sink = player();
  auto& client = static_cast<RelayClient&>(*sink->client.state);
  const TimePoint later = hub().now() + Duration{6'000};
  EXPECT_FALSE(client.silent_too_long(later));
  source.reset();
  EXPECT_TRUE(client.silent_too_long(later));
  EXPECT_EQ(sink->statuses().back(), "NetStream.Play.StreamNotFound");
}

TEST_F(Relay, APlayersPeerThatVanishesIsFoundByProbes) {
  const UniqueFd socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  auto sink = peer();
  sink->socket = socket.get();
  const auto probes = [&socket] {
    int on = 0;
    socklen_t size = sizeof on;
    EXPECT_EQ(::getsockopt(socket.get(), SOL_SOCKET, SO_KEEPALIVE, &on, &size), 0);
    return on != 0;
  };
  sink->enter();
  EXPECT_FALSE(probes()) << "the vhost's time limit holds";
  sink->play("s");
  EXPECT_TRUE(probes());
}

TEST_F(Relay, StreamsAreDescribed) {
  auto source = publisher();
  source->send_media(kVideo, 0, avc_header());
  source->send_media(kAudio, 0, aac_header());
  auto sink = player();
  const auto* responder = environment.responder("streams");
  ASSERT_NE(responder, nullptr);
  const std::string text = (*responder)("");
  for (const char* part : {"\"vhost\":\"a.test\"", "\"stream\":\"s\"", "\"players\":1",
                           "\"video\":\"avc1\"", "\"audio\":\"mp4a\""}) {
    EXPECT_NE(text.find(part), std::string::npos) << part << " in " << text;
  }
}

TEST_F(Relay, ANameThatIsNotUtf8IsToldEncodedAndCanBeKicked) {
  auto source = publisher("s\xff");
  const std::string text = (*environment.responder("streams"))("");
  EXPECT_NE(text.find("\"s%FF\""), std::string::npos) << text;
  EXPECT_EQ(hub().kick("a.test/live/s%FF"), 1U);
}

}  // namespace
}  // namespace mpb::rtmp
