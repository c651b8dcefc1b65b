#include "worker/rtmp/media_memory.hpp"

#include <gtest/gtest.h>

#include <array>

#include "tests/support/relay_fixture.hpp"

namespace mpb::rtmp {
namespace {

using Numbers = std::vector<std::size_t>;

TEST(MediaMemory, WithoutALimitItIsNeverFull) {
  MediaMemory memory;
  memory.change(0, 1'000'000'000);
  EXPECT_FALSE(memory.is_full());
}

TEST(MediaMemory, ThoseThatKeepMostGiveUpUntilATenthIsFree) {
  MediaMemory memory;
  memory.set_limit(1'000);
  memory.change(0, 1'000);
  EXPECT_FALSE(memory.is_full());
  memory.change(0, 100);
  ASSERT_TRUE(memory.is_full());
  EXPECT_EQ(memory.choose(std::array<std::uint64_t, 4>{100, 150, 300, 0}), Numbers{2});
  EXPECT_EQ(memory.choose(std::array<std::uint64_t, 4>{100, 150, 90, 0}), (Numbers{1, 0}));
  EXPECT_EQ(memory.choose(std::array<std::uint64_t, 2>{0, 0}), Numbers{});
}

TEST(MediaMemory, WhatPlayersNeedIsNotAskedForAgainAndAgain) {
  MediaMemory memory;
  memory.set_limit(1'000);
  memory.change(0, 5'000);
  ASSERT_TRUE(memory.is_full());
  memory.gave_up();
  EXPECT_FALSE(memory.is_full());
  memory.change(0, 100);
  EXPECT_TRUE(memory.is_full());
  memory.set_limit(10'000);
  EXPECT_FALSE(memory.is_full());
}

class MediaMemoryOfStreams : public ::testing::Test, public RelayFixture {
 protected:
  MediaMemoryOfStreams() : limit_(environment.gop_memory = 60'000) {}
  std::unique_ptr<RelayPeer> stream(const std::string& name, std::size_t bytes) {
    auto source = publisher(name);
    source->send_media(MessageType::kVideo, 0, avc_header());
    source->send_media(MessageType::kVideo, 0, avc_key_frame(std::string(bytes, 'k')));
    turn();
    return source;
  }
  [[nodiscard]] const LiveStream& live(const std::string& name) {
    return *hub().find("a.test/live/" + name);
  }

 private:
  std::uint64_t limit_;
};

TEST_F(MediaMemoryOfStreams, TheLargestGivesUpAndItsPlayersGoOn) {
  const auto small = stream("small", 10'000);
  const auto large = stream("large", 30'000);
  const auto sink = player("large");
  EXPECT_EQ(sink->received(MessageType::kVideo).size(), 2U);
  const auto third = stream("third", 20'000);
  EXPECT_EQ(live("large").counters.given_up, 1U);
  EXPECT_EQ(live("large").log().memory(), 0U);
  EXPECT_FALSE(live("large").log().key_frame());
  EXPECT_TRUE(live("small").log().key_frame());
  EXPECT_TRUE(live("third").log().key_frame());
  // Who is there notices nothing; who comes now begins with the next key frame.
  const auto late = player("large");
  EXPECT_TRUE(late->received(MessageType::kVideo).empty());
  large->send_media(MessageType::kVideo, 40, avc_frame("f"));
  large->send_media(MessageType::kVideo, 80, avc_key_frame("next"));
  turn();
  EXPECT_EQ(payloads(sink->received(MessageType::kVideo)),
            (std::vector<std::string>{avc_frame("f"), avc_key_frame("next")}));
  EXPECT_EQ(payloads(late->received(MessageType::kVideo)),
            (std::vector<std::string>{avc_header(), avc_key_frame("next")}));
}

TEST_F(MediaMemoryOfStreams, WhatAPlayerHasYetToGetStays) {
  const auto large = stream("large", 30'000);
  const auto slow = player("large");
  slow->received();
  slow->set_room(0);
  large->send_media(MessageType::kVideo, 40, avc_key_frame(std::string(40'000, 'n')));
  turn();
  const auto other = stream("other", 60'000);
  EXPECT_EQ(live("other").counters.given_up, 1U);
  EXPECT_EQ(live("large").counters.given_up, 0U);
  slow->drain(1'000'000);
  turn();
  EXPECT_EQ(payloads(slow->received(MessageType::kVideo)),
            std::vector<std::string>{avc_key_frame(std::string(40'000, 'n'))});
}

}  // namespace
}  // namespace mpb::rtmp
