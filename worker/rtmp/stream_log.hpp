// What a live stream has sent lately, chunked once for all its players. Pure: it is given the time.
//
// Each message stands in the log as a player gets it behind the message before of its kind: with a
// format 1 header, whose time is a difference and whose message stream is inherited. So the same
// bytes serve players that began at different times and with different message stream ids; only
// what a player gets first of each kind needs a header of its own (append_absolute).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>

#include "common/event_loop.hpp"
#include "common/vhost_settings.hpp"
#include "proto/rtmp/chunk.hpp"
#include "worker/rtmp/segment.hpp"

namespace mpb::rtmp {

/// Each goes in a chunk stream of its own. Metadata (onMetaData) stands at time 0 whenever it
/// comes: FLV readers such as ffmpeg take it for what it is only there.
enum class Track : std::uint8_t { kAudio, kVideo, kData, kMetadata };
inline constexpr std::size_t kTracks = 4;

constexpr std::size_t index_of(Track track) {
  return static_cast<std::size_t>(track);
}

struct LoggedMessage {
  std::uint64_t segment = 0;    // where its chunks are
  std::uint32_t offset = 0;     // in the segment
  std::uint32_t size = 0;       // of the chunks, headers included
  std::uint32_t length = 0;     // of the payload
  std::uint32_t timestamp = 0;  // ms; of metadata: the stream's time when it came
  std::uint32_t delta = 0;      // ms since the message before of its track
  Track track = Track::kData;
  MessageType type = MessageType::kDataAmf0;
  bool key_frame = false;
  bool absolute = false;  // its time is not `delta` behind the message before: a jump
  TimePoint arrived{};
};

class StreamLog {
 public:
  /// `file`: where its bytes are kept; null: in ordinary memory.
  explicit StreamLog(Jitter jitter = Jitter::kFull, SegmentFile* file = nullptr)
      : jitter_(jitter), file_(file) {}

  /// A publisher begins: its times have nothing to do with those of the one before, and nobody can
  /// start with what was sent before.
  void restart(Jitter jitter);

  /// `timestamp`: the publisher's.
  void append(Track track, MessageType type, std::uint32_t timestamp, std::string_view payload,
              bool key_frame, TimePoint now);
  /// Nobody can start at what is here: it needs headers that are no longer sent.
  void forget_key_frame() { key_frame_.reset(); }

  /// Messages are numbered; those from begin() on, and before end(), are here.
  [[nodiscard]] std::uint64_t begin() const { return first_; }
  [[nodiscard]] std::uint64_t end() const { return first_ + messages_.size(); }
  [[nodiscard]] const LoggedMessage& at(std::uint64_t number) const {
    return messages_[static_cast<std::size_t>(number - first_)];
  }
  /// Its chunks. Those of neighbours in the same segment follow each other, in the file as well.
  [[nodiscard]] std::string_view chunks(const LoggedMessage& message) const;
  /// Where in the file chunks() is; nothing: it is in ordinary memory.
  [[nodiscard]] std::optional<off_t> place_of(const LoggedMessage& message) const;

  /// The latest key frame that is here.
  [[nodiscard]] std::optional<std::uint64_t> key_frame() const { return key_frame_; }
  /// The time of the last message of `track` before number `from`: what the delta of the next one
  /// counts from. O(1) at the latest key frame and at the end, where players begin.
  [[nodiscard]] std::uint32_t time_before(Track track, std::uint64_t from) const;
  [[nodiscard]] std::uint32_t last_time() const { return last_time_; }
  /// The time of message `number`, or of the last one if that is still to come.
  [[nodiscard]] std::uint32_t time_at(std::uint64_t number) const {
    return number < end() ? at(number).timestamp : last_time_;
  }

  /// Appends the message with a format 0 header: `timestamp` and `stream` are the player's own.
  void append_absolute(std::string& out, const LoggedMessage& message, std::uint32_t chunk_stream,
                       std::uint32_t stream, std::uint32_t timestamp) const;

  /// Drops what is before `number`, and before the latest key frame if that is to be kept.
  void trim(std::uint64_t number, bool keep_key_frame);
  /// Bytes that the messages take up, with what is known of each.
  [[nodiscard]] std::size_t bytes() const { return bytes_; }

 private:
  std::uint32_t correct(std::uint32_t timestamp);
  void set_time(LoggedMessage& message, std::uint32_t timestamp);
  Segment& segment_for(std::size_t size);
  [[nodiscard]] const Segment& segment_of(const LoggedMessage& message) const {
    return segments_[static_cast<std::size_t>(message.segment - first_segment_)];
  }

  Jitter jitter_;
  SegmentFile* file_;
  std::deque<LoggedMessage> messages_;
  std::uint64_t first_ = 0;
  std::deque<Segment> segments_;
  std::uint64_t first_segment_ = 0;
  std::size_t bytes_ = 0;
  std::optional<std::uint64_t> key_frame_;
  std::array<std::uint32_t, kTracks> track_time_{};  // of the last message of each track
  std::array<bool, kTracks> track_began_{};
  // time_before() at the latest key frame; not yet found for the tracks that have sent nothing
  // since: it is their track_time_.
  std::array<std::optional<std::uint32_t>, kTracks> key_frame_time_{};
  std::uint32_t last_raw_ = 0;   // the last publisher's time, of any track
  std::uint32_t last_time_ = 0;  // what it became
  bool began_ = false;           // since restart()
};

/// The chunk stream of a track, for all players.
constexpr std::uint32_t chunk_stream_of(Track track) {
  constexpr std::array<std::uint32_t, kTracks> kChunkStreams{4, 6, 5, 7};
  return kChunkStreams[index_of(track)];
}

}  // namespace mpb::rtmp
