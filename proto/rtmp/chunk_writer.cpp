#include <algorithm>

#include "proto/base/byte_order.hpp"
#include "proto/rtmp/big_endian.hpp"
#include "proto/rtmp/chunk.hpp"

namespace mpb::rtmp {
namespace {

constexpr std::uint32_t kControlChunkStream = 2;

/// A chunk header under construction: at most 3 + 11 + 4 bytes.
struct Header {
  char bytes[18];
  std::size_t size = 0;

  void byte(std::uint32_t value) { bytes[size++] = static_cast<char>(value); }
  void number(std::uint32_t value, std::size_t width) {
    store_be(bytes + size, value, width);
    size += width;
  }
  void basic(std::uint32_t format, std::uint32_t chunk_stream) {
    if (chunk_stream < 64) {
      byte(format << 6 | chunk_stream);
    } else if (chunk_stream < 64 + 256) {
      byte(format << 6);
      byte(chunk_stream - 64);
    } else {
      byte(format << 6 | 1);
      byte((chunk_stream - 64) & 0xff);
      byte((chunk_stream - 64) >> 8);
    }
  }
  void length_and_type(const Message& message, std::size_t length) {
    number(static_cast<std::uint32_t>(length), 3);
    byte(static_cast<std::uint32_t>(message.type));
  }
};

Header first_header(const Message& message, std::size_t length) {
  Header header;
  header.basic(0, message.chunk_stream);
  header.number(std::min(message.timestamp, kExtendedTimestamp), 3);
  header.length_and_type(message, length);
  for (int shift = 0; shift < 32; shift += 8) header.byte(message.stream >> shift & 0xff);
  if (message.timestamp >= kExtendedTimestamp) header.number(message.timestamp, 4);
  return header;
}

Header next_header(const Message& message) {
  Header header;
  header.basic(3, message.chunk_stream);
  if (message.timestamp >= kExtendedTimestamp) header.number(message.timestamp, 4);
  return header;
}

/// `first`, then the payload with `next` before each further chunk.
void append_chunks(std::string& out, const Header& first, const Header& next,
                   std::string_view payload, std::uint32_t chunk_size) {
  const std::size_t further = payload.empty() ? 0 : (payload.size() - 1) / chunk_size;
  out.reserve(out.size() + first.size + further * next.size + payload.size());
  out.append(first.bytes, first.size);
  out.append(payload.substr(0, chunk_size));
  for (std::size_t at = chunk_size; at < payload.size(); at += chunk_size) {
    out.append(next.bytes, next.size);
    out.append(payload.substr(at, chunk_size));
  }
}

void append_control(std::string& out, MessageType type, std::string_view payload) {
  append_message(out, {type, kControlChunkStream, 0, 0, payload}, kDefaultChunkSize);
}

void append_control_number(std::string& out, MessageType type, std::uint32_t number) {
  char payload[4];
  store_be(payload, number, sizeof payload);
  append_control(out, type, {payload, sizeof payload});
}

}  // namespace

void append_message(std::string& out, const Message& message, std::uint32_t chunk_size) {
  append_chunks(out, first_header(message, message.payload.size()), next_header(message),
                message.payload, chunk_size);
}

void append_first_header(std::string& out, const Message& message, std::size_t length) {
  const Header header = first_header(message, length);
  out.append(header.bytes, header.size);
}

void append_next_header(std::string& out, const Message& message) {
  const Header header = next_header(message);
  out.append(header.bytes, header.size);
}

void append_delta_message(std::string& out, const Message& message, std::uint32_t delta,
                          std::uint32_t chunk_size) {
  Header first;
  first.basic(1, message.chunk_stream);
  first.number(delta, 3);
  first.length_and_type(message, message.payload.size());
  Header next;
  next.basic(3, message.chunk_stream);
  append_chunks(out, first, next, message.payload, chunk_size);
}

void append_set_chunk_size(std::string& out, std::uint32_t bytes) {
  append_control_number(out, MessageType::kSetChunkSize, bytes);
}

void append_window_ack_size(std::string& out, std::uint32_t bytes) {
  append_control_number(out, MessageType::kWindowAckSize, bytes);
}

void append_set_peer_bandwidth(std::string& out, std::uint32_t bytes, std::uint8_t limit_type) {
  char payload[5];
  store_be(payload, bytes, 4);
  payload[4] = static_cast<char>(limit_type);
  append_control(out, MessageType::kSetPeerBandwidth, {payload, sizeof payload});
}

void append_acknowledgement(std::string& out, std::uint32_t bytes_received) {
  append_control_number(out, MessageType::kAcknowledgement, bytes_received);
}

void append_user_control(std::string& out, std::uint16_t event, std::uint32_t value) {
  char payload[6];
  store_be(payload, event, 2);
  store_be(payload + 2, value, 4);
  append_control(out, MessageType::kUserControl, {payload, sizeof payload});
}

}  // namespace mpb::rtmp
