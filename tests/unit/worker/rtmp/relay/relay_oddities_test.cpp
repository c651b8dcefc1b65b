// What the relay makes of clients that are careless with RTMP: message stream ids, commands that
// cannot be read, streams ended in odd ways.
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "tests/support/relay_fixture.hpp"
#include "worker/rtmp/relay/relay_hub.hpp"

namespace mpb::rtmp {
namespace {

using namespace std::string_literals;
using Codes = std::vector<std::string>;

constexpr auto kVideo = MessageType::kVideo;
constexpr auto kCommand = MessageType::kCommandAmf0;

class RelayOddities : public ::testing::Test, public RelayFixture {
 protected:
  /// A client that has connected and has no message stream.
  std::unique_ptr<RelayPeer> guest() {
    auto made = peer();
    std::string bytes(1536, 'c');
    append_connect(bytes, "live", "rtmp://a.test/live");
    made->say(bytes);
    made->received();
    return made;
  }
  static std::string message(MessageType type, std::uint32_t stream, std::string_view payload,
                             std::uint32_t chunk_stream = 8) {
    std::string bytes;
    append_message(bytes, {type, chunk_stream, stream, 0, payload}, kDefaultChunkSize);
    return bytes;
  }
  /// A key frame and its header, on message stream `stream`.
  static std::string picture(std::uint32_t stream, std::string_view content = "k") {
    return message(kVideo, stream, avc_header()) + message(kVideo, stream, avc_key_frame(content));
  }
  static void create_stream(RelayPeer& client) {
    std::string bytes;
    append_create_stream(bytes, 2);
    client.say(bytes);
  }
  static Step::Next publish_on(RelayPeer& client, std::uint32_t stream, std::string_view name) {
    std::string bytes;
    append_publish(bytes, stream, name);
    return client.say(bytes);
  }
  static Step::Next play_on(RelayPeer& client, std::uint32_t stream, std::string_view name) {
    std::string bytes;
    append_play(bytes, stream, name);
    return client.say(bytes);
  }
  bool published(const std::string& name) {
    const LiveStream* stream = hub().find("a.test/live/" + name);
    return stream != nullptr && stream->publisher() != nullptr;
  }
  std::vector<std::string> pictures(RelayPeer& player) {
    turn();
    return payloads(player.received(kVideo));
  }
};

TEST_F(RelayOddities, PublishAndPlayNeedNoStreamOfCreateStreams) {
  for (const std::uint32_t id : {0U, 1U, 77U, 0xffffffffU}) {
    auto source = guest();
    EXPECT_EQ(publish_on(*source, id, "s"), Step::Next::kContinue) << id;
    EXPECT_EQ(source->statuses(), Codes{"NetStream.Publish.Start"}) << id;
    auto sink = guest();
    EXPECT_EQ(play_on(*sink, id, "s"), Step::Next::kContinue) << id;
    source->say(picture(id));
    EXPECT_EQ(pictures(*sink).size(), 2U) << id;
    create_stream(*source);
    EXPECT_EQ(source->next(), Step::Next::kContinue);
  }
}

TEST_F(RelayOddities, TheIdsOfCreateStreamAreNotThoseInUse) {
  auto source = guest();
  publish_on(*source, 1, "s");
  source->received();
  create_stream(*source);
  const auto answers = source->received(kCommand);
  ASSERT_EQ(answers.size(), 1U);
  const auto result = read_command({kCommand, 3, 0, 0, answers[0].payload});
  ASSERT_TRUE(result);
  EXPECT_EQ(result->number(1), 2);
}

TEST_F(RelayOddities, MediaOfAnyStreamIsOfTheOnlyPublication) {
  auto source = publisher();  // on message stream 1
  auto sink = player();
  source->say(picture(0) + message(kVideo, 9, avc_frame("f")));
  EXPECT_EQ(pictures(*sink).size(), 3U);
  EXPECT_EQ(hub().ignored.total(), 0U);
}

TEST_F(RelayOddities, WhoPublishedSeveralAtATimeMeansTheIdsItNames) {
  auto source = publisher("s");
  create_stream(*source);
  publish_on(*source, 2, "t");
  source->command("closeStream", 1);
  auto sink = player("t");
  source->say(picture(1, "late, of s") + picture(0));
  EXPECT_EQ(pictures(*sink).size(), 0U);
  EXPECT_EQ(hub().ignored.total(), 4U);
  source->say(picture(2));
  EXPECT_EQ(pictures(*sink).size(), 2U);
}

TEST_F(RelayOddities, EachOfSeveralStreamsIsMeantByItsId) {
  const Codes names{"s", "t", "u", "v"};
  auto source = guest();
  auto all = guest();
  for (std::uint32_t id = 1; id <= names.size(); ++id) {
    publish_on(*source, id, names[id - 1]);
    play_on(*all, id, names[id - 1]);
  }
  for (std::uint32_t id = 1; id <= names.size(); ++id) {
    source->say(picture(id));
    EXPECT_EQ(pictures(*all).size(), 2U) << id;
  }
  EXPECT_EQ(hub().ignored.total(), 0U);
  all->statuses();
  for (std::uint32_t id = 1; id <= names.size(); ++id) {
    all->command("pause", id, {true, 0.0});
    turn();
    EXPECT_EQ(all->statuses(), Codes{"NetStream.Pause.Notify"}) << id;
  }
}

TEST_F(RelayOddities, DataThatCannotBeReadIsCountedAndReachesNobody) {
  auto source = publisher();
  auto sink = player();
  source->say(picture(1));
  turn();
  sink->received();
  std::string payload;
  amf0::write_string(payload, "onMetaData");
  source->say(message(MessageType::kDataAmf3, 1, "\0"s + payload + "\x11\xff"));
  turn();
  EXPECT_EQ(hub().ignored.total(), 1U);
  EXPECT_TRUE(sink->received().empty());
}

TEST_F(RelayOddities, MediaWithoutAPublicationIsCounted) {
  auto client = guest();
  create_stream(*client);
  EXPECT_EQ(client->say(picture(1)), Step::Next::kContinue);
  EXPECT_EQ(hub().ignored.total(), 2U);
}

TEST_F(RelayOddities, DeleteStreamAndCloseStreamEndTheOnlyStreamThatIsInUse) {
  const auto ends = [this](const std::string& command, std::uint32_t on,
                           const std::vector<amf0::Value>& arguments) {
    auto source = publisher();
    source->command(command, on, arguments);
    return !published("s");
  };
  EXPECT_TRUE(ends("deleteStream", 0, {1.0}));
  EXPECT_TRUE(ends("deleteStream", 1, {0.0}));
  EXPECT_TRUE(ends("deleteStream", 1, {}));
  EXPECT_TRUE(ends("deleteStream", 0, {7.0}));
  EXPECT_TRUE(ends("deleteStream", 0, {-1.0}));
  EXPECT_TRUE(ends("closeStream", 1, {}));
  EXPECT_TRUE(ends("closeStream", 0, {}));
  EXPECT_TRUE(ends("FCUnpublish", 0, {"s"s}));
  EXPECT_TRUE(ends("FCUnpublish", 0, {}));
  EXPECT_TRUE(ends("FCUnpublish", 0, {""s}));
  EXPECT_FALSE(ends("FCUnpublish", 0, {"another"s}));
}

TEST_F(RelayOddities, AStreamThatIsDeletedTwiceIsNoOther) {
  auto source = peer();
  source->enter();
  create_stream(*source);
  source->command("deleteStream", 0, {1.0});
  publish_on(*source, 2, "s");
  source->command("deleteStream", 0, {1.0});
  EXPECT_TRUE(published("s"));
}

TEST_F(RelayOddities, PauseOnStreamZeroIsOfWhatIsPlayed) {
  auto source = publisher();
  auto sink = player();
  sink->received();
  sink->command("pause", 0, {true, 0.0});
  turn();
  EXPECT_EQ(sink->statuses(), Codes{"NetStream.Pause.Notify"});
}

TEST_F(RelayOddities, NothingThatCannotBeReadEndsAPublisher) {
  std::string call;
  amf0::write_string(call, "someCall");
  std::string no_transaction = call;
  amf0::write(no_transaction, amf0::Object{{{"code", "NetStream.Publish.Start"s}}, false});
  amf0::write_number(call, 0);
  std::string many = call;
  for (int i = 0; i < 5'000; ++i) amf0::write_number(many, 1);
  std::string deep = call;
  for (int i = 0; i < 10'000; ++i) deep += "\x0a\0\0\0\1"s;
  const std::vector<std::string> payloads{"",
                                          "\0"s,
                                          "\xff",
                                          call + "\x0d",
                                          call + "\x03\0\1a\x05\0\0\x09\x07\0\0"s,
                                          call + "\x11\xff",
                                          call,
                                          many,
                                          deep,
                                          call + "\0\0"s,
                                          no_transaction};
  auto source = publisher();
  source->received();
  for (const MessageType type :
       {kCommand, MessageType::kCommandAmf3, MessageType::kSharedObjectAmf0,
        MessageType::kSharedObjectAmf3, MessageType::kAggregate, MessageType::kDataAmf0,
        MessageType::kDataAmf3, MessageType{0}, MessageType{7}, MessageType{21},
        MessageType{255}}) {
    for (const std::string& payload : payloads) {
      ASSERT_EQ(source->say(message(type, 1, payload)), Step::Next::kContinue)
          << static_cast<int>(type) << ' ' << testing::PrintToString(payload.substr(0, 40));
    }
  }
  EXPECT_TRUE(published("s"));
  EXPECT_TRUE(source->received(kCommand).empty()) << "no transaction: no answer";
}

TEST_F(RelayOddities, UnknownCallsAreAnsweredWithAnError) {
  auto source = publisher();
  source->received();
  const auto answer_to = [&](std::string_view name) {
    std::string payload;
    amf0::write_string(payload, name);
    amf0::write_number(payload, 8);
    payload += "\xff";
    source->say(message(kCommand, 0, payload));
    const auto answers = source->received(kCommand);
    if (answers.size() != 1) return std::to_string(answers.size());
    return read_command({kCommand, 3, 0, 0, answers[0].payload})->name;
  };
  EXPECT_EQ(answer_to("someCall"), "_error");
  EXPECT_EQ(answer_to("_checkbw"), "_result");
  EXPECT_EQ(answer_to("releaseStream"), "_result");
  EXPECT_EQ(answer_to("_result"), "0");
  EXPECT_EQ(answer_to("_error"), "0");
}

TEST_F(RelayOddities, MetadataMayComeAsACommand) {
  auto source = publisher();
  std::string payload;
  amf0::write_string(payload, "@setDataFrame");
  std::string data;
  amf0::write_string(data, "onMetaData");
  amf0::write(data, amf0::Object{{{"width", 640.0}, {"height", 360.0}}, true});
  source->say(message(kCommand, 1, payload + data) + picture(1));
  auto sink = player();
  turn();
  const auto got = sink->received(MessageType::kDataAmf0);
  ASSERT_FALSE(got.empty());
  EXPECT_EQ(got.back().payload, data);
}

TEST_F(RelayOddities, AFalseNameEndsAPublication) {
  for (const amf0::Value& nothing : {amf0::Value(""s), amf0::Value(false),
                                     amf0::Value(amf0::Null{}), amf0::Value(amf0::Undefined{})}) {
    auto source = publisher();
    source->received();
    EXPECT_EQ(source->command("publish", 1, {nothing}), Step::Next::kContinue);
    EXPECT_EQ(source->statuses(), Codes{"NetStream.Unpublish.Success"});
    EXPECT_FALSE(published("s"));
    // Once more is as good, and begins nothing.
    EXPECT_EQ(source->command("publish", 1, {nothing}), Step::Next::kContinue);
    EXPECT_EQ(source->statuses(), Codes{"NetStream.Unpublish.Success"});
    auto other = publisher();
    other.reset();
    source->publish("s");
    EXPECT_EQ(source->statuses(), Codes{"NetStream.Publish.Start"});
    EXPECT_TRUE(published("s"));
  }
}

TEST_F(RelayOddities, AFalseNameEndsWhatIsPlayed) {
  auto source = publisher();
  for (const amf0::Value& nothing :
       {amf0::Value(""s), amf0::Value(false), amf0::Value(amf0::Null{})}) {
    auto sink = player();
    sink->received();
    EXPECT_EQ(sink->command("play", 1, {nothing}), Step::Next::kContinue);
    turn();
    EXPECT_EQ(sink->statuses(), Codes{"NetStream.Play.Stop"});
    EXPECT_TRUE(hub().find("a.test/live/s")->players().empty());
    sink->play("s");
    EXPECT_EQ(hub().find("a.test/live/s")->players().size(), 1U);
  }
}

TEST_F(RelayOddities, AClosedStreamPublishesAgain) {
  auto source = publisher();
  source->received();
  source->command("closeStream", 1);
  EXPECT_EQ(source->statuses(), Codes{"NetStream.Unpublish.Success"});
  source->publish("t");
  EXPECT_EQ(source->statuses(), Codes{"NetStream.Publish.Start"});
}

TEST_F(RelayOddities, NoNameAtAllIsRefusedInThoseWords) {
  for (const std::string name : {"publish", "play"}) {
    auto client = peer();
    client->enter();
    client->received();
    EXPECT_EQ(client->command(name, 1, {amf0::Null{}}), Step::Next::kClose);
    const auto answers = client->received(kCommand);
    ASSERT_EQ(answers.size(), 1U);
    EXPECT_NE(answers[0].payload.find("The stream has no name."), std::string::npos);
  }
}

TEST_F(RelayOddities, AFrameOnItsWayMayBeLongerThanCommandsWhenItsPublicationEnds) {
  auto source = publisher();
  const std::string frame = message(kVideo, 1, avc_key_frame(std::string(300'000, 'k')), 6);
  source->say(std::string_view(frame).substr(0, 200'000));
  // Between two of its chunks.
  const std::size_t chunk = kDefaultChunkSize + 1;
  const std::size_t at = 12 + kDefaultChunkSize + chunk * ((200'000 - 12 - 128) / chunk + 1);
  source->say(std::string_view(frame).substr(200'000, at - 200'000));
  EXPECT_EQ(source->command("FCUnpublish", 0, {"s"s}), Step::Next::kContinue);
  EXPECT_EQ(source->command("deleteStream", 0, {1.0}), Step::Next::kContinue);
  EXPECT_EQ(source->say(std::string_view(frame).substr(at)), Step::Next::kContinue);
  EXPECT_EQ(source->say(frame), Step::Next::kContinue) << "nor is another one";
  source->received();
  create_stream(*source);
  EXPECT_EQ(source->received(kCommand).size(), 1U);
}

TEST_F(RelayOddities, PublishingWithoutCreateStreamGoesOnInAnotherWorker) {
  auto client = guest();
  EXPECT_EQ(publish_on(*client, 0, "s?vhost=b.test"), Step::Next::kMove);
  const std::string state = handler.export_state(client->client);
  auto moved = peer("b.test");
  ASSERT_TRUE(handler.import_state(moved->client, state));
  EXPECT_EQ(moved->say({}), Step::Next::kContinue);
  auto sink = peer("b.test");
  sink->enter("live", "rtmp://b.test/live");
  sink->play("s");
  moved->say(picture(1));
  EXPECT_EQ(pictures(*sink).size(), 2U);
}

TEST(IgnoredMessages, AreToldUpToABoundAndThenInNumber) {
  IgnoredMessages ignored;
  TimePoint now{Duration{1'000'000}};
  int told = 0;
  while (ignored.tell(now)) {
    ++told;
    ASSERT_LT(told, 1'000);
  }
  EXPECT_GE(told, 1);
  EXPECT_FALSE(ignored.tell(now));
  EXPECT_EQ(ignored.tell(now + Duration{60'000}), 2U);
  EXPECT_EQ(ignored.tell(now + Duration{60'000}), 0U);
}

}  // namespace
}  // namespace mpb::rtmp
