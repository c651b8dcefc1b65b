// ChunkReader's state as bytes: u32 chunk size, u32 bytes left of the current chunk, u32 index of
// the current chunk stream, u32 number of chunk streams; for each: u32 id, timestamp, delta,
// length, stream, u8 type, u8 flags (1 extended, 2 begun, 4 counted), u32 size of what there is of
// the partial message, and that.
#include <utility>

#include "proto/base/byte_order.hpp"
#include "proto/rtmp/chunk.hpp"

namespace mpb::rtmp {
namespace {

constexpr std::uint32_t kExtendedFlag = 1;
constexpr std::uint32_t kBegunFlag = 2;
constexpr std::uint32_t kCountedFlag = 4;
constexpr std::uint32_t kMinChunkStream = 2;
constexpr std::uint32_t kMaxChunkStream = 65599;
constexpr std::uint32_t kMaxLength = 0xffffff;  // of a message, in its header's three bytes

}  // namespace

void ChunkReader::save(std::string& out) const {
  append_le(out, chunk_size_);
  append_le(out, chunk_left_);
  append_le(out, static_cast<std::uint32_t>(current_));
  append_le(out, static_cast<std::uint32_t>(streams_.size()));
  for (const ChunkStream& stream : streams_) {
    for (const std::uint32_t field :
         {stream.id, stream.timestamp, stream.delta, stream.length, stream.stream}) {
      append_le(out, field);
    }
    append_le(out, stream.type);
    const std::uint32_t flags = (stream.extended ? kExtendedFlag : 0) |
                                (stream.begun ? kBegunFlag : 0) |
                                (stream.begun && stream.counted ? kCountedFlag : 0);
    append_le(out, static_cast<std::uint8_t>(flags));
    append_le(out, static_cast<std::uint32_t>(stream.partial.size()));
    out.append(stream.partial);
  }
}

bool ChunkReader::restore(std::string_view saved) {
  ChunkReader to(max_message_, max_partial_);
  ByteReader in(saved);
  to.chunk_size_ = in.number<std::uint32_t>();
  to.chunk_left_ = in.number<std::uint32_t>();
  to.current_ = in.number<std::uint32_t>();
  const auto count = in.number<std::uint32_t>();
  if (to.chunk_size_ == 0 || to.chunk_size_ > kMaxChunkSize) return false;
  if (to.chunk_left_ > to.chunk_size_ || count > kMaxChunkStreams) return false;
  if (count == 0 ? to.current_ != 0 || to.chunk_left_ != 0 : to.current_ >= count) return false;
  std::string_view rest = in.rest();
  while (to.streams_.size() < count) {
    if (!to.restore_stream(rest)) return false;
  }
  if (!in.ok() || !rest.empty() || to.partial_messages_ > max_partial_ ||
      to.partial_bytes_ > 4 * max_message_) {
    return false;
  }
  *this = std::move(to);
  return true;
}

/// The next one of streams_, off the front of `saved`.
bool ChunkReader::restore_stream(std::string_view& saved) {
  ByteReader in(saved);
  ChunkStream stream;
  stream.id = in.number<std::uint32_t>();
  stream.timestamp = in.number<std::uint32_t>();
  stream.delta = in.number<std::uint32_t>();
  stream.length = in.number<std::uint32_t>();
  stream.stream = in.number<std::uint32_t>();
  stream.type = in.number<std::uint8_t>();
  const auto flags = in.number<std::uint8_t>();
  const std::string_view partial = in.bytes(in.number<std::uint32_t>());
  if (!in.ok() || stream.id < kMinChunkStream || stream.id > kMaxChunkStream) return false;
  if (find(stream.id) != nullptr || stream.length > kMaxLength) return false;
  if (flags > (kExtendedFlag | kBegunFlag | kCountedFlag)) return false;
  stream.extended = (flags & kExtendedFlag) != 0;
  stream.begun = (flags & kBegunFlag) != 0;
  stream.counted = (flags & kCountedFlag) != 0;

  // Only a message that has begun and is not whole has bytes, and it is in its first chunk or takes
  // several.
  const std::uint32_t left = streams_.size() == current_ ? chunk_left_ : 0;
  // Of a message that is over, the length may be of a time when longer ones were allowed.
  if (stream.begun && stream.length > max_message_) return false;
  if (!stream.begun) {
    if (!partial.empty() || stream.counted || left > 0) return false;
  } else {
    if (partial.size() >= stream.length || left > stream.length - partial.size()) return false;
    const bool last_chunk = left == stream.length - partial.size();
    if (!stream.counted && !last_chunk) return false;
    if (left == 0 && partial.empty()) return false;
  }
  if (stream.counted) {
    ++partial_messages_;
    partial_bytes_ += partial.size() + left;
  }
  stream.partial = partial;
  add(stream.id) = std::move(stream);
  saved = in.rest();
  return true;
}

}  // namespace mpb::rtmp
