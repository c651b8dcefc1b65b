// What a run has counted and measured.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "bench/load/histogram.hpp"
#include "bench/load/problems.hpp"
#include "bench/mprtmp/frame_ledger.hpp"

namespace mpb::rtmp_load {

/// Why a client was lost, or what was wrong.
enum class Problem : std::uint8_t {
  kConnectRefused,
  kConnectTimeout,
  kAnswerTimeout,
  kSilent,
  kReset,
  kClosed,
  kRefused,
  kNotTaken,
  kNoLocalPort,
  kNoDescriptor,
  kOtherSystem,
  kBadBytes,
  kWrongStream,
};
inline constexpr std::size_t kProblems = static_cast<std::size_t>(Problem::kWrongStream) + 1;

/// In the order of Problem.
std::span<const load::ProblemName> problem_names();
inline Problem problem_of_errno(int code, bool connecting) {
  return load::classify_errno<Problem>(code, connecting);
}

struct ClientCounts {
  std::uint64_t started = 0;
  std::uint64_t served = 0;      // got what it came for, and kept it until the run ended
  std::uint64_t lost = 0;        // did not, or lost it
  std::uint64_t wrong = 0;       // got another stream's frames
  std::uint64_t unfinished = 0;  // had not got it when the run ended
};

struct Traffic {
  std::uint64_t bytes_sent = 0;      // by publishers once they have begun, headers included
  std::uint64_t bytes_received = 0;  // by players, from their connect on
  std::uint64_t video_sent = 0;      // frames
  std::uint64_t audio_sent = 0;
  std::uint64_t video_received = 0;
  std::uint64_t audio_received = 0;
};

struct Tally : load::ProblemLog<kProblems> {
  ClientCounts publishers;
  ClientCounts players;

  FrameCounts video;  // of frames with a mark
  FrameCounts audio;
  std::uint64_t unmarked = 0;             // media of another publisher than mprtmp
  std::uint64_t began_without_key = 0;    // players whose first video frame was no key frame
  std::uint64_t backward_timestamps = 0;  // audio or video behind its own kind's last
  std::uint64_t new_publishers = 0;       // players went on with another publisher

  Traffic total;
  Traffic window;  // from the time on that all clients were served; see Report::window_seconds

  // From the start of a client on.
  load::Histogram connect;      // to the connection
  load::Histogram accepted;     // to the answer of connect
  load::Histogram started;      // to that of publish or play
  load::Histogram first_media;  // players: to the first byte of audio or video
  load::Histogram first_key;    // players: to the end of the first key frame
  // Others.
  load::Histogram transit;        // from a publisher's send to a player's read
  load::Histogram pause;          // each player's longest time without a video frame
  load::Histogram lateness;       // with a rate: intended to real start of a client
  load::Histogram send_lateness;  // how late a publisher sent a frame
};

}  // namespace mpb::rtmp_load
