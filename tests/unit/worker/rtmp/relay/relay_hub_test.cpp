// The relay's publishing and playing, without sockets.
#include <gtest/gtest.h>
#include <sys/socket.h>

#include <algorithm>
#include <string>
#include <tuple>
#include <vector>

#include "common/base/unique_fd.hpp"
#include "proto/channel/message.hpp"
#include "tests/support/answered.hpp"
#include "tests/support/relay_fixture.hpp"
#include "worker/rtmp/relay/relay_client.hpp"

namespace mpb::rtmp {
namespace {

constexpr auto kVideo = MessageType::kVideo;
constexpr auto kAudio = MessageType::kAudio;
using Texts = std::vector<std::string>;

/// User control messages of message stream 1.
std::string stream_begin() {
  return {"\0\0\0\0\0\1", 6};
}
std::string stream_eof() {
  return {"\0\1\0\0\0\1", 6};
}

class Relay : public ::testing::Test, public RelayFixture {};

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

TEST_F(Relay, APlayersStartHasNoDataThatFfmpegTakesForAStream) {
  auto sink = player();
  Texts data;
  for (const Received& message : sink->received(MessageType::kDataAmf0)) {
    std::string_view rest = message.payload;
    const auto name = amf0::read(rest);
    data.push_back(name && name->string() != nullptr ? *name->string() : "?");
    EXPECT_EQ(message.timestamp, 0U);
  }
  EXPECT_EQ(data, Texts{"|RtmpSampleAccess"});
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
  EXPECT_EQ(payloads(sink->received()), Texts{stream_eof()});
  source = publisher();
  source->send_media(kVideo, 0, avc_header('w'));
  source->send_media(kVideo, 0, avc_key_frame("k"));
  turn();
  const auto after = sink->received(kVideo);
  EXPECT_EQ(payloads(after), (std::vector<std::string>{avc_header('w'), avc_key_frame("k")}));
  EXPECT_GT(after.front().timestamp, before.back().timestamp) << "full: the times go on";
  EXPECT_LT(after.front().timestamp, before.back().timestamp + 100);
}

TEST_F(Relay, PlayersAreToldWhenThePublisherEndsAndWhenItIsBack) {
  constexpr auto kControl = MessageType::kUserControl;
  auto waiting = player();
  EXPECT_EQ(payloads(waiting->received(kControl)), Texts{stream_begin()}) << "with the play";
  auto source = publisher();
  turn();
  EXPECT_EQ(payloads(waiting->received(kControl)), Texts{stream_begin()}) << "there is one";
  source->command("closeStream", 1);
  turn();
  EXPECT_EQ(payloads(waiting->received(kControl)), Texts{stream_eof()}) << "which sent nothing";
  source->publish("s");
  source->send_media(kVideo, 0, avc_header());
  source->send_media(kVideo, 0, avc_key_frame("k"));
  turn();
  EXPECT_EQ(payloads(waiting->received()),
            (Texts{stream_begin(), avc_header(), avc_key_frame("k")}));
  source.reset();
  turn();
  EXPECT_EQ(payloads(waiting->received()), Texts{stream_eof()});
  auto late = player();
  EXPECT_EQ(payloads(late->received(kControl)), Texts{stream_begin()});
  turn();
  EXPECT_TRUE(late->received().empty()) << "nothing has ended for it";
}

TEST_F(Relay, TheEndIsToldBehindTheLastMessage) {
  auto source = publisher();
  source->send_media(kVideo, 0, avc_header());
  source->send_media(kVideo, 0, avc_key_frame("k"));
  auto sink = player();
  sink->received();
  sink->set_room(1'000);
  const std::string large = avc_frame(std::string(100'000, 'f'));
  source->send_media(kVideo, 40, large);
  source->send_media(kVideo, 80, avc_frame("last"));
  turn();
  source.reset();
  turn();
  sink->drain(SIZE_MAX);
  turn();
  EXPECT_EQ(payloads(sink->received()), (Texts{large, avc_frame("last"), stream_eof()}));
}

TEST_F(Relay, APublisherThatIsFollowedInTheSameTurnHasNotEndedForPlayers) {
  auto source = publisher();
  source->send_media(kVideo, 0, avc_header());
  source->send_media(kVideo, 0, avc_key_frame("k"));
  auto sink = player();
  sink->received();
  source->command("closeStream", 1);
  source->publish("s");
  turn();
  EXPECT_TRUE(sink->received().empty());
}

TEST_F(Relay, WhoPausesIsToldWhatIsTrueWhenItGoesOn) {
  auto source = publisher();
  source->send_media(kVideo, 0, avc_header());
  source->send_media(kVideo, 0, avc_key_frame("k"));
  auto sink = player();
  sink->received();
  sink->command("pause", 1, {amf0::Value(true), amf0::Value(0.0)});
  turn();
  EXPECT_EQ(payloads(sink->received(MessageType::kUserControl)), Texts{stream_eof()});
  source.reset();
  turn();
  EXPECT_TRUE(sink->received().empty());
  sink->command("pause", 1, {amf0::Value(false), amf0::Value(0.0)});
  turn();
  EXPECT_EQ(payloads(sink->received(MessageType::kUserControl)),
            (Texts{stream_begin(), stream_eof()}));
}

TEST_F(Relay, PublishNotifyTellsPlayersByStatusToo) {
  VhostSettings vhost;
  vhost.name = "a.test";
  vhost.publish_notify = true;
  environment.vhosts.replace({vhost});
  auto early = player();
  early->received();
  auto source = publisher();
  turn();
  EXPECT_EQ(early->statuses(), Texts{"NetStream.Play.PublishNotify"});
  auto late = player();
  EXPECT_EQ(late->statuses(), (Texts{"NetStream.Play.Reset", "NetStream.Play.Start",
                                     "NetStream.Play.PublishNotify"}));
  source.reset();
  turn();
  EXPECT_EQ(early->statuses(), Texts{"NetStream.Play.UnpublishNotify"});
  EXPECT_EQ(late->statuses(), Texts{"NetStream.Play.UnpublishNotify"});
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

TEST_F(Relay, AnAddressInTheStateCountsOnlyIfThePeersWordDoes) {
  auto client = peer();
  ASSERT_TRUE(handler.import_state(client->client, "A192.0.2.7:5"));
  client->enter();
  EXPECT_EQ(client->play("s?vhost=b.test"), Step::Next::kMove);
  const std::string state = handler.export_state(client->client);
  for (const bool believed : {true, false}) {
    auto moved = peer("b.test");
    moved->believed = believed;
    ASSERT_TRUE(moved->adopt(state));
    EXPECT_EQ(moved->relay_client().address(), believed ? "192.0.2.7:5" : "");
  }
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

TEST_F(Relay, AnUnknownVhostIsRejectedWhereItIsAskedForByName) {
  VhostSettings vhost;
  vhost.name = "other.test";
  environment.vhosts.replace({vhost});
  auto client = peer();
  std::string bytes(1536, 'c');
  append_connect(bytes, "live", "rtmp://127.0.0.1/live?vhost=a.test");
  EXPECT_EQ(client->say(bytes), Step::Next::kClose);
}

TEST_F(Relay, WhoNamedOnlyAnAddressIsServedByTheVhostOfItsStream) {
  VhostSettings vhost;
  vhost.name = "a.test";
  environment.vhosts.replace({vhost});
  for (const char* url : {"rtmp://127.0.0.1/live", "rtmp://other.test/live"}) {
    auto client = peer("");
    client->enter("live", url);
    EXPECT_EQ(client->command("releaseStream", 0, {std::string("s")}), Step::Next::kContinue);
    EXPECT_EQ(client->publish("s?vhost=a.test"), Step::Next::kMove);
    const std::string state = handler.export_state(client->client);
    auto moved = peer("a.test");
    ASSERT_TRUE(handler.import_state(moved->client, state));
    EXPECT_EQ(moved->say({}), Step::Next::kContinue);
    EXPECT_EQ(hub().find("a.test/live/s")->publisher(), &moved->relay_client());
  }
}

TEST_F(Relay, WhoseStreamNamesNoVhostEitherIsRefused) {
  VhostSettings vhost;
  vhost.name = "a.test";
  environment.vhosts.replace({vhost});
  for (const char* name : {"s", "s?vhost=b.test"}) {
    auto client = peer("");
    client->enter("live", "rtmp://127.0.0.1/live");
    EXPECT_EQ(client->publish(name), Step::Next::kClose) << name;
    EXPECT_EQ(client->statuses(), std::vector<std::string>{"NetStream.Publish.BadName"});
  }
}

TEST_F(Relay, AStreamMayHaveNoNameButItsApps) {
  auto source = publisher("");
  auto sink = player("");
  source->send_media(kVideo, 0, avc_header());
  source->send_media(kVideo, 0, avc_key_frame("k"));
  turn();
  EXPECT_EQ(sink->received(kVideo).size(), 2U);
  EXPECT_EQ(source->command("publish", 1, {std::string()}), Step::Next::kContinue);
  EXPECT_EQ(source->statuses().back(), "NetStream.Unpublish.Success");
  EXPECT_EQ(source->publish(""), Step::Next::kContinue);
  EXPECT_EQ(source->statuses(), std::vector<std::string>{"NetStream.Publish.Start"});
  EXPECT_EQ(hub().kick("a.test/live/"), 2U);
}

TEST_F(Relay, ParametersOfConnectGoAlongToAnotherWorker) {
  VhostSettings vhost;
  vhost.name = "b.test";
  vhost.publish.key = "abc";
  environment.vhosts.replace({vhost});
  for (const auto& [app, url, code] :
       {std::tuple{"live", "rtmp://127.0.0.1/live?key=abc", "NetStream.Publish.Start"},
        std::tuple{"live?key=abc", "rtmp://127.0.0.1/live", "NetStream.Publish.Start"},
        std::tuple{"live", "rtmp://127.0.0.1/live?key=ab", "NetStream.Publish.Denied"}}) {
    auto client = peer("");
    client->enter(app, url);
    ASSERT_EQ(client->publish("s?vhost=b.test"), Step::Next::kMove);
    auto moved = peer("b.test");
    ASSERT_TRUE(moved->adopt(handler.export_state(client->client)));
    moved->say({});
    EXPECT_EQ(moved->statuses(), std::vector<std::string>{code}) << app << ' ' << url;
  }
}

TEST_F(Relay, NamesMayBeVeryLong) {
  RelayHandler by_stream(environment, ListenerTraits{.key_is_stream = true});
  const std::string name = std::string(40'000, 's') + "?token=" + std::string(9'000, 't');
  RelayPeer client(by_stream, "");
  client.enter();
  ASSERT_EQ(client.publish(name), Step::Next::kMove);
  const std::string state = by_stream.export_state(client.client);
  const std::string key = client.wanted_key();
  EXPECT_LE(state.size(), channel::kMaxState);
  EXPECT_LE(key.size(), channel::kMaxKey);
  RelayPeer moved(by_stream, key);
  ASSERT_TRUE(moved.adopt(state));
  EXPECT_EQ(moved.say({}), Step::Next::kContinue);
  EXPECT_EQ(moved.statuses(), std::vector<std::string>{"NetStream.Publish.Start"});
  EXPECT_LT(test::answered<StreamEntry>(environment).entries.at(0).stream.size(), 2'000U)
      << "an operator is told its beginning";
  EXPECT_EQ(hub().kick("a.test/live/" + std::string(40'000, 's')), 1U);

  RelayPeer another(by_stream, "");
  another.enter();
  EXPECT_EQ(another.publish("t" + name), Step::Next::kMove);
  EXPECT_NE(another.wanted_key(), key);
  RelayPeer too_long(by_stream, "");
  too_long.enter("live", "rtmp://a.test/live?key=" + std::string(30'000, 'k'));
  EXPECT_EQ(too_long.publish(name), Step::Next::kClose);
  EXPECT_EQ(too_long.statuses(), std::vector<std::string>{"NetStream.Publish.BadName"});
}

TEST_F(Relay, SeekAndPlay2AreAnswered) {
  auto source = publisher();
  auto other = publisher("t");
  auto sink = player();
  sink->received();
  sink->command("seek", 1, {1000.0});
  turn();
  EXPECT_EQ(sink->statuses(), std::vector<std::string>{"NetStream.Seek.Notify"});
  sink->command("play2", 1, {amf0::Object{{{"streamName", std::string("t")}}, false}});
  turn();
  EXPECT_EQ(sink->statuses().back(), "NetStream.Play.Start");
  EXPECT_EQ(hub().find("a.test/live/t")->players().size(), 1U);
  EXPECT_TRUE(hub().find("a.test/live/s")->players().empty());
  source->received();
  EXPECT_EQ(source->command("seek", 1, {1000.0}), Step::Next::kContinue);
  EXPECT_EQ(source->statuses(), std::vector<std::string>{"NetStream.Seek.Failed"});
}

TEST_F(Relay, ConnectTellsWhatOfEnhancedRtmpIsRelayedToWhoAsks) {
  for (const bool asks : {false, true}) {
    amf0::Object object{
        {{"app", std::string("live")}, {"tcUrl", std::string("rtmp://a.test/live")}}, false};
    if (asks) object.properties.emplace_back("capsEx", 15.0);
    std::string payload;
    amf0::write_string(payload, "connect");
    amf0::write_number(payload, 1);
    amf0::write(payload, object);
    std::string bytes(1536, 'c');
    append_message(bytes, {MessageType::kCommandAmf0, 3, 0, 0, payload}, kDefaultChunkSize);
    auto client = peer();
    client->say(bytes);
    const auto answers = client->received(MessageType::kCommandAmf0);
    ASSERT_EQ(answers.size(), 1U);
    const auto result = read_command({MessageType::kCommandAmf0, 3, 0, 0, answers[0].payload});
    ASSERT_TRUE(result && result->arguments.size() == 2);
    for (const amf0::Value& argument : result->arguments) {
      const amf0::Value* video = amf0::find(*argument.object(), "videoFourCcInfoMap");
      ASSERT_EQ(video != nullptr, asks);
      if (!asks) continue;
      EXPECT_EQ(*amf0::find(*video->object(), "hvc1")->number(), 4) << "forwards";
      EXPECT_NE(amf0::find(*argument.object(), "audioFourCcInfoMap"), nullptr);
      EXPECT_EQ(*amf0::find(*argument.object(), "capsEx")->number(), 2 + 4 + 8);
    }
  }
}

TEST_F(Relay, MetadataMayBeClearedAndOfAmf3) {
  const auto late_metadata = [this] {
    auto sink = player();
    turn();
    std::string found;
    for (const Received& data : sink->received(MessageType::kDataAmf0)) {
      if (data.payload.find("onMetaData") != std::string::npos) found = data.payload;
    }
    return found;
  };
  auto source = publisher();
  std::string name;
  amf0::write_string(name, "onMetaData");
  // {"width": 640}
  const std::string amf3("\x11\x0a\x0b\1\x0bwidth\4\x85\0\1", 14);
  source->send_media(MessageType::kDataAmf3, 0, std::string(1, '\0') + name + amf3);
  source->send_media(kVideo, 0, avc_header());
  source->send_media(kVideo, 0, avc_key_frame("k"));
  std::string wanted = name;
  amf0::write(wanted, amf0::Object{{{"width", 640.0}}, false});
  EXPECT_EQ(late_metadata(), wanted);
  std::string clear;
  amf0::write_string(clear, "@clearDataFrame");
  std::string other = clear;
  amf0::write_string(other, "onCuePoint");
  source->send_media(MessageType::kDataAmf0, 0, other);
  EXPECT_EQ(late_metadata(), wanted);
  source->send_media(MessageType::kDataAmf0, 0, clear + name);
  EXPECT_EQ(late_metadata(), "");
}

TEST_F(Relay, AnAggregateMayHoldMetadata) {
  std::string data;
  amf0::write_string(data, "onMetaData");
  amf0::write(data, amf0::Object{{{"width", 640.0}}, true});
  const auto tag = [](MessageType type, std::uint32_t time, std::string_view payload) {
    std::string bytes(1, static_cast<char>(type));
    const auto number = [&bytes](std::size_t value) {
      bytes += static_cast<char>(value >> 16);
      bytes += static_cast<char>(value >> 8);
      bytes += static_cast<char>(value);
    };
    number(payload.size());
    number(time);
    bytes += std::string(4, '\0');
    bytes += payload;
    return bytes + std::string(4, '\0');
  };
  auto source = publisher();
  auto sink = player();
  sink->received();
  source->send_media(MessageType::kAggregate, 40,
                     tag(MessageType::kDataAmf0, 1000, data) + tag(kVideo, 1000, avc_header()) +
                         tag(kVideo, 1000, avc_key_frame("k")) + tag(kVideo, 1040, avc_frame("f")));
  turn();
  const auto pictures = sink->received();
  std::vector<MessageType> types;
  for (const Received& one : pictures) types.push_back(one.type);
  EXPECT_EQ(std::count(types.begin(), types.end(), MessageType::kDataAmf0), 1);
  EXPECT_EQ(std::count(types.begin(), types.end(), kVideo), 3);
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
  EXPECT_EQ(sink->received(MessageType::kCommandAmf0).size(), 2U)
      << "createStream's and closeStream's";
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
  auto& client = sink->relay_client();
  const TimePoint later = hub().now() + Duration{6'000};
  EXPECT_EQ(client.silent_too_long(later), Reason::kNone);
  source.reset();
  EXPECT_EQ(client.silent_too_long(later), Reason::kPlayWait);
  EXPECT_EQ(sink->statuses().back(), "NetStream.Play.StreamNotFound");
}

TEST_F(Relay, StreamsAreDescribed) {
  auto source = publisher();
  source->send_media(kVideo, 0, avc_header());
  source->send_media(kAudio, 0, aac_header());
  auto sink = player();
  const StreamEntry stream = test::answered<StreamEntry>(environment).entries.at(0);
  EXPECT_EQ(stream.vhost, "a.test");
  EXPECT_EQ(stream.stream, "s");
  EXPECT_EQ(stream.players, 1U);
  EXPECT_EQ(stream.video, "avc1");
  EXPECT_EQ(stream.audio, "mp4a");
  EXPECT_EQ(test::answered<KickEntry>(environment, "a.test/live/s").totals.kicked, 2U);
}

TEST_F(Relay, ANameThatIsNotUtf8IsToldEncodedAndCanBeKicked) {
  auto source = publisher("s\xff");
  EXPECT_EQ(test::answered<StreamEntry>(environment).entries.at(0).stream, "s%FF");
  EXPECT_EQ(hub().kick("a.test/live/s%FF"), 1U);
}

}  // namespace
}  // namespace mpb::rtmp
