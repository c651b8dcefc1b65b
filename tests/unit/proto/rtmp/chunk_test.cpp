#include "proto/rtmp/chunk.hpp"

#include <gtest/gtest.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace mpb::rtmp {
namespace {

using Result = ChunkReader::Result;
using namespace std::string_literals;

constexpr std::size_t kLimit = 64 * 1024;

Message message_of(std::string_view payload, std::uint32_t chunk_stream = 4,
                   std::uint32_t timestamp = 0, MessageType type = MessageType::kVideo) {
  return {type, chunk_stream, 1, timestamp, payload};
}

std::string chunked(const Message& message, std::uint32_t chunk_size = kDefaultChunkSize) {
  std::string out;
  append_message(out, message, chunk_size);
  return out;
}

std::string chunked_delta(const Message& message, std::uint32_t delta) {
  std::string out;
  append_delta_message(out, message, delta, kDefaultChunkSize);
  return out;
}

class RtmpChunk : public testing::Test {
 protected:
  /// Reads one message; `wire_` keeps what is left.
  Result read(std::string_view more = {}) {
    if (!more.empty()) {
      wire_ = std::string(rest_) + std::string(more);
      rest_ = wire_;
    }
    return reader_.read(rest_, message_);
  }
  void expect_message(std::string_view payload, std::uint32_t timestamp) {
    ASSERT_EQ(read(), Result::kMessage) << reader_.why();
    EXPECT_EQ(message_.payload, payload);
    EXPECT_EQ(message_.timestamp, timestamp);
  }
  void expect_error(std::string_view wire, std::string_view why) {
    ASSERT_EQ(read(wire), Result::kError);
    EXPECT_NE(reader_.why().find(why), std::string_view::npos) << reader_.why();
    EXPECT_EQ(read("\x02\0\0\0\0\0\0\x09\0\0\0\0"s), Result::kError) << "it cannot go on";
  }

