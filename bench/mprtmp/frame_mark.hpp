// What mprtmp's publisher writes into each of its frames, so that a player can tell which one it
// got, whether all of them came, and how long they took.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace mpb::rtmp_load {

struct FrameMark {
  std::uint32_t stream = 0;     // which of the run's streams
  std::uint32_t publisher = 0;  // differs for each client that publishes it
  std::uint64_t number = 0;     // of the frame, from 0 on; audio and video count on their own
  std::int64_t sent = 0;        // ns of CLOCK_MONOTONIC
  friend bool operator==(const FrameMark&, const FrameMark&) = default;
};

/// A UUID and hexadecimal digits: no zero bytes, so that a NAL unit needs no escapes for it.
inline constexpr std::size_t kMarkSize = 16 + 8 + 8 + 16 + 16;

void append_mark(std::string& out, const FrameMark& mark);
/// The mark somewhere in `bytes`; nothing: none, or not whole.
std::optional<FrameMark> find_mark(std::string_view bytes);

}  // namespace mpb::rtmp_load
