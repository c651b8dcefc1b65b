#include "worker/rtmp/live_stream.hpp"

#include <algorithm>
#include <utility>

#include "proto/rtmp/big_endian.hpp"

namespace mpb::rtmp {
namespace {

constexpr std::size_t kMaxHeaders = 16;              // codecs and tracks of one stream
constexpr std::size_t kMaxHeader = 64UL * 1024;      // bytes of one, and of the metadata
constexpr std::size_t kMaxLog = 64UL * 1024 * 1024;  // bytes kept for players to begin with
constexpr Duration kMaxKeyFrameAge{60'000};          // likewise

}  // namespace

LiveStream::LiveStream(StreamName name, std::shared_ptr<const VhostSettings> settings,
                       SegmentFile& file, TimePoint now)
    : name_(std::move(name)),
      settings_(std::move(settings)),
      jitter_(settings_->jitter),
      log_(jitter_, &file),
      began_(now),
      last_media_(now) {}

bool LiveStream::has_header(Track track) const {
  return std::any_of(headers_.begin(), headers_.end(),
                     [track](const StreamHeader& header) { return header.track == track; });
}

void LiveStream::begin_publishing(RelayClient& publisher, TimePoint now) {
  publisher_ = &publisher;
  jitter_ = settings_->jitter;
  log_.restart(jitter_);
  headers_.clear();
  metadata_.clear();
  video_codec_ = audio_codec_ = {};
  size_ = {};
  frame_rate_ = 0;
  last_video_.reset();
  has_key_frame_ = false;
  began_ = last_media_ = now;
}

void LiveStream::end_publishing() {
  publisher_ = nullptr;
  log_.forget_key_frame();
}

void LiveStream::publish(const Message& message, TimePoint now) {
  counters.bytes_in += message.payload.size();
  last_media_ = now;
  switch (message.type) {
    case MessageType::kAudio:
      return publish_media(Track::kAudio, message, inspect_audio(message.payload), now);
    case MessageType::kVideo:
      return publish_media(Track::kVideo, message, inspect_video(message.payload), now);
    case MessageType::kAggregate:
      return publish_aggregate(message, now);
    default:
      return publish_data(message, now);
  }
}

void LiveStream::publish_media(Track track, const Message& message, const MediaInfo& info,
                               TimePoint now) {
  if (message.payload.empty()) return;
  const bool video = track == Track::kVideo;
  if (video) last_video_ = now;
  if (!info.codec.empty()) (video ? video_codec_ : audio_codec_) = info.codec;
  if (video && !info.sequence_header && !info.config_only) {
    has_key_frame_ = has_key_frame_ || info.key_frame;
    if (!has_key_frame_) return;  // nobody can decode it
  }
  if (info.sequence_header) remember_header(track, message, info);
  log_.append(track, message.type, message.timestamp, message.payload, info.key_frame, now);
}

void LiveStream::remember_header(Track track, const Message& message, const MediaInfo& info) {
  if (track == Track::kVideo) {
    if (const auto size = picture_size(message.payload)) size_ = *size;
  }
  if (message.payload.size() > kMaxHeader) return;
  const auto known = std::find_if(headers_.begin(), headers_.end(), [&](const StreamHeader& h) {
    return h.track == track && h.codec == info.codec && h.codec_track == info.track;
  });
  if (known != headers_.end()) {
    if (known->payload == message.payload) return;
    known->payload = message.payload;
  } else if (headers_.size() < kMaxHeaders) {
    headers_.push_back({track, message.type, info.codec, info.track, std::string(message.payload)});
  }
  // The frames before it are not decoded with it.
  if (track == Track::kVideo) log_.forget_key_frame();
}

void LiveStream::publish_data(const Message& message, TimePoint now) {
  std::string_view payload = message.payload;
  if (message.type == MessageType::kDataAmf3 && payload.starts_with('\0')) payload.remove_prefix(1);
  payload = strip_set_data_frame(payload);
  if (const auto metadata = read_metadata(payload)) {
    if (payload.size() <= kMaxHeader) metadata_ = payload;
    if (metadata->width > 0 && metadata->height > 0 && size_.width == 0) {
      constexpr double kLargest = 65'535;
      size_ = {static_cast<std::uint32_t>(std::min(metadata->width, kLargest)),
               static_cast<std::uint32_t>(std::min(metadata->height, kLargest))};
    }
    if (metadata->frame_rate > 0) frame_rate_ = metadata->frame_rate;
  }
  const Track track = names_metadata(payload) ? Track::kMetadata : Track::kData;
  log_.append(track, MessageType::kDataAmf0, message.timestamp, payload, false, now);
}

/// FLV tags one behind the other, each followed by its size (Video File Format Specification 10,
/// E.4.1); their times are relative to that of the first.
void LiveStream::publish_aggregate(const Message& message, TimePoint now) {
  constexpr std::size_t kTagHeader = 11;
  constexpr std::size_t kTagTrailer = 4;
  std::string_view rest = message.payload;
  std::optional<std::uint32_t> first;
  while (rest.size() >= kTagHeader) {
    const std::size_t length = load_be(rest.data() + 1, 3);
    if (rest.size() < kTagHeader + length) return;
    const auto high = static_cast<unsigned char>(rest[7]);
    const std::uint32_t time = load_be(rest.data() + 4, 3) | (std::uint32_t{high} << 24);
    if (!first) first = time;
    Message tag = message;
    tag.type = static_cast<MessageType>(rest[0] & 0x1f);
    tag.timestamp = message.timestamp + (time - *first);
    tag.payload = rest.substr(kTagHeader, length);
    if (tag.type == MessageType::kAudio || tag.type == MessageType::kVideo) {
      publish(tag, now);
      counters.bytes_in -= length;  // counted with the aggregate
    }
    rest.remove_prefix(std::min(rest.size(), kTagHeader + length + kTagTrailer));
  }
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
  // A camera that is switched off leaves sound.
  const bool has_video = last_video_ && last_media_ - *last_video_ <= kMaxKeyFrameAge;
  if (has_video || log_.end() == log_.begin()) return std::nullopt;
  return log_.end();  // sound alone can begin anywhere
}

void LiveStream::trim() {
  std::uint64_t needed = log_.end();
  for (const Player* player : players_) needed = std::min(needed, player->position());
  const auto key_frame = log_.key_frame();
  const bool keep = settings_->gop_cache && key_frame && log_.bytes() <= kMaxLog &&
                    last_media_ - log_.at(*key_frame).arrived <= kMaxKeyFrameAge;
  log_.trim(needed, keep);
  delivered_ = log_.end();
}

}  // namespace mpb::rtmp
