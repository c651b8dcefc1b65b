// The chunk stream: messages come out as they went in, whatever the headers, the interleaving and
// the pieces; and arbitrary bytes are read the same in any pieces.
#include <map>
#include <string>
#include <vector>

#include "proto/base/byte_order.hpp"
#include "proto/rtmp/big_endian.hpp"
#include "tests/support/chunk_reading.hpp"
#include "tests/support/seeded.hpp"

namespace mpb::rtmp {
namespace {

using test::ChunkReading;
using test::ReadMessage;

constexpr std::size_t kLimit = 4096;

/// Writes chunks as a client may: any header that says what is to be said, any interleaving.
class Writer {
 public:
  std::string wire;
  std::vector<ReadMessage> expected;
  std::uint32_t chunk_size = kDefaultChunkSize;

  [[nodiscard]] bool is_partial(std::uint32_t id) const {
    const auto found = streams_.find(id);
    return found != streams_.end() && found->second.written < found->second.message.payload.size();
  }

  /// Begins `message`; `wanted`: the format, if what is known allows it. Its timestamp is taken
  /// modulo what that format can say.
  void begin(ReadMessage message, std::uint32_t wanted, bool repeat_extended) {
    const bool known = streams_.contains(message.chunk_stream);
    Stream& stream = streams_[message.chunk_stream];
    const ReadMessage& before = stream.message;
    std::uint32_t delta = message.timestamp - before.timestamp;
    std::uint32_t format = known ? wanted : 0;
    if (format > 0) message.stream = before.stream;
    if (format > 1) {
      message.type = before.type;
      message.payload.resize(before.payload.size(), 'x');
    }
    if (format == 3) {
      delta = stream.field;
      message.timestamp = before.timestamp + delta;
    }
    if (format < 3) stream.field = format == 0 ? message.timestamp : delta;
    stream.repeat_extended = repeat_extended;
    stream.message = std::move(message);
    stream.written = 0;
    header(format, stream);
    payload(stream);
  }

  void go_on(std::uint32_t id) {
    Stream& stream = streams_[id];
    header(3, stream);
    payload(stream);
  }

 private:
  struct Stream {
    ReadMessage message;
    std::uint32_t field = 0;  // the timestamp field, extended or not
    bool repeat_extended = true;
    std::size_t written = 0;
  };

  void header(std::uint32_t format, const Stream& stream) {
    const std::uint32_t id = stream.message.chunk_stream;
    append_be(wire, format << 6 | (id < 64 ? id : id < 320 ? 0 : 1), 1);
    if (id >= 64) append_be(wire, (id - 64) & 0xff, 1);
    if (id >= 320) append_be(wire, (id - 64) >> 8, 1);
    const bool extended = stream.field >= kExtendedTimestamp;
    if (format < 3) append_be(wire, extended ? kExtendedTimestamp : stream.field, 3);
    if (format < 2) {
      append_be(wire, static_cast<std::uint32_t>(stream.message.payload.size()), 3);
      append_be(wire, static_cast<std::uint32_t>(stream.message.type), 1);
    }
    if (format == 0) append_le(wire, stream.message.stream);
    if (extended && (format < 3 || stream.repeat_extended)) append_be(wire, stream.field, 4);
  }

  void payload(Stream& stream) {
    const std::string piece = stream.message.payload.substr(stream.written, chunk_size);
    wire += piece;
    stream.written += piece.size();
    if (stream.written == stream.message.payload.size()) expected.push_back(stream.message);
  }

  std::map<std::uint32_t, Stream> streams_;
};

class RtmpChunkProperty : public test::SeededTest {
 protected:
  ReadMessage some_message() {
    constexpr std::uint32_t kIds[] = {3, 4, 5, 63, 64, 319, 320, 65599};
    constexpr std::uint32_t kTimes[] = {0, 1, 40, 0xfffffe, 0xffffff, 0x1000000, 0xffffffff};
    constexpr MessageType kTypes[] = {MessageType::kAudio, MessageType::kVideo,
                                      MessageType::kDataAmf0, MessageType{99}};
    ReadMessage message;
    message.type = kTypes[number(0, 3)];
    message.chunk_stream = kIds[number(0, 7)];
    message.stream = static_cast<std::uint32_t>(bits());
    message.timestamp = kTimes[number(0, 6)];
    message.payload = some_bytes(one_in(10) ? 2000 : 200);
    return message;
  }

  /// A stream that ends with no message partial.
  Writer some_stream() {
    Writer writer;
    std::vector<std::uint32_t> partial;
    for (int left = number(0, 60); left > 0 || !partial.empty(); --left) {
      if (!partial.empty() && (left <= 0 || one_in(2))) {
        const std::size_t which = number(std::size_t{0}, partial.size() - 1);
        writer.go_on(partial[which]);
        if (!writer.is_partial(partial[which])) {
          partial.erase(partial.begin() + static_cast<std::ptrdiff_t>(which));
        }
      } else if (one_in(15)) {
        const auto size = number(6U, 3000U);
        writer.expected.push_back({MessageType::kSetChunkSize, 2, 0, 0, {}});
        append_be(writer.expected.back().payload, size, 4);
        append_set_chunk_size(writer.wire, size);
        writer.chunk_size = size;
      } else {
        ReadMessage message = some_message();
        const std::uint32_t id = message.chunk_stream;
        if (writer.is_partial(id)) continue;
        writer.begin(std::move(message), number(0U, 3U), true);
        if (writer.is_partial(id)) partial.push_back(id);
      }
    }
    return writer;
  }

