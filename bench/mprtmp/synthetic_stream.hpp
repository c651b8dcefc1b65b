// The stream that mprtmp publishes: H.264 and AAC that decode (grey pictures, silence), with frames
// of the sizes that an encoder's would have, each with a mark.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "bench/mprtmp/frame_mark.hpp"
#include "common/base/error.hpp"
#include "common/base/units.hpp"

namespace mpb::rtmp_load {

struct StreamShape {
  std::uint64_t bitrate = 2'500'000;      // bits a second, audio included
  std::uint64_t audio_bitrate = 128'000;  // of it; 0: no audio
  unsigned fps = 30;
  Duration gop{2'000};

  friend bool operator==(const StreamShape&, const StreamShape&) = default;
};

inline constexpr unsigned kSampleRate = 44'100;
inline constexpr unsigned kSamplesPerFrame = 1'024;

/// Payloads of audio, video and data messages. Frame `n` of each kind is always the same, but for
/// its mark.
// NOLINTNEXTLINE(bugprone-reserved-identifier): of clang-tidy 14's own loop over an array
class SyntheticStream {
 public:
  /// An error when the bitrate has no room for the least frames.
  static Result<SyntheticStream> create(const StreamShape& shape);

  [[nodiscard]] const StreamShape& shape() const { return shape_; }
  [[nodiscard]] bool has_audio() const { return audio_size_ > 0; }
  /// Frames from one key frame to the next.
  [[nodiscard]] std::uint64_t frames_per_gop() const { return sizes_.size(); }
  [[nodiscard]] bool is_key(std::uint64_t number) const { return number % sizes_.size() == 0; }
  /// When frame `number` is due, behind the first.
  [[nodiscard]] std::int64_t video_time_ns(std::uint64_t number) const;
  [[nodiscard]] static std::int64_t audio_time_ns(std::uint64_t number);

  /// "@setDataFrame" onMetaData.
  [[nodiscard]] std::string metadata() const;
  [[nodiscard]] std::string video_header() const;
  [[nodiscard]] static std::string audio_header();
  [[nodiscard]] std::string video_frame(const FrameMark& mark) const;
  [[nodiscard]] std::string audio_frame(const FrameMark& mark) const;

 private:
  explicit SyntheticStream(const StreamShape& shape) : shape_(shape) {}

  StreamShape shape_;
  std::vector<std::size_t> sizes_;  // of the video messages of a GOP
  std::size_t audio_size_ = 0;
  std::string key_slices_[2];
};

}  // namespace mpb::rtmp_load
