#include "bench/mprtmp/skimmer.hpp"

#include <algorithm>

namespace mpb::rtmp_load {
namespace {

constexpr std::size_t kMaxChunkStreams = 64;
constexpr std::size_t kHeaderSizes[] = {11, 7, 3, 0};  // behind the basic header

std::uint32_t big_endian(std::string_view bytes) {
  std::uint32_t value = 0;
  for (const char c : bytes) value = value << 8 | static_cast<unsigned char>(c);
  return value;
}

std::uint32_t little_endian(std::string_view bytes) {
  std::uint32_t value = 0;
  for (std::size_t i = bytes.size(); i > 0; --i) {
    value = value << 8 | static_cast<unsigned char>(bytes[i - 1]);
  }
  return value;
}

}  // namespace

ChunkSkimmer::Event ChunkSkimmer::next(std::string_view& bytes, Skimmed& message) {
  for (;;) {
    if (current_ == nullptr) {
      bool begins = false;
      if (!take_header(bytes, begins)) return why_.empty() ? Event::kNeedMore : Event::kError;
      if (begins) {
        describe(message);
        return Event::kBegun;
      }
    }
    take_payload(bytes);
    if (chunk_left_ > 0) return Event::kNeedMore;
    if (current_->received < current_->length) {
      current_ = nullptr;
      continue;
    }
    return finish(message) ? Event::kMessage : Event::kError;
  }
}

bool ChunkSkimmer::take_header(std::string_view& bytes, bool& begins) {
  if (pending_size_ == 0) {
    const std::size_t used = read_header(bytes, begins);
    if (used > 0) {
      bytes.remove_prefix(used);
      return true;
    }
    if (!why_.empty()) return false;
  }
  const std::size_t before = pending_size_;
  const std::size_t more = std::min(bytes.size(), kMaxHeader - before);
  std::copy_n(bytes.data(), more, pending_.data() + before);
  pending_size_ += more;
  const std::size_t used = before == 0 ? 0 : read_header({pending_.data(), pending_size_}, begins);
  if (used == 0) {
    bytes.remove_prefix(more);
    return false;
  }
  pending_size_ = 0;
  bytes.remove_prefix(used - before);
  return true;
}

std::size_t ChunkSkimmer::read_header(std::string_view bytes, bool& begins) {
  if (bytes.empty()) return 0;
  const auto first = static_cast<unsigned char>(bytes[0]);
  std::uint32_t id = first & 0x3fU;
  const std::size_t basic = id == 0 ? 2 : id == 1 ? 3 : 1;
  if (bytes.size() < basic) return 0;
  if (basic > 1) id = 64 + little_endian(bytes.substr(1, basic - 1));
  ChunkStream* stream = find(id);
  if (stream == nullptr) return 0;
  const std::size_t rest = header_of(*stream, first >> 6, bytes.substr(basic), begins);
  if (rest == SIZE_MAX) return 0;
  current_ = stream;
  chunk_left_ = std::min(chunk_size_, stream->length - stream->received);
  return basic + rest;
}

/// Carries out what follows the basic header and tells its size; SIZE_MAX: not whole.
std::size_t ChunkSkimmer::header_of(ChunkStream& stream, unsigned format, std::string_view rest,
                                    bool& begins) {
  std::size_t size = kHeaderSizes[format];
  if (rest.size() < size) return SIZE_MAX;
  std::uint32_t field = format < 3 ? big_endian(rest.substr(0, 3)) : stream.field;
  const bool extended = format < 3 ? field == rtmp::kExtendedTimestamp : stream.extended;
  if (extended) {
    if (rest.size() < size + 4) return SIZE_MAX;
    field = big_endian(rest.substr(size, 4));
    size += 4;
  }
  if (format < 2) {
    stream.length = big_endian(rest.substr(3, 3));
    stream.type = static_cast<rtmp::MessageType>(rest[6]);
  }
  if (format == 0) stream.stream = little_endian(rest.substr(7, 4));
  stream.extended = extended;
  stream.field = field;
  begins = !stream.begun || format < 3;
  if (begins) {
    stream.timestamp = format == 0 ? field : stream.timestamp + field;
    stream.begun = true;
    stream.received = 0;
    stream.front.clear();
  }
  return size;
}

void ChunkSkimmer::take_payload(std::string_view& bytes) {
  ChunkStream& stream = *current_;
  const auto taken = static_cast<std::uint32_t>(std::min<std::size_t>(chunk_left_, bytes.size()));
  const bool media =
      stream.type == rtmp::MessageType::kAudio || stream.type == rtmp::MessageType::kVideo;
  const std::size_t kept = media ? kKeptOfMedia : kKeptOfOthers;
  if (stream.front.size() < kept) {
    stream.front += bytes.substr(0, std::min<std::size_t>(taken, kept - stream.front.size()));
  }
  bytes.remove_prefix(taken);
  stream.received += taken;
  chunk_left_ -= taken;
}

/// False: a control message that makes no sense.
bool ChunkSkimmer::finish(Skimmed& message) {
  describe(message);
  message.front = current_->front;
  current_->begun = false;
  current_ = nullptr;
  if (message.type == rtmp::MessageType::kSetChunkSize) {
    if (message.front.size() >= 4) chunk_size_ = big_endian(message.front.substr(0, 4));
    if (message.front.size() < 4 || chunk_size_ == 0 || chunk_size_ > 0x7fffffffU) {
      why_ = "a chunk size that cannot be";
      return false;
    }
  }
  if (message.type == rtmp::MessageType::kAbort && message.front.size() >= 4) {
    const std::uint32_t id = big_endian(message.front.substr(0, 4));
    for (ChunkStream& stream : streams_) {
      if (stream.id == id) stream.begun = false;
    }
  }
  return true;
}

void ChunkSkimmer::describe(Skimmed& message) const {
  message = {current_->type, current_->stream, current_->timestamp, current_->length, {}};
}

ChunkSkimmer::ChunkStream* ChunkSkimmer::find(std::uint32_t id) {
  for (ChunkStream& stream : streams_) {
    if (stream.id == id) return &stream;
  }
  if (streams_.size() == kMaxChunkStreams) {
    why_ = "more than 64 chunk streams";
    return nullptr;
  }
  // Only between chunks, where nothing points into the vector.
  streams_.emplace_back().id = id;
  return &streams_.back();
}

}  // namespace mpb::rtmp_load
