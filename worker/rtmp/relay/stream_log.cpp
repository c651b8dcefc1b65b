#include "worker/rtmp/relay/stream_log.hpp"

#include <algorithm>

#include "proto/rtmp/command.hpp"

namespace mpb::rtmp {
namespace {

constexpr std::size_t kSmallestSegment = 16UL * 1024;
constexpr std::size_t kLargestSegment = 256UL * 1024;

constexpr std::size_t kDeltaHeader = 8;  // format 1: basic header of one byte, 7 of message header
constexpr std::size_t kContinuation = 1;

}  // namespace

void StreamLog::restart(Jitter jitter) {
  jitter_ = jitter;
  timeline_.restart();
  forget_key_frames();
}

/// The publisher sent the message at `timestamp`.
void StreamLog::set_time(LoggedMessage& message, std::uint32_t timestamp) {
  const Content& content = message.content;
  if (content.track == Track::kMetadata) {
    message.timestamp = last_time_;
    return;
  }
  const bool media = content.track != Track::kData;
  std::uint32_t time = timestamp;
  if (jitter_ == Jitter::kFull) {
    time = media ? timeline_.media(message.lane, content.header, timestamp, message.arrived)
                 : timeline_.data(timestamp, message.arrived);
  }
  std::uint32_t& lane_time = lane_time_[message.lane];
  const auto step = static_cast<std::int32_t>(time - lane_time);
  message.timestamp = time;
  if (!lane_began_[message.lane]) {
    lane_began_[message.lane] = true;
  } else if (step >= 0 && static_cast<std::uint32_t>(step) < kExtendedTimestamp) {
    message.delta = static_cast<std::uint32_t>(step);
  } else if (step < 0 && media && jitter_ == Jitter::kFull) {
    message.timestamp = lane_time;  // it does not go back
  } else {
    message.absolute = true;
  }
  lane_time = message.timestamp;
  if (media && !content.header) last_time_ = message.timestamp;
}

Segment& StreamLog::segment_for(std::size_t size) {
  if (segments_.empty() || segments_.back()->room() < size) {
    const std::size_t usual = std::clamp(bytes_ / 4, kSmallestSegment, kLargestSegment);
    segments_.push_back(std::make_shared<Segment>(file_, std::max(usual, size)));
    capacity_ += segments_.back()->capacity();
  }
  return *segments_.back();
}

void StreamLog::append(const Content& content, std::uint32_t timestamp, std::string_view payload,
                       TimePoint now) {
  LoggedMessage message;
  message.content = content;
  message.lane = lane_of(content.track, content.tracks);
  message.length = static_cast<std::uint32_t>(payload.size());
  message.arrived = now;
  set_time(message, timestamp);

  static std::string chunks;  // one thread
  chunks.clear();
  append_delta_message(chunks, {content.type, chunk_stream_of(message.lane), 0, 0, payload},
                       message.delta, kOutChunkSize);
  Segment& segment = segment_for(chunks.size());
  message.segment = first_segment_ + segments_.size() - 1;
  message.offset = static_cast<std::uint32_t>(segment.size());
  message.size = static_cast<std::uint32_t>(chunks.size());
  messages_.push_back(message);  // may throw; from here on nothing does
  segment.append(chunks);
  bytes_ += message.size + sizeof message;
  appended_ += message.size;
  note_entrance_time(message);
  if (content.track == Track::kVideo && !content.header) note_frame(content, end() - 1);
}

void StreamLog::note(Publication publication, TimePoint now) {
  const bool untold = !messages_.empty() && end() > delivered_ &&
                      messages_.back().publication == Publication::kEnds &&
                      publication == Publication::kBegins;
  if (untold) {
    messages_.back().publication = Publication::kBegins;
    return;
  }
  LoggedMessage message;
  message.publication = publication;
  message.segment = first_segment_ + (segments_.empty() ? 0 : segments_.size() - 1);
  message.arrived = now;
  messages_.push_back(message);
  bytes_ += sizeof message;
}

/// The message is behind the entrance.
void StreamLog::note_entrance_time(const LoggedMessage& message) {
  if (message.lane == kNoLane) return;
  std::optional<std::uint32_t>& time = entrance_time_[message.lane];
  if (entrance_ && !time) time = message.timestamp - message.delta;
}

void StreamLog::note_frame(const Content& content, std::uint64_t number) {
  std::optional<std::uint64_t> before;  // the key frame before this one
  for (std::size_t track = 0; track < kMaxTracks; ++track) {
    if ((content.tracks >> track & 1) == 0) continue;
    KeyFrames& own = key_frames_[track];
    own.frame = number;
    if (!content.key_frame) continue;
    if (own.latest) before = std::min(before.value_or(own.number), own.number);
    own.latest = own.number = number;
  }
  if (!content.key_frame) return;
  // A track without a frame since then has ended: nobody needs to begin with it.
  for (KeyFrames& track : key_frames_) {
    if (before && track.latest && track.frame < *before) track.latest.reset();
  }
  find_entrance();
}

void StreamLog::find_entrance() {
  std::optional<std::uint64_t> entrance;
  for (const KeyFrames& track : key_frames_) {
    if (track.latest) entrance = std::min(entrance.value_or(*track.latest), *track.latest);
  }
  if (entrance == entrance_) return;
  entrance_ = entrance;
  entrance_time_ = {};
  if (!entrance_) return;
  for (std::uint64_t number = *entrance_; number < end(); ++number) {
    note_entrance_time(at(number));
  }
}

void StreamLog::forget_key_frames() {
  for (KeyFrames& track : key_frames_) track.latest.reset();
  entrance_.reset();
}

void StreamLog::forget_oldest_key_frame() {
  for (KeyFrames& track : key_frames_) {
    if (track.latest == entrance_) track.latest.reset();
  }
  find_entrance();
}

std::string_view StreamLog::chunks(const LoggedMessage& message) const {
  return segment_of(message).bytes().substr(message.offset, message.size);
}

std::optional<off_t> StreamLog::place_of(const LoggedMessage& message) const {
  const auto segment = segment_of(message).place();
  return segment ? std::optional(*segment + message.offset) : std::nullopt;
}

std::uint32_t StreamLog::time_before(Lane lane, std::uint64_t from) const {
  if (entrance_ && from == *entrance_) return entrance_time_[lane].value_or(lane_time_[lane]);
  for (std::uint64_t number = std::max(from, first_); number < end(); ++number) {
    const LoggedMessage& message = at(number);
    if (message.lane == lane) return message.timestamp - message.delta;
  }
  return lane_time_[lane];
}

Loan StreamLog::lend(const LoggedMessage& message, std::size_t offset) const {
  const Loan whole{shared_segment_of(message), chunks(message), place_of(message)};
  return whole.part(offset, std::string_view::npos);
}

void StreamLog::append_absolute(Outgoing& out, const LoggedMessage& message,
                                std::uint32_t chunk_stream, std::uint32_t stream,
                                std::uint32_t timestamp) const {
  const Message own{message.content.type, chunk_stream, stream, timestamp, {}};
  append_first_header(out.own(), own, message.length);
  const Loan rest = lend(message, kDeltaHeader);
  // The headers between the chunks are the same, unless they name another chunk stream or repeat
  // the time.
  if (chunk_stream == chunk_stream_of(message.lane) && timestamp < kExtendedTimestamp) {
    return out.lend(rest);
  }
  for (std::size_t at = 0; at < rest.bytes.size(); at += kOutChunkSize + kContinuation) {
    if (at > 0) append_next_header(out.own(), own);
    out.lend(rest.part(at, kOutChunkSize));
  }
}

void StreamLog::shrink() {
  if (!messages_.empty()) return;
  first_segment_ += segments_.size();
  segments_.clear();
  capacity_ = 0;
}

void StreamLog::trim(std::uint64_t number, bool keep_key_frame) {
  if (keep_key_frame && entrance_) number = std::min(number, *entrance_);
  number = std::min(number, end());
  while (first_ < number) {
    bytes_ -= messages_.front().size + sizeof(LoggedMessage);
    messages_.pop_front();
    ++first_;
  }
  for (KeyFrames& track : key_frames_) {
    if (track.latest && *track.latest < first_) track.latest.reset();
  }
  if (entrance_ && *entrance_ < first_) find_entrance();
  const std::uint64_t needed =
      messages_.empty() ? first_segment_ + segments_.size() : messages_.front().segment;
  while (first_segment_ < needed && segments_.size() > 1) {
    capacity_ -= segments_.front()->capacity();
    segments_.pop_front();
    ++first_segment_;
  }
  if (messages_.empty() && !segments_.empty() && segments_.back().use_count() == 1) {
    segments_.back()->reuse_if_ordinary();
  }
}

}  // namespace mpb::rtmp
