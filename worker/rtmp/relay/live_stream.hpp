// A live stream: what its publisher sends, and those who play it.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/config/vhost_settings.hpp"
#include "proto/rtmp/chunk.hpp"
#include "proto/rtmp/location.hpp"
#include "proto/rtmp/media.hpp"
#include "worker/rtmp/relay/player.hpp"
#include "worker/rtmp/relay/stream_log.hpp"

namespace mpb::rtmp {

/// Bytes kept for players to begin with: of a stream, and of all that one client publishes.
inline constexpr std::uint64_t kMaxKept = 64ULL * 1024 * 1024;

/// What a decoder needs before the first frame, as it was sent: for each codec and track the
/// latest, and those before it that somebody can still begin with.
struct StreamHeader {
  Track track = Track::kVideo;
  MessageType type = MessageType::kVideo;
  std::string_view codec;
  std::uint32_t codec_track = 0;
  std::uint8_t tracks = 1;  // as in MediaInfo
  std::shared_ptr<const std::string> payload;
  std::uint64_t since = 0;           // its number in the log
  std::uint64_t until = UINT64_MAX;  // that of the one which came after it
  /// For who begins at the log's message `number`; one that comes there stands in the log.
  [[nodiscard]] bool holds_at(std::uint64_t number) const {
    return since < number && number <= until;
  }
};

struct StreamName {
  std::string vhost;
  std::string app;
  std::string stream;
  [[nodiscard]] std::string path() const { return stream_path(vhost, app, stream); }
};

/// Bytes and what became of them, since the stream is there.
struct StreamCounters {
  std::uint64_t bytes_in = 0;  // as they came, with all that is around the media
  std::uint64_t charged = 0;   // to its publisher: those, or what each player gets if that is more
  std::uint64_t bytes_out = 0;
  std::uint64_t drops = 0;     // messages that slow players did not get
  std::uint64_t cut = 0;       // players that were too slow
  std::uint64_t given_up = 0;  // times that it gave up what it kept, for want of memory
};

class LiveStream {
 public:
  LiveStream(StreamName name, std::shared_ptr<const VhostSettings> settings, SegmentFile& file,
             TimePoint now);
  LiveStream(const LiveStream&) = delete;
  LiveStream& operator=(const LiveStream&) = delete;

  [[nodiscard]] const StreamName& name() const { return name_; }
  [[nodiscard]] const StreamLog& log() const { return log_; }
  [[nodiscard]] Jitter jitter() const { return jitter_; }
  [[nodiscard]] const VhostSettings& settings() const { return *settings_; }
  void set_settings(std::shared_ptr<const VhostSettings> settings) {
    settings_ = std::move(settings);
  }
  [[nodiscard]] const std::vector<StreamHeader>& headers() const { return headers_; }
  /// The payload of onMetaData; null: none.
  [[nodiscard]] const std::shared_ptr<const std::string>& metadata() const { return metadata_; }

  /// At most one client publishes at a time.
  void begin_publishing(RelayClient& publisher, TimePoint now);
  void end_publishing(TimePoint now);
  [[nodiscard]] RelayClient* publisher() const { return publisher_; }
  /// A message of the publisher's: audio, video or data. Gives how many more were in it.
  std::uint32_t publish(const Message& message, TimePoint now);

  void add_player(Player& player);
  void remove_player(Player& player);
  [[nodiscard]] const std::vector<Player*>& players() const { return players_; }
  /// Where a player that waits can begin: at the latest key frame that is kept, else with the sound
  /// of now; nothing: not yet.
  [[nodiscard]] std::optional<std::uint64_t> entrance() const;

  /// The players have got what is there: drops what none needs any more.
  void trim();

  /// Bytes that are kept only for players to begin with, about.
  [[nodiscard]] std::uint64_t spare_bytes() const;
  /// Bytes that are kept for players that have yet to get them, about.
  [[nodiscard]] std::uint64_t due_bytes() const;
  /// Memory that is held for it.
  [[nodiscard]] std::uint64_t memory() const { return log_.memory() + header_bytes(); }
  /// The part of it that is not in segments.
  [[nodiscard]] std::uint64_t bookkeeping() const { return log_.bookkeeping() + header_bytes(); }
  /// Gives them up: who comes waits for the next key frame.
  void give_up_spare();
  // What the hub has reckoned with: memory(), and bookkeeping() of that.
  std::uint64_t accounted = 0;
  std::uint64_t accounted_apart = 0;

  /// When its players get what is there; the hub's own.
  enum class Delivery : std::uint8_t { kNone, kScheduled, kDue };
  Delivery delivery = Delivery::kNone;
  TimePoint pause_ends{};  // of the pause behind the last one, if that took long; likewise

  // What an operator wants to know.
  StreamCounters counters;
  [[nodiscard]] std::string_view video_codec() const { return video_codec_; }
  [[nodiscard]] std::string_view audio_codec() const { return audio_codec_; }
  [[nodiscard]] PictureSize size() const { return size_; }
  [[nodiscard]] double frame_rate() const { return frame_rate_; }
  [[nodiscard]] TimePoint began() const { return began_; }
  [[nodiscard]] TimePoint last_media() const { return last_media_; }

 private:
  /// The first message that a player has yet to get.
  [[nodiscard]] std::uint64_t first_needed() const;
  void publish_media(Track track, const Message& message, const MediaInfo& info, TimePoint now);
  void publish_data(const Message& message, TimePoint now);
  std::uint32_t publish_aggregate(const Message& message, TimePoint now);
  void remember_header(Track track, const Message& message, const MediaInfo& info);
  void end_headers_of_others(Track track, const MediaInfo& info);
  void bound_headers();
  [[nodiscard]] std::uint64_t header_bytes() const;

  StreamName name_;
  std::shared_ptr<const VhostSettings> settings_;
  Jitter jitter_;
  StreamLog log_;
  RelayClient* publisher_ = nullptr;
  std::vector<Player*> players_;
  std::vector<StreamHeader> headers_;
  std::shared_ptr<const std::string> metadata_;
  std::string_view video_codec_;
  std::string_view audio_codec_;
  PictureSize size_;
  double frame_rate_ = 0;
  // Since the publisher began:
  bool has_media_ = false;
  bool has_key_frame_ = false;
  // The first message since players got what was there that one can begin with.
  std::optional<std::uint64_t> edge_;
  std::uint64_t delivered_ = 0;  // the end of the log when they did
  TimePoint began_;
  TimePoint last_media_;
};

}  // namespace mpb::rtmp
