// What one client may cost: memory, and what others get for its bytes.
#include <gtest/gtest.h>

#include <string>

#include "tests/support/relay_fixture.hpp"
#include "worker/rtmp/relay/message_pace.hpp"
#include "worker/rtmp/relay/relay_client.hpp"
#include "worker/rtmp/relay/relay_hub.hpp"

namespace mpb::rtmp {
namespace {

constexpr auto kVideo = MessageType::kVideo;
constexpr auto kData = MessageType::kDataAmf0;
constexpr std::size_t kLarge = 4'000'000;
constexpr std::size_t kLittle = 64UL * 1024;  // of memory, for one client

class RelayBounds : public ::testing::Test, public RelayFixture {
 protected:
  [[nodiscard]] const LiveStream& live(const std::string& name = "s") {
    return *hub().find("a.test/live/" + name);
  }
  /// One that plays, and whose socket takes nothing more.
  std::unique_ptr<RelayPeer> stuck_player() {
    auto peer = this->peer();
    peer->enter();
    peer->set_room(10'000);
    peer->play("s");
    turn();
    return peer;
  }
};

TEST_F(RelayBounds, AFirstFrameIsNotCopiedForEachPlayer) {
  auto source = publisher();
  source->send_media(kVideo, 0, avc_key_frame(std::string(kLarge, 'k')));
  turn();
  for (int i = 0; i < 20; ++i) {
    auto player = stuck_player();
    EXPECT_LT(player->held(), kLittle);
    player->drain(SIZE_MAX);
    EXPECT_EQ(payloads(player->received(kVideo)),
              std::vector<std::string>{avc_key_frame(std::string(kLarge, 'k'))});
  }
}

TEST_F(RelayBounds, NorIsWhatIsLeftOfOneWhenSomethingElseFollowsIt) {
  auto source = publisher();
  source->send_media(kVideo, 0, avc_header());
  source->send_media(kVideo, 0, avc_key_frame(std::string(kLarge, 'k')));
  turn();
  auto player = stuck_player();
  player->command("pause", 1, {amf0::Value(true), amf0::Value(0.0)});
  turn();
  EXPECT_LT(player->held(), kLittle);
  player->drain(SIZE_MAX);
  const auto got = player->received();
  ASSERT_GE(got.size(), 2U);
  EXPECT_EQ(got[got.size() - 3].payload, avc_key_frame(std::string(kLarge, 'k')));
}

TEST_F(RelayBounds, NorWhatASecondStreamOfAClientPlays) {
  auto source = publisher();
  source->send_media(kVideo, 0, avc_header());
  source->send_media(kVideo, 0, avc_key_frame(std::string(kLarge, 'k')));
  turn();
  auto player = this->player();
  player->received();
  player->set_room(10'000);
  player->command("createStream", 0);
  player->command("play", 2, {amf0::Value(std::string("s"))});
  turn();
  EXPECT_LT(player->held(), kLittle);
  player->drain(SIZE_MAX);
  turn();
  const auto got = payloads(player->received(kVideo));
  EXPECT_EQ(got.back(), avc_key_frame(std::string(kLarge, 'k')));
}

TEST_F(RelayBounds, HeadersAndMetadataAreNotCopiedEither) {
  auto source = publisher();
  const std::string header = avc_header() + std::string(60'000, 'h');
  source->send_media(kVideo, 0, header);
  source->send_media(kVideo, 0, avc_key_frame("k"));
  turn();
  auto player = peer();
  player->enter();
  player->set_room(2'000);
  player->play("s");
  turn();
  EXPECT_LT(player->held(), 16'000U);
  player->drain(SIZE_MAX);
  EXPECT_EQ(player->received(kVideo).front().payload, header);
}

TEST_F(RelayBounds, WhatIsLentOutlivesItsStream) {
  auto source = publisher();
  source->send_media(kVideo, 0, avc_key_frame(std::string(kLarge, 'k')));
  turn();
  auto player = stuck_player();
  source->send_media(kVideo, 40, avc_key_frame("next"));
  source->leave();
  turn();
  player->command("closeStream", 1);
  turn();
  EXPECT_EQ(hub().find("a.test/live/s"), nullptr);
  EXPECT_GE(hub().segment_file().memory(), kLarge) << "it counts as long as somebody has it";
  EXPECT_GE(environment.memory.used(), kLarge);
  player->drain(SIZE_MAX);
  EXPECT_EQ(payloads(player->received(kVideo)).front(), avc_key_frame(std::string(kLarge, 'k')));
  turn();
  EXPECT_EQ(hub().segment_file().memory(), 0U);
}

TEST_F(RelayBounds, OneClientKeepsNoMoreForManyStreamsThanForOne) {
  auto source = peer();
  source->enter();
  std::string bytes;
  append_set_chunk_size(bytes, 1U << 24);
  source->say(bytes);
  for (std::uint32_t id = 1; id <= 8; ++id) {
    const std::string name = "m" + std::to_string(id);
    source->command("publish", id, {amf0::Value(name), amf0::Value(std::string("live"))});
  }
  const std::string frame = avc_key_frame(std::string(12'000'000, 'k'));
  for (std::uint32_t id = 1; id <= 8; ++id) {
    std::string message;
    append_message(message, {kVideo, 6, id, 0, frame}, 1U << 24);
    source->say(message);
    turn();
  }
  EXPECT_LE(hub().segment_file().memory(), kMaxKept + frame.size());
  EXPECT_FALSE(source->finished());
}

TEST_F(RelayBounds, PartsOfMessagesCount) {
  auto source = publisher();
  const std::size_t before = source->held();
  std::string bytes;
  append_set_chunk_size(bytes, 1U << 24);
  append_message(bytes, {kVideo, 6, 1, 0, std::string(1'000'000, 'p')}, 1U << 24);
  bytes.pop_back();
  source->say(bytes);
  EXPECT_GE(source->held(), before + 999'999);
  source->say("p");
  EXPECT_LT(source->held(), before + 999'999 + 1'048'577);
}

TEST_F(RelayBounds, MessagesWithoutContentAreTakenAtAPace) {
  auto source = publisher();
  std::string payload;
  amf0::write_string(payload, "x");
  std::string flood;
  append_message(flood, {kData, 5, 1, 0, payload}, kDefaultChunkSize);
  for (std::uint32_t i = 0; i < 2 * MessagePace::kBurst; ++i) flood += '\xc5' + payload;
  EXPECT_EQ(source->say(flood), Step::Next::kWait);
  EXPECT_LE(live().log().end(), MessagePace::kBurst + 10);
  // It goes on by itself once time has passed.
  const std::uint64_t before = live().log().end() + live().log().begin();
  for (int i = 0; i < 100 && live().log().end() <= before; ++i) loop.turn(Duration{100});
  EXPECT_GT(live().log().end(), before);
}

TEST_F(RelayBounds, CommandsOfOneClientAreTakenInPieces) {
  constexpr std::size_t kCommands = 200;
  auto peer = player();
  peer->received();
  std::string payload;
  amf0::write_string(payload, "createStream");
  amf0::write_number(payload, 9);
  payload += '\x05';
  std::string bytes;
  for (std::size_t i = 0; i < kCommands; ++i) {
    append_message(bytes, {MessageType::kCommandAmf0, 3, 0, 0, payload}, kDefaultChunkSize);
  }
  EXPECT_EQ(peer->say(bytes), Step::Next::kWait) << "others have their turn";
  turn();
  std::size_t answers = peer->received(MessageType::kCommandAmf0).size();
  EXPECT_LT(answers, kCommands / 2);
  for (int i = 0; i < 100 && answers < kCommands; ++i) {
    loop.turn(Duration{200});
    answers += peer->received(MessageType::kCommandAmf0).size();
  }
  EXPECT_EQ(answers, kCommands);
}

TEST_F(RelayBounds, AndCountWithWhatEachPlayerGetsOfThem) {
  auto source = publisher();
  source->send_media(MessageType::kAudio, 0, aac_frame("a"));  // with what came before
  const std::uint64_t before = live().counters.charged;
  std::string bytes;
  append_message(bytes, {kData, 5, 1, 0, std::string("\2\0\1x", 4)}, kDefaultChunkSize);
  for (int i = 0; i < 999; ++i) bytes += std::string("\xc5\2\0\1x", 5);
  const std::uint64_t came = live().counters.bytes_in;
  source->say(bytes);
  EXPECT_EQ(live().counters.bytes_in - came, bytes.size()) << "headers are among it";
  EXPECT_GE(live().counters.charged - before, 1'000 * 12U);
}

TEST_F(RelayBounds, WhatIsNoMediaCountsToo) {
  auto source = publisher();
  const std::uint64_t before = live().counters.bytes_in;
  std::string bytes;
  for (int i = 0; i < 100; ++i) append_user_control(bytes, 7, 1);
  source->say(bytes);
  source->send_media(MessageType::kAudio, 0, aac_frame("a"));
  EXPECT_GE(live().counters.bytes_in - before, bytes.size());
}

TEST_F(RelayBounds, WhoAsksAgainAndAgainBeginsWithWhatComes) {
  auto source = publisher();
  source->send_media(kVideo, 0, avc_header());
  source->send_media(kVideo, 0, avc_key_frame(std::string(10'000, 'k')));
  turn();
  auto player = this->player();
  std::size_t frames = player->received(kVideo).size();
  for (int i = 0; i < 100; ++i) {
    player->play("s");
    turn();
    for (const Received& message : player->received(kVideo)) {
      frames += message.payload.size() > 10'000 ? 1 : 0;
    }
  }
  EXPECT_GE(frames, 32U);
  EXPECT_LE(frames, 34U);
  source->send_media(kVideo, 40, avc_key_frame("next"));
  turn();
  EXPECT_EQ(payloads(player->received(kVideo)).back(), avc_key_frame("next"));
}

TEST_F(RelayBounds, AnAggregateOfManyIsCutAndCountsAsMany) {
  auto source = publisher();
  const std::string tag = std::string("\x08\0\0\1\0\0\0\0\0\0\0\xaf", 12) + std::string(4, '\0');
  std::string payload;
  for (int i = 0; i < 20'000; ++i) payload += tag;
  std::string bytes;
  append_set_chunk_size(bytes, 1U << 24);
  append_message(bytes, {MessageType::kAggregate, 6, 1, 0, payload}, 1U << 24);
  source->say(bytes);
  EXPECT_LT(live().log().end(), 10'000U);
  for (int i = 0; i < 10; ++i) source->say(bytes);
  EXPECT_EQ(source->next(), Step::Next::kWait);
}

TEST_F(RelayBounds, SkippedPlayersGoOnAtWhatComes) {
  environment.memory.set_limit(10'000'000);
  auto source = publisher();
  source->send_media(kVideo, 0, avc_header());
  source->send_media(kVideo, 0, avc_key_frame("k"));
  turn();
  auto player = stuck_player();
  for (int i = 1; i < 5; ++i) {
    source->send_media(kVideo, 40U * static_cast<unsigned>(i), avc_frame(std::string(kLarge, 'f')));
    turn();
  }
  ASSERT_TRUE(environment.memory.is_full());
  std::vector<MemoryShare> shares;
  for (MemoryKeeper* keeper : environment.memory_keepers) keeper->list_memory(shares);
  ASSERT_EQ(shares.size(), 1U);
  EXPECT_EQ(shares[0].vhost, "a.test");
  EXPECT_GT(shares[0].due, 3 * kLarge);
  shares[0].keeper->relieve(shares[0], Relief::kSkip);
  EXPECT_LT(environment.memory.used(), 2 * kLarge) << "but for the frame it is in the midst of";
  player->drain(SIZE_MAX);
  source->send_media(kVideo, 400, avc_key_frame("next"));
  turn();
  EXPECT_EQ(payloads(player->received(kVideo)).back(), avc_key_frame("next"));
  EXPECT_GT(live().counters.drops, 0U);
}

}  // namespace
}  // namespace mpb::rtmp
