#include "bench/mprtmp/skimmer.hpp"

#include <gtest/gtest.h>

#include <random>
#include <string>
#include <string_view>
#include <vector>

namespace mpb::rtmp_load {
namespace {

using rtmp::MessageType;

struct Seen {
  MessageType type;
  std::uint32_t stream;
  std::uint32_t timestamp;
  std::uint32_t length;
  std::string front;
  friend bool operator==(const Seen&, const Seen&) = default;
};

/// Feeds `bytes` in pieces of random size up to `longest`.
std::vector<Seen> skim(std::string_view bytes, std::size_t longest, std::uint32_t seed = 1) {
  ChunkSkimmer skimmer;
  std::mt19937 random(seed);
  std::vector<Seen> seen;
  std::size_t begun = 0;
  while (!bytes.empty()) {
    std::string_view piece = bytes.substr(0, 1 + random() % longest);
    bytes.remove_prefix(piece.size());
    Skimmed message;
    for (;;) {
      const auto event = skimmer.next(piece, message);
      if (event == ChunkSkimmer::Event::kNeedMore) break;
      if (event == ChunkSkimmer::Event::kError) {
        ADD_FAILURE() << skimmer.why();
        return seen;
      }
      if (event == ChunkSkimmer::Event::kBegun) {
        ++begun;
        continue;
      }
      seen.push_back({message.type, message.stream, message.timestamp, message.length,
                      std::string(message.front)});
    }
    EXPECT_TRUE(piece.empty());
  }
  EXPECT_EQ(begun, seen.size());
  return seen;
}

rtmp::Message make(MessageType type, std::uint32_t chunk_stream, std::uint32_t timestamp,
                   std::string_view payload) {
  rtmp::Message message;
  message.type = type;
  message.chunk_stream = chunk_stream;
  message.stream = 1;
  message.timestamp = timestamp;
  message.payload = payload;
  return message;
}

TEST(MprtmpSkimmer, SeesTheSameHoweverTheBytesAreCut) {
  const std::string media(5'000, 'm');
  const std::string command(300, 'c');
  std::string bytes;
  rtmp::append_message(bytes, make(MessageType::kCommandAmf0, 3, 0, command), 128);
  rtmp::append_message(bytes, make(MessageType::kVideo, 6, 40, media), 128);
  rtmp::append_set_chunk_size(bytes, 4'096);
  rtmp::append_message(bytes, make(MessageType::kVideo, 70, 0x1000000, media), 4'096);
  rtmp::append_delta_message(bytes, make(MessageType::kVideo, 6, 0, media), 25, 4'096);
  rtmp::append_message(bytes, make(MessageType::kAudio, 4'000, 80, ""), 4'096);
  const std::string kept = media.substr(0, kKeptOfMedia);
  const std::vector<Seen> expected{
      {MessageType::kCommandAmf0, 1, 0, 300, command},
      {MessageType::kVideo, 1, 40, 5'000, kept},
      {MessageType::kSetChunkSize, 0, 0, 4, std::string("\0\0\x10\0", 4)},
      {MessageType::kVideo, 1, 0x1000000, 5'000, kept},
      {MessageType::kVideo, 1, 65, 5'000, kept},
      {MessageType::kAudio, 1, 80, 0, ""}};
  EXPECT_EQ(skim(bytes, bytes.size()), expected);
  EXPECT_EQ(skim(bytes, 1), expected);
  for (std::uint32_t seed = 0; seed < 50; ++seed) EXPECT_EQ(skim(bytes, 200, seed), expected);
}

TEST(MprtmpSkimmer, PutsInterleavedMessagesInTheirPlaces) {
  std::string video;
  std::string audio;
  rtmp::append_message(video, make(MessageType::kVideo, 6, 1, std::string(200, 'v')), 128);
  rtmp::append_message(audio, make(MessageType::kAudio, 4, 2, std::string(20, 'a')), 128);
  // The video's first chunk is a header of 12 and 128 bytes.
  const std::string bytes = video.substr(0, 140) + audio + video.substr(140);
  const auto seen = skim(bytes, 33);
  ASSERT_EQ(seen.size(), 2U);
  EXPECT_EQ(seen[0].type, MessageType::kAudio);
  EXPECT_EQ(seen[1].type, MessageType::kVideo);
  EXPECT_EQ(seen[1].front, std::string(kKeptOfMedia, 'v'));
}

TEST(MprtmpSkimmer, RefusesWhatCannotBe) {
  std::string size;
  rtmp::append_set_chunk_size(size, 0);
  std::string many;
  for (std::uint32_t i = 0; i < 65; ++i) {
    rtmp::append_message(many, make(MessageType::kAudio, 10 + i, 0, "x"), 128);
  }
  for (std::string_view bytes : {std::string_view(size), std::string_view(many)}) {
    ChunkSkimmer skimmer;
    Skimmed message;
    auto event = ChunkSkimmer::Event::kBegun;
    while (event == ChunkSkimmer::Event::kBegun || event == ChunkSkimmer::Event::kMessage) {
      event = skimmer.next(bytes, message);
    }
    EXPECT_EQ(event, ChunkSkimmer::Event::kError);
    EXPECT_FALSE(skimmer.why().empty());
  }
}

}  // namespace
}  // namespace mpb::rtmp_load
