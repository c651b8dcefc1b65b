// One playing message stream of a client: a place in a stream's log, and how its messages become
// the client's bytes. Pure: it is given the time.
#pragma once

#include <sys/uio.h>

#include <array>
#include <bitset>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "worker/rtmp/relay/stream_log.hpp"

namespace mpb::rtmp {

inline constexpr std::uint8_t kAllTracks = 0xff;  // as in MediaInfo

class LiveStream;
class RelayClient;

class Player {
 public:
  /// `ordinal`: how many playing streams the client has already. The first takes its messages from
  /// the log as they lie there; further ones have chunk streams of their own, so each of their
  /// messages is written for them.
  Player(LiveStream& stream, RelayClient& client, std::uint32_t stream_id, std::uint32_t ordinal);

  [[nodiscard]] LiveStream& stream() const { return stream_; }
  [[nodiscard]] RelayClient& client() const { return client_; }
  [[nodiscard]] std::uint32_t stream_id() const { return stream_id_; }
  [[nodiscard]] std::uint32_t ordinal() const { return ordinal_; }
  [[nodiscard]] bool shares() const { return ordinal_ == 0; }
  [[nodiscard]] bool waiting() const { return !playing_; }
  [[nodiscard]] bool mid_message() const { return offset_ > 0; }
  /// The message that comes next, for the log to keep; of a player that waits: none is needed.
  [[nodiscard]] std::uint64_t position() const { return playing_ ? next_ : UINT64_MAX; }

  /// Begins at the log's message `number`: writes what must come first (metadata, sequence headers)
  /// to `out`. Sound is there at once, each track of video from its next key frame on.
  void begin(std::uint64_t number, Outgoing& out, TimePoint now);
  /// A player that waits and does not pause is told whether there is a publisher, if it does not
  /// know: `out` as in begin().
  void tell_publisher(Outgoing& out);
  /// Gets nothing until begin(). The client is told StreamEOF, or StreamBegin, by who calls it.
  void pause(bool paused) {
    paused_ = paused;
    playing_ = false;
    told_ = paused ? Publication::kEnds : Publication::kBegins;
  }
  [[nodiscard]] bool paused() const { return paused_; }
  /// receiveAudio, receiveVideo. Sound that is wanted again begins with its headers, video with its
  /// next key frame: `out` as in begin(), and not in the middle of a message.
  void receive(Track track, bool wanted, Outgoing& out);

  /// Writes the messages that need it (see StreamLog) to `out`, up to the first that can be taken
  /// from the log, or until `out` has `limit` bytes.
  void write_own(Outgoing& out, std::size_t limit);
  /// Adds slices of the log, as long as there is room and nothing must be written first, of no more
  /// than a socket may take at once; each is of one segment. Gives how many bytes they are.
  std::size_t collect(std::vector<iovec>& slices, std::size_t room) const;
  /// Where in the log's file the first of those slices is; nothing: it is in ordinary memory.
  [[nodiscard]] std::optional<off_t> file_offset() const;
  /// `bytes` of what collect() gave have been sent.
  void advance(std::size_t bytes);
  /// Lends what is left of a message that was sent in part to `out`, so that something else can
  /// follow it.
  void finish_message(Outgoing& out);

  /// Whether the next message has been due for longer than `limit`, or too much is due.
  [[nodiscard]] bool late(TimePoint now, Duration limit) const;
  /// Gives up what is due: goes on at the latest key frame, or with sound alone until the next one.
  /// `out` as in finish_message.
  void drop(Outgoing& out, TimePoint now);

  std::size_t place = 0;  // in the stream's list of players
  /// What its client had been sent when this player was last told to drop (RelayClient's own).
  std::uint64_t sent_at_drop = UINT64_MAX;

 private:
  [[nodiscard]] bool wants(const LoggedMessage& message) const;
  [[nodiscard]] bool starts_video(const LoggedMessage& message) const;
  [[nodiscard]] bool needs_own(const LoggedMessage& message) const {
    return !shares() || message.publication != Publication::kNone || message.absolute ||
           !in_step_[message.lane];
  }
  [[nodiscard]] std::uint32_t chunk_stream(Lane lane) const;
  [[nodiscard]] bool before_base(std::uint32_t timestamp) const;
  [[nodiscard]] std::uint32_t time_for(Lane lane, std::uint32_t timestamp) const;
  void set_base(std::uint64_t number);
  void follow_clock(const LoggedMessage& message);
  void write_first(Lane lane, MessageType type, const Loan& payload, Outgoing& out);
  void write_headers(Track track, std::uint8_t tracks, Outgoing& out);
  void start_video(const LoggedMessage& message, Outgoing& out);
  void heed(Publication publication, Outgoing& out);
  void tell(Publication publication, Outgoing& out);

  LiveStream& stream_;
  RelayClient& client_;
  std::uint32_t stream_id_;
  std::uint32_t ordinal_;
  std::uint64_t next_ = 0;
  std::uint32_t offset_ = 0;           // of the next message, sent already
  std::optional<std::uint32_t> base_;  // the log's time at which its own is 0; none: they agree
  std::bitset<kLanes> in_step_;        // got the message before, in each lane
  std::uint8_t awaited_ = kAllTracks;  // tracks of video that begin with their next key frame
  std::array<bool, kTracks> wanted_{{true, true, true, true}};  // receiveAudio, receiveVideo
  Publication told_ = Publication::kNone;                       // the client, of a publisher
  bool playing_ = false;
  bool paused_ = false;
  TimePoint began_{};
};

}  // namespace mpb::rtmp
