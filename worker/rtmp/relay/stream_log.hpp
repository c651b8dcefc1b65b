// What a live stream has sent lately, chunked once for all its players. Pure: it is given the time.
//
// Each message stands in the log as a player gets it behind the message before in its lane: with a
// format 1 header, whose time is a difference and whose message stream is inherited. So the same
// bytes serve players that began at different times and with different message stream ids; only
// what a player gets first in each lane needs a header of its own (append_absolute).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string_view>

#include "common/config/vhost_settings.hpp"
#include "common/io/event_loop.hpp"
#include "proto/rtmp/chunk.hpp"
#include "worker/rtmp/relay/lane.hpp"
#include "worker/rtmp/relay/outgoing.hpp"
#include "worker/rtmp/relay/segment.hpp"
#include "worker/rtmp/relay/timeline.hpp"

namespace mpb::rtmp {

/// What a message is.
struct Content {
  Track track = Track::kData;
  MessageType type = MessageType::kDataAmf0;
  std::uint8_t tracks = 1;  // as in MediaInfo
  bool key_frame = false;
  bool header = false;  // what a decoder needs before frames, or knows itself: no frame
};

/// What became of the publisher, where that stands among the messages. Each player is told with a
/// message of its own.
enum class Publication : std::uint8_t { kNone, kBegins, kEnds };

struct LoggedMessage {
  std::uint64_t segment = 0;    // where its chunks are
  std::uint32_t offset = 0;     // in the segment
  std::uint32_t size = 0;       // of the chunks, headers included
  std::uint32_t length = 0;     // of the payload
  std::uint32_t timestamp = 0;  // ms; of metadata: the stream's time when it came
  std::uint32_t delta = 0;      // ms since the message before in its lane
  Content content;
  Lane lane = kNoLane;
  Publication publication = Publication::kNone;  // if any, there is nothing else: no bytes, no time
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
  void append(const Content& content, std::uint32_t timestamp, std::string_view payload,
              TimePoint now);
  /// A publisher begins or ends here. One that begins at once where the one before ended in the
  /// same delivery takes its place: nobody is told.
  void note(Publication publication, TimePoint now);
  /// The players have got what is here.
  void delivered() { delivered_ = end(); }
  /// Nobody can start with the pictures that are here.
  void forget_key_frames();
  /// Nor with those of the track whose latest key frame is the oldest.
  void forget_oldest_key_frame();

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

  /// From here on every track of video that has a key frame here has its latest one.
  [[nodiscard]] std::optional<std::uint64_t> key_frame() const { return entrance_; }
  /// The time of the last message in `lane` before number `from`: what the delta of the next one
  /// counts from. O(1) at key_frame(); elsewhere as long as it takes to find the next one.
  [[nodiscard]] std::uint32_t time_before(Lane lane, std::uint64_t from) const;
  /// Whether anything was sent in the lane, ever.
  [[nodiscard]] bool began(Lane lane) const { return lane_began_[lane]; }
  /// Of audio and video.
  [[nodiscard]] std::uint32_t last_time() const { return last_time_; }
  /// The time of message `number`, or of the last one if that is still to come.
  [[nodiscard]] std::uint32_t time_at(std::uint64_t number) const {
    return number < end() ? at(number).timestamp : last_time_;
  }

  /// Its chunks from byte `offset` on, which stay while they are lent.
  [[nodiscard]] Loan lend(const LoggedMessage& message, std::size_t offset) const;
  /// Appends the message with a format 0 header: `timestamp` and `stream` are the player's own.
  void append_absolute(Outgoing& out, const LoggedMessage& message, std::uint32_t chunk_stream,
                       std::uint32_t stream, std::uint32_t timestamp) const;

  /// Drops what is before `number`, and before the latest key frame if that is to be kept.
  void trim(std::uint64_t number, bool keep_key_frame);
  /// Gives back the memory that a log without messages holds for the next ones.
  void shrink();
  /// Bytes that the messages take up, with what is known of each.
  [[nodiscard]] std::size_t bytes() const { return bytes_; }
  /// Bytes that one player gets of all that was ever appended.
  [[nodiscard]] std::uint64_t appended() const { return appended_; }
  /// Memory that is held for them, whole segments.
  [[nodiscard]] std::size_t memory() const { return capacity_ + bookkeeping(); }
  /// The part of it that is not in segments.
  [[nodiscard]] std::size_t bookkeeping() const { return messages_.size() * sizeof(LoggedMessage); }

 private:
  /// Of a track of video.
  struct KeyFrames {
    std::optional<std::uint64_t> latest;  // that is here
    std::uint64_t number = 0;             // of the latest one, here or not
    std::uint64_t frame = 0;              // number of its latest frame
  };

  void set_time(LoggedMessage& message, std::uint32_t timestamp);
  void note_frame(const Content& content, std::uint64_t number);
  void find_entrance();
  void note_entrance_time(const LoggedMessage& message);
  Segment& segment_for(std::size_t size);
  [[nodiscard]] const Segment& segment_of(const LoggedMessage& message) const {
    return *shared_segment_of(message);
  }
  [[nodiscard]] const std::shared_ptr<Segment>& shared_segment_of(
      const LoggedMessage& message) const {
    return segments_[static_cast<std::size_t>(message.segment - first_segment_)];
  }

  Jitter jitter_;
  SegmentFile* file_;
  std::deque<LoggedMessage> messages_;
  std::uint64_t first_ = 0;
  std::deque<std::shared_ptr<Segment>> segments_;  // players may keep one for longer
  std::uint64_t first_segment_ = 0;
  std::size_t bytes_ = 0;
  std::size_t capacity_ = 0;  // of the segments
  std::uint64_t appended_ = 0;
  std::array<KeyFrames, kMaxTracks> key_frames_{};
  std::optional<std::uint64_t> entrance_;  // see key_frame()
  // time_before() there; not yet found for lanes that have sent nothing since: it is their
  // lane_time_.
  std::array<std::optional<std::uint32_t>, kLanes> entrance_time_{};
  std::array<std::uint32_t, kLanes> lane_time_{};  // of the last message in each
  std::array<bool, kLanes> lane_began_{};
  std::uint64_t delivered_ = 0;  // the end when players got what was here
  Timeline timeline_;
  std::uint32_t last_time_ = 0;  // of the last frame
};

}  // namespace mpb::rtmp
