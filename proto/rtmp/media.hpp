// What an audio or video message is, without decoding it.
// Sources: Adobe's "Video File Format Specification 10", E.4; Veovera's Enhanced RTMP v1 and v2;
// ISO 14496-15 5.3.3 (AVCDecoderConfigurationRecord), ITU-T H.264 7.3.2.1 (SPS).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "proto/rtmp/amf0.hpp"

namespace mpb::rtmp {

/// Tracks of Enhanced multitrack that are told apart.
inline constexpr std::size_t kMaxTracks = 8;

/// The codecs of Enhanced RTMP whose headers are known here.
inline constexpr std::array<std::string_view, 5> kVideoFourCcs{"avc1", "hvc1", "av01", "vp09",
                                                               "vp08"};
inline constexpr std::array<std::string_view, 6> kAudioFourCcs{"Opus", "fLaC", "ac-3",
                                                               "ec-3", "mp4a", ".mp3"};

struct MediaInfo {
  bool sequence_header = false;  // AVC/AAC sequence header, Enhanced SequenceStart
  bool key_frame = false;        // video that decoding can start with; never for sequence headers
  bool config_only = false;      // Enhanced metadata (HDR), SequenceEnd and the like: no frame
  std::uint32_t track = 0;       // Enhanced multitrack: the (first) track id; else 0
  // A bit for each track that is in it, by id; ids beyond kMaxTracks have the last one. Not
  // multitrack: that of track 0.
  std::uint8_t tracks = 1;
  std::string_view codec;  // "avc1", "hvc1", "av01", "vp09", "mp4a", "Opus", ".mp3", "speex",
                           // "h263", ...: static text; empty: unknown
};
/// `payload`: of a kVideo / kAudio message. An empty payload gives a default MediaInfo.
MediaInfo inspect_video(std::string_view payload);
MediaInfo inspect_audio(std::string_view payload);

struct PictureSize {
  std::uint32_t width = 0;
  std::uint32_t height = 0;
  friend bool operator==(const PictureSize&, const PictureSize&) = default;
};
/// Out of an AVC sequence header message (its SPS). Nothing when it is another codec or malformed.
std::optional<PictureSize> picture_size(std::string_view sequence_header);

/// onMetaData out of a data message's payload: accepts "@setDataFrame" before it.
struct Metadata {
  double width = 0;
  double height = 0;
  double frame_rate = 0;
  std::string encoder;
};
std::optional<Metadata> read_metadata(std::string_view payload);
/// Whether a data message is onMetaData, readable or not. Without "@setDataFrame".
bool names_metadata(std::string_view payload);
/// The payload of a data message of either version of AMF as one of AMF0, without the byte that may
/// stand before it: a view into it or into `converted`. Nothing: AMF3 that cannot be read.
std::optional<std::string_view> data_in_amf0(std::string_view payload, std::string& converted);
/// What "@clearDataFrame" says is set no longer: "onMetaData", or another name; empty: it names
/// none. Nothing: the payload is none of the kind.
std::optional<std::string> cleared_data_frame(std::string_view payload);
/// The payload as players get it: without "@setDataFrame". A view into `payload`.
std::string_view strip_set_data_frame(std::string_view payload);

}  // namespace mpb::rtmp