  ChunkReading read_whole(std::string_view wire) {
    bool moved = false;
    return test::read_in_pieces(
        wire, kLimit, [](std::size_t left) { return left; }, [] { return false; }, moved);
  }

  /// In random pieces, now and then going on in another reader.
  ChunkReading read_pieces(std::string_view wire) {
    const std::size_t longest = one_in(4) ? 1 : number(std::size_t{1}, std::size_t{300});
    bool moved = false;
    auto reading = test::read_in_pieces(
        wire, kLimit, [&](std::size_t) { return number(std::size_t{1}, longest); },
        [&] { return one_in(5); }, moved);
    EXPECT_TRUE(moved) << "a reader did not take a saved state";
    return reading;
  }
};

TEST_F(RtmpChunkProperty, MessagesComeOutAsTheyWentIn) {
  for (int round = 0; round < 400; ++round) {
    const Writer writer = some_stream();
    const ChunkReading whole = read_whole(writer.wire);
    ASSERT_EQ(whole.why, "");
    ASSERT_EQ(whole.messages, writer.expected);
    ASSERT_EQ(whole.left, "");
    ASSERT_EQ(read_pieces(writer.wire), whole);
  }
}

TEST_F(RtmpChunkProperty, AnExtendedTimestampMayBeLeftOutInFormat3) {
  for (int round = 0; round < 200; ++round) {
    Writer writer;
    ReadMessage message = some_message();
    message.timestamp = number(kExtendedTimestamp, UINT32_MAX);
    // Not four bytes that look like the timestamp itself.
    message.payload = std::string(number(129U, 2000U), '\0');
    const std::uint32_t id = message.chunk_stream;
    writer.begin(std::move(message), 0, false);
    while (writer.is_partial(id)) writer.go_on(id);
    // Four bytes must be there to be looked at.
    append_message(writer.wire, {MessageType::kAudio, 9, 1, 0, "after"}, kDefaultChunkSize);
    writer.expected.push_back({MessageType::kAudio, 9, 1, 0, "after"});
    ASSERT_EQ(read_whole(writer.wire).messages, writer.expected);
    ASSERT_EQ(read_pieces(writer.wire).messages, writer.expected);
  }
}

TEST_F(RtmpChunkProperty, DamagedStreamsAreReadTheSameInAnyPieces) {
  for (int round = 0; round < 600; ++round) {
    std::string wire = some_stream().wire;
    if (wire.empty()) continue;
    for (int left = number(1, 5); left > 0; --left) {
      wire[number(std::size_t{0}, wire.size() - 1)] = static_cast<char>(bits());
    }
    ASSERT_EQ(read_pieces(wire), read_whole(wire));
  }
}

TEST_F(RtmpChunkProperty, ArbitraryBytesAreReadTheSameInAnyPieces) {
  constexpr std::string_view kLikely("\0\x01\x02\x03\x43\x83\xc3\xff", 8);
  for (int round = 0; round < 1000; ++round) {
    std::string wire = some_bytes(one_in(10) ? 6000 : 200);
    for (char& c : wire) {
      if (!one_in(4)) c = kLikely[number(std::size_t{0}, kLikely.size() - 1)];
    }
    ASSERT_EQ(read_pieces(wire), read_whole(wire));
  }
}

TEST_F(RtmpChunkProperty, WhatTheWritersWriteIsRead) {
  for (int round = 0; round < 400; ++round) {
    const auto chunk_size = number(1U, 3000U);
    std::string wire;
    std::vector<ReadMessage> expected;
    append_set_chunk_size(wire, chunk_size);
    expected.push_back({MessageType::kSetChunkSize, 2, 0, 0, {}});
    append_be(expected.back().payload, chunk_size, 4);
    ReadMessage message = some_message();
    for (int left = number(1, 10); left > 0; --left) {
      const std::uint32_t delta = number(0U, kExtendedTimestamp - 1);
      if (expected.size() == 1 || one_in(3)) {
        message.timestamp = some_message().timestamp;
        append_message(wire,
                       {message.type, message.chunk_stream, message.stream, message.timestamp,
                        message.payload},
                       chunk_size);
      } else {
        message.payload = some_bytes(1000);
        message.timestamp += delta;
        append_delta_message(wire, {message.type, message.chunk_stream, 0, 0, message.payload},
                             delta, chunk_size);
      }
      expected.push_back(message);
    }
    ASSERT_EQ(read_whole(wire).messages, expected);
  }
}

}  // namespace
}  // namespace mpb::rtmp
