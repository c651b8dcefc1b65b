#include "worker/rtmp/relay/live_stream.hpp"

#include <algorithm>
#include <bit>
#include <utility>

#include "proto/rtmp/big_endian.hpp"

namespace mpb::rtmp {
namespace {

constexpr std::size_t kMaxHeaders = 16;          // codecs and tracks of one stream
constexpr std::size_t kMaxHeader = 64UL * 1024;  // bytes of one, and of the metadata
constexpr Duration kMaxKeyFrameAge{60'000};      // of what is kept for players to begin with
// Messages in one: more than a server's that was sent a minute at once. The others are ignored.
constexpr std::uint32_t kMaxAggregate = 8'192;

}  // namespace

LiveStream::LiveStream(StreamName name, std::shared_ptr<const VhostSettings> settings,
                       SegmentFile& file, TimePoint now)
    : name_(std::move(name)),
      settings_(std::move(settings)),
      jitter_(settings_->jitter),
      log_(jitter_, &file),
      began_(now),
      last_media_(now) {}

void LiveStream::begin_publishing(RelayClient& publisher, TimePoint now) {
  publisher_ = &publisher;
  jitter_ = settings_->jitter;
  log_.restart(jitter_);
  log_.note(Publication::kBegins, now);
  headers_.clear();
  metadata_.reset();
  video_codec_ = audio_codec_ = {};
  size_ = {};
  frame_rate_ = 0;
  has_media_ = has_key_frame_ = false;
  edge_.reset();
  began_ = last_media_ = now;
}

void LiveStream::end_publishing(TimePoint now) {
  publisher_ = nullptr;
  log_.note(Publication::kEnds, now);
  log_.forget_key_frames();
}

std::uint32_t LiveStream::publish(const Message& message, TimePoint now) {
  last_media_ = now;
  switch (message.type) {
    case MessageType::kAudio:
      publish_media(Track::kAudio, message, inspect_audio(message.payload), now);
      return 0;
    case MessageType::kVideo:
      publish_media(Track::kVideo, message, inspect_video(message.payload), now);
      return 0;
    case MessageType::kAggregate:
      return publish_aggregate(message, now);
    default:
      publish_data(message, now);
      return 0;
  }
}

void LiveStream::publish_media(Track track, const Message& message, const MediaInfo& info,
                               TimePoint now) {
  if (message.payload.empty()) return;
  const bool video = track == Track::kVideo;
  std::string_view& codec = video ? video_codec_ : audio_codec_;
  const bool changed = !info.codec.empty() && codec != info.codec;
  if (changed) codec = info.codec;
  const bool header = info.sequence_header || info.config_only;
  if (video && !header) {
    has_key_frame_ = has_key_frame_ || info.key_frame;
    if (!has_key_frame_) return;  // nobody can decode it
  }
  if (info.sequence_header) remember_header(track, message, info);
  if (!header) {
    if (changed) end_headers_of_others(track, info);
    has_media_ = true;
    if (!video && !edge_) edge_ = log_.end();
  }
  log_.append({track, message.type, info.tracks, info.key_frame, header}, message.timestamp,
              message.payload, now);
}

void LiveStream::remember_header(Track track, const Message& message, const MediaInfo& info) {
  if (track == Track::kVideo) {
    if (const auto size = picture_size(message.payload)) size_ = *size;
  }
  if (message.payload.size() > kMaxHeader) return;
  // It takes the place of the one before, of another codec as well. Of several tracks in one
  // message it takes the place of each one's own.
  const bool several = std::popcount(info.tracks) > 1;
  std::vector<StreamHeader*> before;
  for (StreamHeader& known : headers_) {
    if (known.track != track || known.until != UINT64_MAX) continue;
    const bool same = known.codec_track == info.track && known.tracks == info.tracks;
    if (same || (several && (known.tracks & ~info.tracks) == 0)) before.push_back(&known);
  }
  if (before.size() == 1 && *before[0]->payload == message.payload) return;
  const auto latest = std::count_if(headers_.begin(), headers_.end(),
                                    [](const StreamHeader& h) { return h.until == UINT64_MAX; });
  if (before.empty() && static_cast<std::size_t>(latest) >= kMaxHeaders) return;
  for (StreamHeader* known : before) known->until = log_.end();
  headers_.push_back({track, message.type, info.codec, info.track, info.tracks,
                      std::make_shared<const std::string>(message.payload), log_.end()});
  bound_headers();
}

/// A codec without headers, such as MP3, has taken the place of one that has them. Who begins from
/// here on would wait for frames of the latter.
void LiveStream::end_headers_of_others(Track track, const MediaInfo& info) {
  for (StreamHeader& known : headers_) {
    const bool same = known.track == track && known.codec_track == info.track &&
                      known.tracks == info.tracks && known.until == UINT64_MAX;
    if (same && known.codec != info.codec) known.until = log_.end();
  }
  bound_headers();
}

/// Drops headers that nobody begins with any more.
void LiveStream::bound_headers() {
  const auto drop_before = [this](std::uint64_t number) {
    std::erase_if(headers_, [number](const StreamHeader& h) { return h.until < number; });
  };
  drop_before(log_.begin());
  if (headers_.size() <= 2 * kMaxHeaders) return;
  log_.forget_key_frames();
  drop_before(log_.end() + 1);
}

void LiveStream::publish_data(const Message& message, TimePoint now) {
  std::string converted;
  const auto data = data_in_amf0(message.payload, converted);
  if (!data) return;
  if (const auto cleared = cleared_data_frame(*data)) {
    // For who keeps what was set, which is the stream and no player.
    if (cleared->empty() || *cleared == "onMetaData") metadata_.reset();
    return;
  }
  const std::string_view payload = strip_set_data_frame(*data);
  if (payload.empty()) return;
  if (const auto metadata = read_metadata(payload)) {
    const bool same = metadata_ != nullptr && *metadata_ == payload;
    if (!same && payload.size() <= kMaxHeader) {
      metadata_ = std::make_shared<const std::string>(payload);
    }
    if (metadata->width > 0 && metadata->height > 0 && size_.width == 0) {
      constexpr double kLargest = 65'535;
      size_ = {static_cast<std::uint32_t>(std::min(metadata->width, kLargest)),
               static_cast<std::uint32_t>(std::min(metadata->height, kLargest))};
    }
    if (metadata->frame_rate > 0) frame_rate_ = metadata->frame_rate;
  }
  const Track track = names_metadata(payload) ? Track::kMetadata : Track::kData;
  if (track == Track::kData && !has_media_ && !edge_) edge_ = log_.end();
  log_.append({track, MessageType::kDataAmf0}, message.timestamp, payload, now);
}

/// FLV tags one behind the other, each followed by its size (Video File Format Specification 10,
/// E.4.1); their times are relative to that of the first.
std::uint32_t LiveStream::publish_aggregate(const Message& message, TimePoint now) {
  constexpr std::size_t kTagHeader = 11;
  constexpr std::size_t kTagTrailer = 4;
  std::string_view rest = message.payload;
  std::optional<std::uint32_t> first;
  std::uint32_t count = 0;
  for (; rest.size() >= kTagHeader && count < kMaxAggregate; ++count) {
    const std::size_t length = load_be(rest.data() + 1, 3);
    if (rest.size() < kTagHeader + length) break;
    const auto high = static_cast<unsigned char>(rest[7]);
    const std::uint32_t time = load_be(rest.data() + 4, 3) | (std::uint32_t{high} << 24);
    if (!first) first = time;
    Message tag = message;
    tag.type = static_cast<MessageType>(rest[0] & 0x1f);
    tag.timestamp = message.timestamp + (time - *first);
    tag.payload = rest.substr(kTagHeader, length);
    if (tag.type == MessageType::kAudio || tag.type == MessageType::kVideo ||
        tag.type == MessageType::kDataAmf0 || tag.type == MessageType::kDataAmf3) {
      publish(tag, now);
    }
    rest.remove_prefix(std::min(rest.size(), kTagHeader + length + kTagTrailer));
  }
  return count;
}

void LiveStream::add_player(Player& player) {
  player.place = players_.size();
  players_.push_back(&player);
}

void LiveStream::remove_player(Player& player) {
  players_[player.place] = players_.back();
  players_[player.place]->place = player.place;
  players_.pop_back();
}

std::optional<std::uint64_t> LiveStream::entrance() const {
  if (publisher_ == nullptr) return std::nullopt;
  const auto key_frame = log_.key_frame();
  // Without the cache, only what has just come.
  if (key_frame && (settings_->gop_cache || *key_frame >= delivered_)) {
    return key_frame;
  }
  return edge_;
}

std::uint64_t LiveStream::first_needed() const {
  std::uint64_t needed = log_.end();
  for (const Player* player : players_) needed = std::min(needed, player->position());
  return needed;
}

std::uint64_t LiveStream::spare_bytes() const {
  const std::uint64_t messages = log_.end() - log_.begin();
  const std::uint64_t spare = std::max(first_needed(), log_.begin()) - log_.begin();
  return messages == 0 ? 0 : log_.memory() * spare / messages;
}

std::uint64_t LiveStream::due_bytes() const {
  return log_.memory() - std::min<std::uint64_t>(spare_bytes(), log_.memory());
}

std::uint64_t LiveStream::header_bytes() const {
  std::uint64_t bytes = metadata_ != nullptr ? metadata_->size() : 0;
  for (const StreamHeader& header : headers_) bytes += sizeof header + header.payload->size();
  return bytes;
}

void LiveStream::give_up_spare() {
  log_.forget_key_frames();
  log_.trim(first_needed(), false);
  log_.shrink();
  ++counters.given_up;
}

void LiveStream::trim() {
  const std::uint64_t needed = first_needed();
  log_.trim(needed, settings_->gop_cache);
  while (const auto key_frame = log_.key_frame()) {
    const bool large = log_.bytes() > kMaxKept && *key_frame == log_.begin();
    if (!large && last_media_ - log_.at(*key_frame).arrived <= kMaxKeyFrameAge) break;
    log_.forget_oldest_key_frame();
    log_.trim(needed, settings_->gop_cache);
  }
  delivered_ = log_.end();
  log_.delivered();
  edge_.reset();
}

}  // namespace mpb::rtmp
