// Reads a chunk stream that comes in pieces, as a session does.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "proto/rtmp/chunk.hpp"

namespace mpb::test {

struct ReadMessage {
  rtmp::MessageType type{};
  std::uint32_t chunk_stream = 0;
  std::uint32_t stream = 0;
  std::uint32_t timestamp = 0;
  std::string payload;
  friend bool operator==(const ReadMessage&, const ReadMessage&) = default;
};

/// What was read of a stream.
struct ChunkReading {
  std::vector<ReadMessage> messages;
  std::string why;   // it is broken
  std::string left;  // of a broken one: empty
  std::string state;
  friend bool operator==(const ChunkReading&, const ChunkReading&) = default;
};

/// `piece_size(bytes left)`: how many come next, at least one. `move()`: whether a new reader goes
/// on with the saved state of the one before; `moved` is false when it did not take it.
template <class PieceSize, class Move>
ChunkReading read_in_pieces(std::string_view wire, std::size_t max_message, PieceSize piece_size,
                            Move move, bool& moved) {
  using Result = rtmp::ChunkReader::Result;
  moved = true;
  ChunkReading reading;
  rtmp::ChunkReader reader(max_message);
  rtmp::Message message;
  while (!wire.empty()) {
    const std::string_view piece = wire.substr(0, piece_size(wire.size()));
    wire.remove_prefix(piece.size());
    const std::string bytes = reading.left + std::string(piece);
    std::string_view rest = bytes;
    auto result = Result::kMessage;
    while ((result = reader.read(rest, message)) == Result::kMessage) {
      reading.messages.push_back({message.type, message.chunk_stream, message.stream,
                                  message.timestamp, std::string(message.payload)});
    }
    if (result == Result::kError) {
      reading.why = reader.why();
      reading.left.clear();
      return reading;
    }
    reading.left = rest;
    if (!move()) continue;
    std::string state;
    reader.save(state);
    reader = rtmp::ChunkReader(max_message);
    moved = moved && reader.restore(state);
  }
  reader.save(reading.state);
  return reading;
}

}  // namespace mpb::test
