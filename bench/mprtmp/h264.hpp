// The least H.264 that is whole: parameter sets, grey pictures, and NAL units that carry user data
// or fill a frame up.
// Source: ITU-T H.264, 7.3 (syntax), 7.4.1.1 (emulation prevention), D.1.6 (user data); ISO
// 14496-15, 5.3.3 (AVCDecoderConfigurationRecord).
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace mpb::rtmp_load::h264 {

inline constexpr unsigned kWidth = 640;
inline constexpr unsigned kHeight = 360;

// NAL units, without a length or start code before them.
std::string sequence_parameter_set(unsigned fps);
std::string picture_parameter_set();
/// A grey key picture. Consecutive ones need another `id` (0 or 1).
std::string key_slice(unsigned id);
/// The picture before once more; `number`: its place behind the last key picture, from 1 on.
std::string repeat_slice(std::uint64_t number);
/// `data` (a 16-byte UUID first, at most 254 bytes without two zero bytes in a row) as SEI.
std::string user_data(std::string_view data);
/// Filler data of `size` bytes in all, at least 2.
std::string filler(std::size_t size);

/// AVCDecoderConfigurationRecord with 4-byte lengths.
std::string decoder_configuration(unsigned fps);
/// Appends `nal` with its 4-byte length before it.
void append_unit(std::string& out, std::string_view nal);

}  // namespace mpb::rtmp_load::h264
