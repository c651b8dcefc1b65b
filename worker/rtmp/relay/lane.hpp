// How the messages of a stream are told apart where they go out to players.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>

#include "proto/rtmp/media.hpp"

namespace mpb::rtmp {

/// What a message is. Metadata (onMetaData) stands at time 0 whenever it comes: FLV readers such as
/// ffmpeg take it for what it is only there.
enum class Track : std::uint8_t { kAudio, kVideo, kData, kMetadata };
inline constexpr std::size_t kTracks = 4;

constexpr std::size_t index_of(Track track) {
  return static_cast<std::size_t>(track);
}

/// A chunk stream, the same for all players: one of each Track, and one of each further track of
/// Enhanced multitrack. Times in a lane never depend on what another lane has been given.
using Lane = std::uint8_t;
inline constexpr std::size_t kLanes = kTracks + 2 * (kMaxTracks - 1);
inline constexpr Lane kNoLane = kLanes;

/// `tracks`: as in MediaInfo. Several tracks in one message go where the first of them goes.
constexpr Lane lane_of(Track track, std::uint8_t tracks = 1) {
  const auto first = tracks == 0 ? 0 : static_cast<std::size_t>(std::countr_zero(tracks));
  if (first == 0 || (track != Track::kAudio && track != Track::kVideo)) {
    return static_cast<Lane>(index_of(track));
  }
  return static_cast<Lane>(kTracks + (track == Track::kVideo ? kMaxTracks - 1 : 0) + first - 1);
}

constexpr std::uint32_t chunk_stream_of(Lane lane) {
  constexpr std::array<std::uint32_t, kTracks> kChunkStreams{4, 6, 5, 7};
  return lane < kTracks ? kChunkStreams[lane] : lane + std::uint32_t{kTracks};
}

}  // namespace mpb::rtmp
