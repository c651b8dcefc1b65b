#include "worker/rtmp/relay/player.hpp"

#include <algorithm>
#include <utility>

#include "proto/rtmp/command.hpp"
#include "worker/rtmp/relay/live_stream.hpp"

namespace mpb::rtmp {
namespace {

constexpr std::uint32_t kChunkStreamsPerPlayer = kLanes;
constexpr Lane kMetadataLane = lane_of(Track::kMetadata);
// A track's header stands where the message before was, unless that is longer ago.
constexpr std::int32_t kMaxHeaderAge = kMaxApart;    // ms
constexpr std::size_t kMaxDue = 64UL * 1024 * 1024;  // bytes that a stream keeps for slow players
// Bytes for one sendmsg(2): what is collected and not taken is collected again.
constexpr std::size_t kMaxCollected = 1024UL * 1024;

Loan loan_of(const std::shared_ptr<const std::string>& text) {
  return {text, *text, std::nullopt};
}

}  // namespace

Player::Player(LiveStream& stream, RelayClient& client, std::uint32_t stream_id,
               std::uint32_t ordinal)
    : stream_(stream),
      client_(client),
      stream_id_(stream_id),
      ordinal_(ordinal),
      told_(stream.publisher() != nullptr ? Publication::kBegins : Publication::kNone) {}

std::uint32_t Player::chunk_stream(Lane lane) const {
  return chunk_stream_of(lane) + ordinal_ * kChunkStreamsPerPlayer;
}

bool Player::wants(const LoggedMessage& message) const {
  const Content& content = message.content;
  if (!wanted_[index_of(content.track)]) return false;
  return content.track != Track::kVideo || content.header || (content.tracks & ~awaited_) != 0;
}

/// A track of video begins with it.
bool Player::starts_video(const LoggedMessage& message) const {
  const Content& content = message.content;
  return content.key_frame && (content.tracks & awaited_) != 0 && wanted_[index_of(Track::kVideo)];
}

bool Player::before_base(std::uint32_t timestamp) const {
  if (!base_) return false;
  const std::uint32_t latest = stream_.log().last_time();
  // The latest message may itself be one that lies a little before it: of another track.
  const auto since = static_cast<std::int32_t>(latest - *base_);
  if (since < 0 && since >= -kMaxHeaderAge) {
    return static_cast<std::int32_t>(timestamp - *base_) < 0;
  }
  // A player may have been there for more than half the circle of times.
  const bool ahead = static_cast<std::int32_t>(timestamp - latest) > 0;
  return !ahead && latest - timestamp > latest - *base_;
}

std::uint32_t Player::time_for(Lane lane, std::uint32_t timestamp) const {
  if (lane == kMetadataLane || before_base(timestamp)) return 0;
  return timestamp - base_.value_or(0);
}

/// What follows in the log counts from the message before it, and so from what is written here if
/// that has its time.
void Player::write_first(Lane lane, MessageType type, const Loan& payload, Outgoing& out) {
  const std::uint32_t time = stream_.log().time_before(lane, next_);
  in_step_[lane] = lane == kMetadataLane || !before_base(time);
  out.lend_message({type, chunk_stream(lane), stream_id_, time_for(lane, time), {}}, payload);
}

/// Those that hold where the player is; what comes later stands in the log.
void Player::write_headers(Track track, std::uint8_t tracks, Outgoing& out) {
  for (const StreamHeader& header : stream_.headers()) {
    if (header.track != track || (header.tracks & tracks) == 0 || !header.holds_at(next_)) continue;
    write_first(lane_of(track, header.tracks), header.type, loan_of(header.payload), out);
  }
}

/// A player that begins once more goes on in its own time.
void Player::set_base(std::uint64_t number) {
  const StreamLog& log = stream_.log();
  if (stream_.jitter() == Jitter::kOff) {
    base_.reset();
    return;
  }
  std::uint32_t base = log.time_at(number);
  for (const StreamHeader& header : stream_.headers()) {
    const Lane lane = lane_of(header.track, header.tracks);
    if (!log.began(lane)) continue;
    const std::uint32_t before = log.time_before(lane, number);
    const auto step = static_cast<std::int32_t>(before - base);
    if (step < 0 && step >= -kMaxHeaderAge) base = before;
  }
  const bool clock_went_back = base_ && static_cast<std::int32_t>(base - *base_) < 0;
  if (!base_ || (clock_went_back && stream_.jitter() == Jitter::kZero)) base_ = base;
}

void Player::begin(std::uint64_t number, Outgoing& out, TimePoint now) {
  next_ = number;
  offset_ = 0;
  playing_ = true;
  began_ = now;
  in_step_.reset();
  awaited_ = kAllTracks;
  set_base(number);
  tell_publisher(out);
  if (stream_.metadata() != nullptr) {
    write_first(kMetadataLane, MessageType::kDataAmf0, loan_of(stream_.metadata()), out);
  }
  for (const Track track : {Track::kVideo, Track::kAudio}) {
    if (wanted_[index_of(track)]) write_headers(track, kAllTracks, out);
  }
}

void Player::tell(Publication publication, Outgoing& out) {
  // Who waits for its first publisher has nothing that could end.
  if (publication == told_ || (publication == Publication::kEnds && told_ == Publication::kNone))
    return;
  told_ = publication;
  const bool begins = publication == Publication::kBegins;
  append_user_control(out.own(), begins ? kStreamBegin : kStreamEof, stream_id_);
  if (stream_.settings().publish_notify) {
    append_publish_notify(out.own(), stream_id_, stream_.name().stream, begins);
  }
}

void Player::tell_publisher(Outgoing& out) {
  tell(stream_.publisher() != nullptr ? Publication::kBegins : Publication::kEnds, out);
}

/// A publication of the log.
void Player::heed(Publication publication, Outgoing& out) {
  // What another publisher sends cannot be decoded with the frames before.
  if (publication == Publication::kBegins) awaited_ = kAllTracks;
  tell(publication, out);
}

/// The message is the next one, and the picture can be decoded from it on.
void Player::start_video(const LoggedMessage& message, Outgoing& out) {
  awaited_ &= static_cast<std::uint8_t>(~message.content.tracks);
  if (!in_step_[message.lane]) write_headers(Track::kVideo, message.content.tracks, out);
}

void Player::receive(Track track, bool wanted, Outgoing& out) {
  const bool before = std::exchange(wanted_[index_of(track)], wanted);
  if (before == wanted) return;
  for (Lane slot = 0; slot < kMaxTracks; ++slot) {
    in_step_.reset(lane_of(track, static_cast<std::uint8_t>(1U << slot)));
  }
  if (!wanted) return;
  if (track == Track::kVideo) {
    awaited_ = kAllTracks;
  } else if (playing_) {
    write_headers(track, kAllTracks, out);
  }
}

/// jitter = zero, off: the publisher's clock has jumped at this message.
void Player::follow_clock(const LoggedMessage& message) {
  if (stream_.jitter() == Jitter::kOff) base_.reset();
  // A clock that went back begins anew; data and headers are no clock.
  const bool frame = message.content.track != Track::kData && !message.content.header;
  if (frame && stream_.jitter() == Jitter::kZero &&
      static_cast<std::int32_t>(message.timestamp - base_.value_or(0)) < 0) {
    base_ = message.timestamp;
  }
}

void Player::write_own(Outgoing& out, std::size_t limit) {
  const StreamLog& log = stream_.log();
  if (!playing_ || offset_ > 0) return;
  for (; next_ < log.end() && out.size() < limit; ++next_) {
    const LoggedMessage& message = log.at(next_);
    if (message.publication != Publication::kNone) {
      heed(message.publication, out);
      continue;
    }
    if (starts_video(message)) start_video(message, out);
    if (!wants(message)) {
      in_step_.reset(message.lane);
      continue;
    }
    if (!needs_own(message)) return;
    if (message.absolute) follow_clock(message);
    log.append_absolute(out, message, chunk_stream(message.lane), stream_id_,
                        time_for(message.lane, message.timestamp));
    // What was given 0 instead of its time is nothing to count from.
    in_step_[message.lane] = message.lane == kMetadataLane || !before_base(message.timestamp);
  }
}

std::size_t Player::collect(std::vector<iovec>& slices, std::size_t room) const {
  const StreamLog& log = stream_.log();
  std::size_t total = 0;
  if (!playing_) return total;
  std::size_t offset = offset_;
  std::optional<std::uint64_t> segment;  // of the last slice
  std::bitset<kLanes> skipped;
  for (std::uint64_t number = next_; number < log.end() && total < kMaxCollected; ++number) {
    const LoggedMessage& message = log.at(number);
    if (offset == 0) {
      if (starts_video(message)) break;
      if (!wants(message)) {
        skipped.set(message.lane);
        continue;
      }
      if (needs_own(message) || skipped[message.lane]) break;
    }
    const std::string_view bytes = log.chunks(message).substr(offset);
    offset = 0;
    iovec* last = segment == message.segment ? &slices.back() : nullptr;
    if (last != nullptr && static_cast<char*>(last->iov_base) + last->iov_len == bytes.data()) {
      last->iov_len += bytes.size();
    } else if (slices.size() < room) {
      slices.push_back({const_cast<char*>(bytes.data()), bytes.size()});
    } else {
      break;
    }
    segment = message.segment;
    total += bytes.size();
  }
  return total;
}

std::optional<off_t> Player::file_offset() const {
  const StreamLog& log = stream_.log();
  std::uint64_t number = next_;
  while (offset_ == 0 && number < log.end() && !wants(log.at(number))) ++number;
  if (number >= log.end()) return std::nullopt;
  const auto whole = log.place_of(log.at(number));
  return whole ? std::optional(*whole + offset_) : std::nullopt;
}

void Player::advance(std::size_t bytes) {
  const StreamLog& log = stream_.log();
  while (bytes > 0) {
    const LoggedMessage& message = log.at(next_);
    if (offset_ == 0 && !wants(message)) {
      in_step_.reset(message.lane);
      ++next_;
      continue;
    }
    const std::size_t left = message.size - offset_;
    if (bytes < left) {
      offset_ += static_cast<std::uint32_t>(bytes);
      return;
    }
    bytes -= left;
    offset_ = 0;
    ++next_;
  }
}

void Player::finish_message(Outgoing& out) {
  if (offset_ == 0) return;
  const StreamLog& log = stream_.log();
  out.lend(log.lend(log.at(next_), offset_));
  offset_ = 0;
  ++next_;
}

bool Player::late(TimePoint now, Duration limit) const {
  const StreamLog& log = stream_.log();
  if (!playing_ || next_ >= log.end()) return false;
  const bool behind_most = next_ - log.begin() <= (log.end() - log.begin()) / 2;
  if (behind_most && log.bytes() > kMaxDue) return true;
  return now - std::max(log.at(next_).arrived, began_) > limit;
}

void Player::drop(Outgoing& out, TimePoint now) {
  finish_message(out);
  const auto key_frame = stream_.log().key_frame();
  begin(key_frame && *key_frame > next_ ? *key_frame : stream_.log().end(), out, now);
}

}  // namespace mpb::rtmp
