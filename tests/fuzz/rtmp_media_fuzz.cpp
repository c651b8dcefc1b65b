// Media messages: what is found stays within the payload and does not contradict itself.
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "proto/rtmp/media.hpp"
#include "tests/fuzz/check.hpp"

namespace {

using namespace mpb::rtmp;

constexpr std::uint32_t kMaxSide = 16'384;

void check_info(const MediaInfo& info) {
  MPB_FUZZ_REQUIRE(info.sequence_header + info.key_frame + info.config_only <= 1);
  MPB_FUZZ_REQUIRE(info.track <= 255);
  MPB_FUZZ_REQUIRE(info.codec.size() <= 10);
}

bool is_figure(double value) {
  return std::isfinite(value) && value >= 0;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view payload(reinterpret_cast<const char*>(data), size);
  const MediaInfo video = inspect_video(payload);
  check_info(video);
  check_info(inspect_audio(payload));
  MPB_FUZZ_REQUIRE(!inspect_audio(payload).key_frame);
  if (const auto picture = picture_size(payload)) {
    MPB_FUZZ_REQUIRE(video.sequence_header && video.codec == "avc1");
    MPB_FUZZ_REQUIRE(picture->width > 0 && picture->width <= kMaxSide);
    MPB_FUZZ_REQUIRE(picture->height > 0 && picture->height <= kMaxSide);
  }
  const std::string_view stripped = strip_set_data_frame(payload);
  MPB_FUZZ_REQUIRE(payload.ends_with(stripped));
  if (const auto metadata = read_metadata(payload)) {
    MPB_FUZZ_REQUIRE(is_figure(metadata->width) && is_figure(metadata->height));
    MPB_FUZZ_REQUIRE(is_figure(metadata->frame_rate));
    MPB_FUZZ_REQUIRE(metadata->encoder.size() <= payload.size());
  }
  return 0;
}
