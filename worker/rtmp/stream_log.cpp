#include "worker/rtmp/stream_log.hpp"

#include <algorithm>

#include "proto/rtmp/command.hpp"

namespace mpb::rtmp {
namespace {

constexpr std::size_t kSmallestSegment = 16UL * 1024;
constexpr std::size_t kLargestSegment = 256UL * 1024;

// Beyond these the publisher's clock has jumped; within them tracks that are interleaved unevenly,
// and pauses, keep their times.
constexpr std::int32_t kMaxBack = 1'000;     // ms
constexpr std::int32_t kMaxForward = 5'000;  // ms
constexpr std::uint32_t kAfterJump = 10;     // ms, as SRS has it

constexpr std::size_t kDeltaHeader = 8;  // format 1: basic header of one byte, 7 of message header
constexpr std::size_t kContinuation = 1;

}  // namespace

void StreamLog::restart(Jitter jitter) {
  jitter_ = jitter;
  began_ = false;
  key_frame_.reset();
}

/// The time that players get for the publisher's.
std::uint32_t StreamLog::correct(std::uint32_t timestamp) {
  if (jitter_ != Jitter::kFull) return timestamp;
  const auto step = static_cast<std::int32_t>(timestamp - last_raw_);
  const bool jumped = !began_ || step < -kMaxBack || step > kMaxForward;
  if (!jumped) return last_time_ + static_cast<std::uint32_t>(step);
  const bool first_ever = messages_.empty() && first_ == 0;
  if (first_ever) return 0;
  // Behind whichever track is ahead; one that ended long ago is not, when times have wrapped.
  std::int32_t ahead = 0;
  for (const std::uint32_t time : track_time_) {
    const auto step_to = static_cast<std::int32_t>(time - last_time_);
    if (step_to <= kMaxBack) ahead = std::max(ahead, step_to);
  }
  return last_time_ + static_cast<std::uint32_t>(ahead) + kAfterJump;
}

/// The publisher sent the message at `timestamp`.
void StreamLog::set_time(LoggedMessage& message, std::uint32_t timestamp) {
  const std::uint32_t time = correct(timestamp);
  last_raw_ = timestamp;
  last_time_ = time;
  began_ = true;
  std::uint32_t& track_time = track_time_[index_of(message.track)];
  bool& track_began = track_began_[index_of(message.track)];
  message.timestamp = time;
  const auto step = static_cast<std::int32_t>(time - track_time);
  if (!track_began) {
    track_began = true;
  } else if (step >= 0 && static_cast<std::uint32_t>(step) < kExtendedTimestamp) {
    message.delta = static_cast<std::uint32_t>(step);
  } else if (step < 0 && jitter_ == Jitter::kFull) {
    message.timestamp = track_time;  // a track does not go back
  } else {
    message.absolute = true;
  }
  track_time = message.timestamp;
}

Segment& StreamLog::segment_for(std::size_t size) {
  if (segments_.empty() || segments_.back().room() < size) {
    const std::size_t usual = std::clamp(bytes_ / 4, kSmallestSegment, kLargestSegment);
    segments_.emplace_back(file_, std::max(usual, size));
  }
  return segments_.back();
}

void StreamLog::append(Track track, MessageType type, std::uint32_t timestamp,
                       std::string_view payload, bool key_frame, TimePoint now) {
  LoggedMessage message;
  message.track = track;
  message.type = type;
  message.length = static_cast<std::uint32_t>(payload.size());
  message.key_frame = key_frame;
  message.arrived = now;
  if (track == Track::kMetadata) {
    message.timestamp = last_time_;
  } else {
    set_time(message, timestamp);
  }

  static std::string chunks;  // one thread
  chunks.clear();
  append_delta_message(chunks, {type, chunk_stream_of(track), 0, 0, payload}, message.delta,
                       kOutChunkSize);
  Segment& segment = segment_for(chunks.size());
  message.segment = first_segment_ + segments_.size() - 1;
  message.offset = static_cast<std::uint32_t>(segment.size());
  message.size = static_cast<std::uint32_t>(chunks.size());
  segment.append(chunks);
  bytes_ += message.size + sizeof message;
  if (key_frame) {
    key_frame_ = end();
    key_frame_time_ = {};
  }
  std::optional<std::uint32_t>& key_frame_time = key_frame_time_[index_of(track)];
  if (!key_frame_time) key_frame_time = message.timestamp - message.delta;
  messages_.push_back(message);
}

std::string_view StreamLog::chunks(const LoggedMessage& message) const {
  return segment_of(message).bytes().substr(message.offset, message.size);
}

std::optional<off_t> StreamLog::place_of(const LoggedMessage& message) const {
  const auto segment = segment_of(message).place();
  return segment ? std::optional(*segment + message.offset) : std::nullopt;
}

std::uint32_t StreamLog::time_before(Track track, std::uint64_t from) const {
  if (key_frame_ && from == *key_frame_) {
    return key_frame_time_[index_of(track)].value_or(track_time_[index_of(track)]);
  }
  for (std::uint64_t number = std::max(from, first_); number < end(); ++number) {
    const LoggedMessage& message = at(number);
    if (message.track == track) return message.timestamp - message.delta;
  }
  return track_time_[index_of(track)];
}

void StreamLog::append_absolute(std::string& out, const LoggedMessage& message,
                                std::uint32_t chunk_stream, std::uint32_t stream,
                                std::uint32_t timestamp) const {
  std::string_view rest = chunks(message).substr(kDeltaHeader);
  if (message.length <= kOutChunkSize) {
    return append_message(out, {message.type, chunk_stream, stream, timestamp, rest},
                          kOutChunkSize);
  }
  std::string payload;
  payload.reserve(message.length);
  while (!rest.empty()) {
    payload += rest.substr(0, kOutChunkSize);
    rest.remove_prefix(std::min<std::size_t>(kOutChunkSize + kContinuation, rest.size()));
  }
  append_message(out, {message.type, chunk_stream, stream, timestamp, payload}, kOutChunkSize);
}

void StreamLog::trim(std::uint64_t number, bool keep_key_frame) {
  if (keep_key_frame && key_frame_) number = std::min(number, *key_frame_);
  number = std::min(number, end());
  while (first_ < number) {
    bytes_ -= messages_.front().size + sizeof(LoggedMessage);
    messages_.pop_front();
    ++first_;
  }
  if (key_frame_ && *key_frame_ < first_) key_frame_.reset();
  const std::uint64_t needed =
      messages_.empty() ? first_segment_ + segments_.size() : messages_.front().segment;
  while (first_segment_ < needed && segments_.size() > 1) {
    segments_.pop_front();
    ++first_segment_;
  }
  if (messages_.empty() && !segments_.empty()) segments_.back().reuse_if_ordinary();
}

}  // namespace mpb::rtmp
