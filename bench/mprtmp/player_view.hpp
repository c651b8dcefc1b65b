// What one player has seen of its stream. Pure: the time is given.
#pragma once

#include <cstdint>

#include "bench/mprtmp/frame_ledger.hpp"
#include "bench/mprtmp/frame_mark.hpp"
#include "bench/mprtmp/skimmer.hpp"
#include "bench/mprtmp/tally.hpp"
#include "common/io/event_loop.hpp"

namespace mpb::rtmp_load {

class PlayerView {
 public:
  enum class Verdict : std::uint8_t {
    kNothing,      // a sequence header, or a frame that changes nothing
    kFirstKey,     // the first key frame
    kWrongStream,  // of another stream than `stream`
  };
  /// `stream`: as FrameMark::stream. `joined`: frames sent before that (a server's cache has some)
  /// took their time on purpose, and are not counted in transit.
  Verdict on_media(const Skimmed& message, std::uint32_t stream, TimePoint joined, TimePoint now,
                   Tally& tally);

  [[nodiscard]] bool has_key() const { return has_key_; }
  /// The longest pause counts from `now` on.
  void begin_window(TimePoint now);
  /// Adds what is counted here to `tally`. Once, at the end.
  void close(Tally& tally) const;

 private:
  Verdict on_mark(const FrameMark& mark, bool video, std::uint32_t stream, TimePoint joined,
                  TimePoint now, Tally& tally);

  FrameLedger video_;
  FrameLedger audio_;
  TimePoint last_video_{};
  Clock::duration longest_pause_{0};
  std::uint32_t last_timestamp_[2] = {0, 0};
  std::uint32_t publisher_ = 0;
  bool has_publisher_ = false;
  bool has_video_ = false;
  bool has_key_ = false;
  bool has_timestamp_[2] = {false, false};
};

}  // namespace mpb::rtmp_load
