// The picture size out of an AVC sequence parameter set.
// Source: ITU-T H.264, 7.3.2.1 and 7.4.2.1.
#pragma once

#include <optional>
#include <string_view>

#include "proto/rtmp/media.hpp"

namespace mpb::rtmp {

/// `unit`: the NAL unit with its header byte and emulation prevention. Nothing when it is no SPS,
/// is malformed, or a side is over 16384 pixels.
std::optional<PictureSize> read_sps_size(std::string_view unit);

}  // namespace mpb::rtmp