  ChunkReader reader_{kLimit};
  std::string wire_;
  std::string_view rest_;
  Message message_;
};

TEST_F(RtmpChunk, AMessageInOneChunkIsGivenWithoutACopy) {
  ASSERT_EQ(read("\x04\0\0\x05\0\0\x03\x09\x01\0\0\0abc"s), Result::kMessage);
  EXPECT_EQ(message_.type, MessageType::kVideo);
  EXPECT_EQ(message_.chunk_stream, 4U);
  EXPECT_EQ(message_.stream, 1U);
  EXPECT_EQ(message_.timestamp, 5U);
  EXPECT_EQ(message_.payload, "abc");
  EXPECT_EQ(message_.payload.data(), wire_.data() + 12);
  EXPECT_TRUE(rest_.empty());
  EXPECT_FALSE(reader_.has_partial());
  EXPECT_EQ(read(), Result::kNeedMore);
}

TEST_F(RtmpChunk, ALongMessageIsPutTogether) {
  const std::string payload = std::string(128, 'a') + std::string(128, 'b') + "c";
  const std::string wire = chunked(message_of(payload));
  EXPECT_EQ(wire.size(), 12 + 128 + 1 + 128 + 1 + 1);
  ASSERT_EQ(read(wire), Result::kMessage);
  EXPECT_EQ(message_.payload, payload);
}

TEST_F(RtmpChunk, TheHeaderFormatsInheritFromEachOther) {
  read(
      "\x04\0\0\x0a\0\0\x01\x08\x07\0\0\0a"s  // 10, length 1, audio, stream 7
      "\x44\0\0\x05\0\0\x02\x09"
      "bb"s  // +5, length 2, video
      "\x84\0\0\x03"
      "cc"s  // +3
      "\xc4"
      "dd"s);  // +3 again
  EXPECT_EQ(message_.type, MessageType::kAudio);
  EXPECT_EQ(message_.timestamp, 10U);
  expect_message("bb", 15);
  EXPECT_EQ(message_.type, MessageType::kVideo);
  EXPECT_EQ(message_.stream, 7U);
  expect_message("cc", 18);
  expect_message("dd", 21);
  EXPECT_EQ(message_.type, MessageType::kVideo);
  EXPECT_EQ(message_.stream, 7U);
}

TEST_F(RtmpChunk, Format3AfterFormat0RepeatsItsTimestampAsTheDelta) {
  ASSERT_EQ(read("\x04\0\0\x0a\0\0\x01\x08\0\0\0\0a\xc4"
                 "b"s),
            Result::kMessage);
  expect_message("b", 20);
}

TEST_F(RtmpChunk, ChunkStreamIdsHaveThreeForms) {
  for (const std::uint32_t id : {2U, 63U, 64U, 319U, 320U, 65599U}) {
    const std::string wire = chunked(message_of("x", id));
    EXPECT_EQ(wire.size(), (id < 64 ? 1U : id < 320 ? 2U : 3U) + 11 + 1) << id;
    ASSERT_EQ(read(wire), Result::kMessage) << id;
    EXPECT_EQ(message_.chunk_stream, id);
  }
  // The long form may name a small id too.
  ASSERT_EQ(read("\x01\x06\0\0\0\0\0\0\x01\x08\0\0\0\0x"s), Result::kMessage);
  EXPECT_EQ(message_.chunk_stream, 70U);
}

TEST_F(RtmpChunk, AnExtendedTimestampIsRepeatedBeforeEachChunk) {
  const std::string payload(300, 'x');
  for (const std::uint32_t timestamp : {0xfffffeU, 0xffffffU, 0x1000000U, 0xffffffffU}) {
    const std::string wire = chunked(message_of(payload, 4, timestamp));
    EXPECT_EQ(wire.size(), 12 + 300 + 2 + (timestamp >= kExtendedTimestamp ? 3 * 4U : 0));
    ASSERT_EQ(read(wire), Result::kMessage) << timestamp;
    EXPECT_EQ(message_.timestamp, timestamp);
    EXPECT_EQ(message_.payload, payload);
  }
}

TEST_F(RtmpChunk, AnExtendedTimestampThatIsNotRepeatedIsUnderstoodToo) {
  const std::string first(128, 'a');
  ASSERT_EQ(read("\x04\xff\xff\xff\0\0\x86\x09\0\0\0\0\x01\0\0\0"s + first +
                 "\xc4"
                 "123456"s),
            Result::kMessage);
  EXPECT_EQ(message_.payload, first + "123456");
  EXPECT_EQ(message_.timestamp, 0x1000000U);
}

TEST_F(RtmpChunk, AnExtendedDeltaIsADelta) {
  ASSERT_EQ(
      read(chunked(message_of("a", 4, 7)) + "\x84\xff\xff\xff\x01\0\0\0b\xc4\x01\0\0\0c\x84\0\0\x01"
                                            "d"s),
      Result::kMessage);
  expect_message("b", 0x1000007);
  expect_message("c", 0x2000007);
  expect_message("d", 0x2000008);
}

TEST_F(RtmpChunk, TimestampsWrapAround) {
  ASSERT_EQ(read(chunked(message_of("a", 4, 0xffffffff)) + chunked_delta(message_of("b"), 3)),
            Result::kMessage);
  expect_message("b", 2);
}

TEST_F(RtmpChunk, ChunkStreamsMayBeInterleaved) {
  const std::string video = chunked(message_of(std::string(200, 'v'), 4));
  const std::string audio = chunked(message_of(std::string(150, 'a'), 5));
  ASSERT_EQ(
      read(video.substr(0, 140) + audio.substr(0, 140) + audio.substr(140) + video.substr(140)),
      Result::kMessage);
  EXPECT_EQ(message_.payload, std::string(150, 'a'));
  EXPECT_TRUE(reader_.has_partial());
  expect_message(std::string(200, 'v'), 0);
  EXPECT_FALSE(reader_.has_partial());
}

TEST_F(RtmpChunk, AMessageMayBeEmpty) {
  ASSERT_EQ(read(chunked(message_of("")) + chunked_delta(message_of(""), 5) + "\xc4"),
            Result::kMessage);
  EXPECT_EQ(message_.payload, "");
  expect_message("", 5);
  expect_message("", 10);
  EXPECT_FALSE(reader_.has_partial());
}

TEST_F(RtmpChunk, OnlyPartOfAHeaderIsLeft) {
  const std::string wire = chunked(message_of(std::string(200, 'x'), 1000, 0x1000000));
  for (std::size_t size = 0; size < wire.size(); ++size) {
    ChunkReader reader(kLimit);
    std::string_view bytes = std::string_view(wire).substr(0, size);
    EXPECT_EQ(reader.read(bytes, message_), Result::kNeedMore) << size;
    EXPECT_LE(bytes.size(), 18U) << size;
    EXPECT_EQ(reader.has_partial(), size >= 18) << size;
  }
}

TEST_F(RtmpChunk, SetChunkSizeIsCarriedOutAndGiven) {
  std::string wire;
  append_set_chunk_size(wire, 4096);
  wire += chunked(message_of(std::string(4000, 'x')), 4096);
  ASSERT_EQ(read(wire), Result::kMessage);
  EXPECT_EQ(message_.type, MessageType::kSetChunkSize);
  EXPECT_EQ(message_.chunk_stream, 2U);
  EXPECT_EQ(reader_.chunk_size(), 4096U);
  expect_message(std::string(4000, 'x'), 0);
}

TEST_F(RtmpChunk, AChangedChunkSizeHoldsForTheNextChunkOfAPartialMessage) {
  const std::string payload(400, 'x');
  std::string wire = chunked(message_of(payload)).substr(0, 12 + 128);
  append_set_chunk_size(wire, 1000);
  ASSERT_EQ(read(wire + '\xc4' + payload.substr(128)), Result::kMessage);
  expect_message(payload, 0);
}

TEST_F(RtmpChunk, SetChunkSizeIsBounded) {
  for (const std::uint32_t size : {0U, 0x80000001U, 0xffffffffU}) {
    ChunkReader reader(kLimit);
    std::string wire;
    append_set_chunk_size(wire, size);
    std::string_view bytes = wire;
    EXPECT_EQ(reader.read(bytes, message_), Result::kError) << size;
  }
  std::string wire;
  append_set_chunk_size(wire, 0x7fffffff);
  ASSERT_EQ(read(wire), Result::kMessage);
  EXPECT_EQ(reader_.chunk_size(), kMaxChunkSize);
  expect_error("\x02\0\0\0\0\0\x02\x01\0\0\0\0\0\x01"s, "cut short");
}

TEST_F(RtmpChunk, AbortDropsThePartialMessage) {
  const std::string aborted = chunked(message_of(std::string(200, 'a'))).substr(0, 140);
  const std::string abort = "\x02\0\0\0\0\0\x04\x02\0\0\0\0\0\0\0\x04"s;
  ASSERT_EQ(read(aborted + abort + chunked_delta(message_of("next"), 1)), Result::kMessage);
  EXPECT_EQ(message_.type, MessageType::kAbort);
  EXPECT_FALSE(reader_.has_partial());
  expect_message("next", 1);
  ASSERT_EQ(read(abort), Result::kMessage) << "nothing to drop";
}

TEST_F(RtmpChunk, AbortFreesThePlaceOfThePartialMessage) {
  for (int round = 0; round < 1000; ++round) {
    ASSERT_EQ(read(chunked(message_of(std::string(200, 'a'))).substr(0, 140) +
                   "\x02\0\0\0\0\0\x04\x02\0\0\0\0\0\0\0\x04"s),
              Result::kMessage)
        << reader_.why();
  }
}

TEST_F(RtmpChunk, AChunkStreamMayBeginWithFormat1ButNotWithoutALength) {
  ASSERT_EQ(read("\x44\0\0\x05\0\0\x01\x08x"s), Result::kMessage);
  EXPECT_EQ(message_.timestamp, 5U);
  EXPECT_EQ(message_.stream, 0U);
  ChunkReader other(kLimit);
  std::string_view bytes = "\x84\0\0\x05";
  EXPECT_EQ(other.read(bytes, message_), Result::kNeedMore);
  const std::string wire = "\x84\0\0\x05"s;
  bytes = wire;
  EXPECT_EQ(other.read(bytes, message_), Result::kError);
  expect_error("\xc5"s, "no message length");
}

TEST_F(RtmpChunk, AMessageMustBeWholeBeforeTheNextOfItsChunkStream) {
  const std::string wire = chunked(message_of(std::string(200, 'a')));
  const std::string other = chunked(message_of(std::string(201, 'a')));
  expect_error(wire.substr(0, 140) + other, "not whole");
}

TEST_F(RtmpChunk, AMessagesHeaderMayBeRepeatedBeforeItsNextChunk) {
  const std::string payload(200, 'a');
  const std::string wire = chunked(message_of(payload));
  const std::string header = wire.substr(0, 12);
  const std::string rest = payload.substr(128);
  std::string of_format_1 = header.substr(0, 8);
  of_format_1[0] = static_cast<char>(of_format_1[0] | 1 << 6);
  std::string of_format_2 = header.substr(0, 4);
  of_format_2[0] = static_cast<char>(of_format_2[0] | 2 << 6);
  for (const std::string& repeated : {header, of_format_1, of_format_2}) {
    ChunkReader reader(kLimit);
    const std::string all = wire.substr(0, 140) + repeated + rest + wire;
    std::string_view bytes = all;
    Message message;
    for (int i = 0; i < 2; ++i) {
      ASSERT_EQ(reader.read(bytes, message), ChunkReader::Result::kMessage);
      EXPECT_EQ(message.payload, payload);
    }
    EXPECT_TRUE(bytes.empty());
  }
}

TEST_F(RtmpChunk, TheLengthOfAMessageIsBounded) {
  ASSERT_EQ(read(chunked(message_of(std::string(kLimit, 'x')))), Result::kMessage);
  expect_error(chunked(message_of(std::string(kLimit + 1, 'x'))), "longer than allowed");
}

TEST_F(RtmpChunk, TheLimitMayChange) {
  reader_.set_max_message(100);
  ASSERT_EQ(read(chunked(message_of(std::string(100, 'x')))), Result::kMessage);
  reader_.set_max_message(101);
  ASSERT_EQ(read(chunked(message_of(std::string(101, 'x')))), Result::kMessage);
  expect_error(chunked(message_of(std::string(102, 'x'))), "longer than allowed");
}

TEST_F(RtmpChunk, TheNumberOfPartialMessagesIsBounded) {
  const std::string payload(200, 'x');
  for (std::uint32_t i = 0; i < kMaxPartialMessages; ++i) {
    ASSERT_EQ(read(chunked(message_of(payload, 3 + i)).substr(0, i < 61 ? 140 : 141)),
              Result::kNeedMore)
        << reader_.why();
  }
  ASSERT_EQ(read(chunked(message_of("short", 2))), Result::kMessage) << "takes one chunk only";
  expect_error(chunked(message_of(payload, 1000)), "too many messages");
}

TEST_F(RtmpChunk, TheNumberOfChunkStreamsIsBounded) {
  for (std::uint32_t i = 0; i < kMaxChunkStreams; ++i) {
    ASSERT_EQ(read(chunked(message_of("x", 2 + i))), Result::kMessage) << reader_.why();
  }
  ASSERT_EQ(read(chunked(message_of("x", 2))), Result::kMessage) << "a known one";
  expect_error(chunked(message_of("x", 60'000)), "too many chunk streams");
}

TEST_F(RtmpChunk, ThePartialMessagesAreBoundedTogether) {
  std::string wire;
  append_set_chunk_size(wire, 50'000);
  ASSERT_EQ(read(wire), Result::kMessage);
  const std::string payload(60'000, 'x');
  for (std::uint32_t id = 3; id < 8; ++id) {
    ASSERT_EQ(read(chunked(message_of(payload, id), 50'000).substr(0, 50'012)), Result::kNeedMore);
  }
  expect_error(chunked(message_of(payload, 8), 50'000), "too long together");
}

TEST_F(RtmpChunk, StateGoesOnElsewhere) {
  const std::string video = chunked(message_of(std::string(300, 'v'), 4, 0x1234567));
  const std::string audio = chunked(message_of(std::string(100, 'a'), 5, 9));
  const std::string wire = video.substr(0, 144 + 12) + audio + video.substr(144 + 12);
  // A chunk is whole before another begins, so the audio's bytes are taken for the video's here.
  std::string whole_wire = video.substr(0, 144) + audio + video.substr(144);
  for (std::size_t cut = 0; cut <= whole_wire.size(); ++cut) {
    ChunkReader origin(kLimit);
    std::vector<std::string> payloads;
    std::string_view bytes = std::string_view(whole_wire).substr(0, cut);
    while (origin.read(bytes, message_) == Result::kMessage)
      payloads.emplace_back(message_.payload);
    std::string state;
    origin.save(state);
    ChunkReader target(kLimit);
    ASSERT_TRUE(target.restore(state)) << cut;
    EXPECT_EQ(target.has_partial(), origin.has_partial());
    std::string again;
    target.save(again);
    EXPECT_EQ(again, state);
    bytes = std::string_view(whole_wire).substr(cut - bytes.size());
    while (target.read(bytes, message_) == Result::kMessage)
      payloads.emplace_back(message_.payload);
    ASSERT_EQ(payloads.size(), 2U) << cut;
    EXPECT_EQ(payloads[0], std::string(100, 'a'));
    EXPECT_EQ(payloads[1], std::string(300, 'v'));
    EXPECT_EQ(message_.timestamp, 0x1234567U);
  }
}

TEST_F(RtmpChunk, OnlyAWholeAndConsistentStateIsTaken) {
  ASSERT_EQ(read(chunked(message_of(std::string(200, 'v'))).substr(0, 100)), Result::kNeedMore);
  std::string state;
  reader_.save(state);
  ChunkReader target(kLimit);
  for (std::size_t size = 0; size < state.size(); ++size) {
    EXPECT_FALSE(target.restore(std::string_view(state).substr(0, size))) << size;
  }
  EXPECT_FALSE(target.restore(state + '\0'));
  const auto broken = [&](std::size_t at, char value) {
    std::string changed = state;
    changed[at] = value;
    return !target.restore(changed);
  };
  EXPECT_TRUE(broken(3, '\x7f')) << "chunk size";
  EXPECT_TRUE(broken(0, '\0')) << "no chunk size";
  EXPECT_TRUE(broken(5, '\1')) << "bytes left of the chunk";
  EXPECT_TRUE(broken(8, '\1')) << "current chunk stream";
  EXPECT_TRUE(broken(12, '\2')) << "number of chunk streams";
  EXPECT_TRUE(broken(14, '\1')) << "very many chunk streams";
  EXPECT_TRUE(broken(16, '\1')) << "chunk stream id";
  EXPECT_TRUE(broken(30, '\1')) << "length";
  EXPECT_TRUE(broken(37, '\0')) << "not begun";
  EXPECT_TRUE(broken(37, '\x0e')) << "unknown flag";
  EXPECT_FALSE(target.has_partial());
  EXPECT_TRUE(target.restore(state));
  ChunkReader small(199);
  EXPECT_FALSE(small.restore(state)) << "the message is longer than allowed there";
}

TEST_F(RtmpChunk, AStateRemembersLongMessagesThatAreOver) {
  const std::string wire = chunked(message_of(std::string(200, 'v'), 6));
  ASSERT_EQ(read(wire), Result::kMessage);
  reader_.set_max_message(100);
  std::string state;
  reader_.save(state);
  ChunkReader target(100);
  ASSERT_TRUE(target.restore(state));
  std::string_view next = "\xc6";  // format 3: as long as the one before
  EXPECT_EQ(target.read(next, message_), Result::kError);
}

TEST_F(RtmpChunk, ControlMessagesAreWhatTheSpecificationSays) {
  std::string out;
  append_set_chunk_size(out, 60'000);
  EXPECT_EQ(out, "\x02\0\0\0\0\0\x04\x01\0\0\0\0\0\0\xea\x60"s);
  out.clear();
  append_window_ack_size(out, 2'500'000);
  EXPECT_EQ(out, "\x02\0\0\0\0\0\x04\x05\0\0\0\0\0\x26\x25\xa0"s);
  out.clear();
  append_set_peer_bandwidth(out, 2'500'000, 2);
  EXPECT_EQ(out, "\x02\0\0\0\0\0\x05\x06\0\0\0\0\0\x26\x25\xa0\x02"s);
  out.clear();
  append_acknowledgement(out, 0x01020304);
  EXPECT_EQ(out, "\x02\0\0\0\0\0\x04\x03\0\0\0\0\x01\x02\x03\x04"s);
  out.clear();
  append_user_control(out, 6, 0x01020304);
  EXPECT_EQ(out, "\x02\0\0\0\0\0\x06\x04\0\0\0\0\0\x06\x01\x02\x03\x04"s);
}

TEST_F(RtmpChunk, ADeltaMessageLeavesOutStreamAndTimestamp) {
  EXPECT_EQ(chunked_delta(message_of("ab"), 0x010203),
            "\x44\x01\x02\x03\0\0\x02\x09"
            "ab"s);
  const std::string payload(300, 'x');
  EXPECT_EQ(chunked_delta(message_of(payload), 1).size(), 8 + 300 + 2U);
}

TEST_F(RtmpChunk, ManyChunkStreamsAreToldApartInAnyOrder) {
  // Ids of one, two and three bytes, which neither begin nor go on in their order.
  std::vector<std::uint32_t> ids;
  for (std::uint32_t i = 0; i < kMaxPartialMessages; ++i) {
    ids.push_back(i % 3 == 0 ? 66 - i : i % 3 == 1 ? 300 - i : 65'599 - 7 * i);
  }
  const auto payload_of = [](std::uint32_t id) {
    return std::to_string(id) + std::string(kDefaultChunkSize, 'x');
  };
  // The header of a message's second chunk.
  const auto chunk_of = [](std::uint32_t id) {
    const std::string wire = chunked(message_of(std::string(kDefaultChunkSize + 1, 'x'), id));
    const std::size_t basic = id < 64 ? 1 : id < 320 ? 2 : 3;
    return wire.substr(wire.size() - 1 - basic, basic);
  };
  std::string begins;
  std::string ends;
  for (const std::uint32_t id : ids) {
    const std::string payload = payload_of(id);
    const std::string wire = chunked(message_of(payload, id));
    const std::size_t basic = id < 64 ? 1 : id < 320 ? 2 : 3;
    const std::size_t first = basic + 11 + kDefaultChunkSize;
    begins += wire.substr(0, first);
    ends = wire.substr(first) + ends;
  }
  ASSERT_EQ(read(begins + ends), Result::kMessage) << reader_.why();
  for (auto id = ids.rbegin(); id != ids.rend(); ++id) {
    EXPECT_EQ(message_.chunk_stream, *id);
    EXPECT_EQ(message_.payload, payload_of(*id));
    EXPECT_EQ(read(), id + 1 == ids.rend() ? Result::kNeedMore : Result::kMessage);
  }
  // Also where it goes on elsewhere.
  std::string saved;
  reader_.save(saved);
  ChunkReader moved(kLimit);
  ASSERT_TRUE(moved.restore(saved));
  for (const std::uint32_t id : ids) {
    // A header without a length: that of the chunk stream's last message.
    std::string wire = chunked_delta(message_of("x", id), 1);
    wire[0] = static_cast<char>((static_cast<unsigned char>(wire[0]) & 0x3f) | 0x80);
    wire.erase((id < 64 ? 1 : id < 320 ? 2 : 3) + 3);
    wire += payload_of(id);
    wire.insert(wire.size() - (payload_of(id).size() - kDefaultChunkSize), chunk_of(id));
    std::string_view bytes = wire;
    ASSERT_EQ(moved.read(bytes, message_), Result::kMessage) << id << moved.why();
    EXPECT_EQ(message_.payload, payload_of(id));
    EXPECT_TRUE(bytes.empty());
  }
}

TEST_F(RtmpChunk, FewerPartialMessagesMayBeAllowed) {
  ChunkReader strict(kLimit, 2);
  Message message;
  for (std::uint32_t i = 0; i < 3; ++i) {
    const std::string wire = chunked(message_of(std::string(200, 'x'), 10 + i));
    std::string_view begins = std::string_view(wire).substr(0, 12 + kDefaultChunkSize);
    EXPECT_EQ(strict.read(begins, message), i < 2 ? Result::kNeedMore : Result::kError);
  }
}

}  // namespace
}  // namespace mpb::rtmp
