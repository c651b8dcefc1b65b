#include <algorithm>

#include "proto/base/byte_order.hpp"
#include "proto/rtmp/big_endian.hpp"
#include "proto/rtmp/chunk.hpp"

namespace mpb::rtmp {
namespace {

constexpr std::size_t kMessageHeaderSize[] = {11, 7, 3, 0};  // by format
constexpr std::size_t kKeptBuffer = 1024 * 1024;  // a larger one is given back after its message

}  // namespace

/// A chunk header as it came. Fields that its format does not have are zero.
struct ChunkReader::Header {
  std::uint32_t format = 0;
  std::uint32_t id = 0;
  std::uint32_t timestamp = 0;  // the field, or the extended one
  bool extended = false;
  std::uint32_t length = 0;
  std::uint8_t type = 0;
  std::uint32_t stream = 0;
  std::size_t size = 0;
};

ChunkReader::Result ChunkReader::fail(std::string_view why) {
  why_ = why;
  return Result::kError;
}

/// Where `id` is in by_id_, or belongs.
std::vector<std::uint8_t>::iterator ChunkReader::place_of(std::uint32_t id) {
  return std::ranges::lower_bound(by_id_, id, {},
                                  [this](std::uint8_t index) { return streams_[index].id; });
}

ChunkReader::ChunkStream* ChunkReader::find(std::uint32_t id) {
  if (current_ < streams_.size() && streams_[current_].id == id) return &streams_[current_];
  const auto place = place_of(id);
  return place != by_id_.end() && streams_[*place].id == id ? &streams_[*place] : nullptr;
}

/// `id` is not there yet, and there are fewer than kMaxChunkStreams.
ChunkReader::ChunkStream& ChunkReader::add(std::uint32_t id) {
  static_assert(kMaxChunkStreams - 1 <= UINT8_MAX);
  by_id_.insert(place_of(id), static_cast<std::uint8_t>(streams_.size()));
  ChunkStream& stream = streams_.emplace_back();
  stream.id = id;
  return stream;
}

ChunkReader::Result ChunkReader::read(std::string_view& bytes, Message& message) {
  recycle_whole();
  if (!why_.empty()) return Result::kError;
  while (true) {
    if (chunk_left_ == 0) {
      const Result began = begin_chunk(bytes);
      if (began != Result::kMessage) return began;
    }
    ChunkStream& stream = streams_[current_];
    const std::string_view piece = bytes.substr(0, chunk_left_);
    bytes.remove_prefix(piece.size());
    chunk_left_ -= static_cast<std::uint32_t>(piece.size());
    if (piece.size() == stream.length) return finish_message(stream, piece, message);
    if (!piece.empty()) {
      if (stream.partial.empty()) stream.partial.swap(spare_);
      stream.partial.append(piece);
    }
    if (chunk_left_ > 0) return Result::kNeedMore;
    if (stream.partial.size() == stream.length) {
      whole_.swap(stream.partial);
      return finish_message(stream, whole_, message);
    }
  }
}

std::size_t ChunkReader::memory() const {
  std::size_t bytes = whole_.capacity() + spare_.capacity();
  for (const ChunkStream& stream : streams_) bytes += stream.partial.capacity();
  return bytes;
}

/// Keeps the larger of two buffers for the next partial message.
void ChunkReader::recycle_whole() {
  if (whole_.empty()) return;
  whole_.clear();
  if (whole_.capacity() > spare_.capacity() && whole_.capacity() <= kKeptBuffer) {
    spare_.swap(whole_);
  }
  std::string().swap(whole_);
}

/// kMessage: a chunk has begun.
ChunkReader::Result ChunkReader::begin_chunk(std::string_view& bytes) {
  Header header;
  const Result parsed = parse(bytes, header);
  if (parsed != Result::kMessage) return parsed;
  bytes.remove_prefix(header.size);
  if (!accept(header)) return Result::kError;
  return account_chunk(streams_[current_]) ? Result::kMessage : Result::kError;
}

/// kMessage: `header` is whole. Checks nothing but what reading on depends on.
ChunkReader::Result ChunkReader::parse(std::string_view bytes, Header& header) {
  if (bytes.empty()) return Result::kNeedMore;
  const char* const at = bytes.data();
  const std::uint32_t first = load_be(at, 1);
  header.format = first >> 6;
  header.id = first & 0x3f;
  std::size_t basic = 1;
  if (header.id < 2) {
    basic = 2 + header.id;
    if (bytes.size() < basic) return Result::kNeedMore;
    header.id = 64 + load_be(at + 1, 1) + (basic == 3 ? load_be(at + 2, 1) << 8 : 0);
  }
  header.size = basic + kMessageHeaderSize[header.format];
  if (bytes.size() < header.size) return Result::kNeedMore;
  if (header.format < 3) header.timestamp = load_be(at + basic, 3);
  if (header.format < 2) {
    header.length = load_be(at + basic + 3, 3);
    header.type = static_cast<std::uint8_t>(at[basic + 6]);
  }
  if (header.format == 0) header.stream = load_le<std::uint32_t>(at + basic + 7);

  std::uint32_t repeated = 0;
  header.extended = header.timestamp == kExtendedTimestamp;
  if (header.format == 3) {
    const ChunkStream* stream = find(header.id);
    header.extended = stream != nullptr && stream->extended;
    repeated = stream != nullptr ? stream->delta : 0;
  }
  if (!header.extended) return Result::kMessage;
  if (bytes.size() < header.size + 4) return Result::kNeedMore;
  header.timestamp = load_be(at + header.size, 4);
  // Format 3 repeats the extended timestamp, as ffmpeg and Flash do. nginx-rtmp leaves it out; so
  // four bytes that are not the repeated ones are payload, as SRS has it.
  if (header.format < 3 || header.timestamp == repeated) header.size += 4;
  return Result::kMessage;
}

/// Takes a header over into its chunk stream, which becomes the current one.
bool ChunkReader::accept(const Header& header) {
  ChunkStream* stream = find(header.id);
  if (stream == nullptr) {
    // librtmp begins a chunk stream with format 1 when it answers a ping.
    if (header.format >= 2) {
      fail("a chunk stream begins with a header that has no message length");
      return false;
    }
    if (streams_.size() == kMaxChunkStreams) {
      fail("too many chunk streams");
      return false;
    }
    stream = &add(header.id);
  }
  current_ = static_cast<std::size_t>(stream - streams_.data());
  if (stream->begun) {
    return continues(*stream, header);
  }
  if (header.format == 0) stream->stream = header.stream;
  if (header.format < 2) {
    stream->length = header.length;
    stream->type = header.type;
  }
  if (header.format < 3) {
    stream->delta = header.timestamp;
    stream->extended = header.extended;
  }
  stream->timestamp = header.format == 0 ? header.timestamp : stream->timestamp + stream->delta;
  if (stream->length > max_message_) {
    fail("a message is longer than allowed");
    return false;
  }
  stream->begun = true;
  stream->counted = stream->length > chunk_size_;
  if (stream->counted && ++partial_messages_ > max_partial_) {
    fail("too many messages have begun and are not whole");
    return false;
  }
  return true;
}

/// The next chunk of a message has format 3. Some repeat the message's header instead, whose time
/// then says nothing new.
bool ChunkReader::continues(ChunkStream& stream, const Header& header) {
  if (header.format == 3) return true;
  if (header.format < 2 && (header.length != stream.length || header.type != stream.type)) {
    fail("a message begins in a chunk stream whose last message is not whole");
    return false;
  }
  // What format 3 repeats from here on is what this header has.
  stream.extended = header.extended;
  if (header.extended) stream.delta = header.timestamp;
  return true;
}

bool ChunkReader::account_chunk(ChunkStream& stream) {
  const auto have = static_cast<std::uint32_t>(stream.partial.size());
  chunk_left_ = std::min(chunk_size_, stream.length - have);
  if (!stream.counted) return true;
  partial_bytes_ += chunk_left_;
  if (partial_bytes_ <= 4 * max_message_) return true;
  fail("the messages that are not whole are too long together");
  return false;
}

ChunkReader::Result ChunkReader::finish_message(ChunkStream& stream, std::string_view payload,
                                                Message& message) {
  stream.begun = false;
  if (stream.counted) {
    --partial_messages_;
    partial_bytes_ -= stream.length;
  }
  message.type = static_cast<MessageType>(stream.type);
  message.chunk_stream = stream.id;
  message.stream = stream.stream;
  message.timestamp = stream.timestamp;
  message.payload = payload;
  return carry_out(message) ? Result::kMessage : Result::kError;
}

bool ChunkReader::carry_out(const Message& message) {
  if (message.type != MessageType::kSetChunkSize && message.type != MessageType::kAbort) {
    return true;
  }
  if (message.payload.size() < 4) {
    fail("a protocol control message is cut short");
    return false;
  }
  const std::uint32_t value = load_be(message.payload.data(), 4);
  if (message.type == MessageType::kAbort) {
    drop_partial(value);
    return true;
  }
  if (value == 0 || value > INT32_MAX) {
    fail("Set Chunk Size is zero or has its top bit set");
    return false;
  }
  // No message is longer, so all greater sizes mean the same (spec 5.4.1).
  chunk_size_ = std::min(value, kMaxChunkSize);
  return true;
}

void ChunkReader::drop_partial(std::uint32_t id) {
  ChunkStream* stream = find(id);
  if (stream == nullptr || !stream->begun) return;
  stream->begun = false;
  --partial_messages_;
  partial_bytes_ -= stream->partial.size();
  std::string().swap(stream->partial);
}

}  // namespace mpb::rtmp
