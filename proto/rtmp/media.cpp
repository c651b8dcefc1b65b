#include "proto/rtmp/media.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>

#include "proto/rtmp/avc_sps.hpp"
#include "proto/rtmp/big_endian.hpp"

namespace mpb::rtmp {
namespace {

using namespace std::string_view_literals;

// Of a video message's first byte (legacy), and of Enhanced RTMP's.
constexpr std::uint8_t kEnhancedVideo = 0x80;
constexpr std::uint8_t kKeyFrame = 1;
constexpr std::uint8_t kCommandFrame = 5;
constexpr std::uint8_t kAvc = 7;
constexpr std::uint8_t kHevc = 12;
constexpr std::uint8_t kAv1 = 13;
// AVCPacketType; the legacy HEVC and AV1 have the same.
constexpr std::uint8_t kAvcSequenceHeader = 0;
constexpr std::uint8_t kAvcFrame = 1;
constexpr std::size_t kAvcHeader = 5;  // bytes: frame type and codec, packet type, composition time
// SoundFormat
constexpr std::uint8_t kEnhancedAudio = 9;
constexpr std::uint8_t kAac = 10;

enum PacketType : std::uint8_t {
  kSequenceStart = 0,
  kCodedFrames = 1,
  kSequenceEnd = 2,
  kCodedFramesX = 3,        // video
  kMetadata = 4,            // video
  kMultichannelConfig = 4,  // audio
  kTsSequenceStart = 5,     // video: MPEG-2 TS descriptors
  kMultitrackAudio = 5,
  kMultitrackVideo = 6,
  kModEx = 7,
};
enum MultitrackType : std::uint8_t { kOneTrack = 0, kManyTracks = 1, kManyTracksManyCodecs = 2 };

// As AMF0 strings.
constexpr std::string_view kOnMetaData = "\x02\x00\x0aonMetaData"sv;
constexpr std::string_view kSetDataFrame = "\x02\x00\x0d@setDataFrame"sv;
constexpr std::string_view kClearDataFrame = "\x02\x00\x0f@clearDataFrame"sv;
constexpr char kAmf3 = 0x11;  // before a value of AMF3

std::uint8_t byte_at(std::string_view bytes, std::size_t index) {
  return static_cast<std::uint8_t>(bytes[index]);
}

/// Takes off `count` bytes; false when there are not as many.
bool skip(std::string_view& bytes, std::size_t count) {
  if (count > bytes.size()) return false;
  bytes.remove_prefix(count);
  return true;
}

std::string_view known_fourcc(std::string_view bytes) {
  const auto among = [name = bytes.substr(0, 4)](const auto& codecs) {
    const auto* known = std::find(codecs.begin(), codecs.end(), name);
    return known == codecs.end() ? std::string_view() : *known;
  };
  const std::string_view video = among(kVideoFourCcs);
  return video.empty() ? among(kAudioFourCcs) : video;
}

/// Takes off ModEx packets (they modify the packet behind them); gives the type behind them.
std::optional<std::uint8_t> skip_modifiers(std::string_view& rest, std::uint8_t type) {
  while (type == kModEx) {
    if (rest.empty()) return std::nullopt;
    std::size_t size = byte_at(rest, 0) + std::size_t{1};
    std::size_t header = 1;
    if (size == 256) {
      if (rest.size() < 3) return std::nullopt;
      size = (std::size_t{byte_at(rest, 1)} << 8 | byte_at(rest, 2)) + 1;
      header = 3;
    }
    if (!skip(rest, header + size) || rest.empty()) return std::nullopt;
    type = byte_at(rest, 0) & 0x0f;  // the high half: the kind of ModEx
    rest.remove_prefix(1);
  }
  return type;
}

/// What is behind the first byte of an Enhanced message.
struct Enhanced {
  std::uint8_t type = 0;
  std::uint32_t track = 0;
  std::uint8_t tracks = 1;
  std::string_view codec;
  std::string_view body;  // of the first track
};

std::uint8_t bit_of(std::uint8_t track) {
  return static_cast<std::uint8_t>(1U << std::min<std::size_t>(track, kMaxTracks - 1));
}

/// Several tracks, each with its id and size before it, and its codec where they have several.
void read_many_tracks(std::string_view rest, bool many_codecs, Enhanced& packet) {
  constexpr std::size_t kTrackHeader = 1 + 3;
  constexpr int kIds = 256;
  packet.tracks = 0;
  for (int count = 0; count < kIds && rest.size() >= kTrackHeader; ++count) {
    const std::size_t size = load_be(rest.data() + 1, 3);
    if (packet.tracks == 0) packet.body = rest.substr(kTrackHeader, size);
    packet.tracks |= bit_of(byte_at(rest, 0));
    if (!skip(rest, kTrackHeader + size) || (many_codecs && !skip(rest, 4))) return;
  }
}

std::optional<Enhanced> read_tracks(std::string_view rest, Enhanced packet) {
  if (rest.empty()) return std::nullopt;
  const std::uint8_t form = byte_at(rest, 0) >> 4;
  packet.type = byte_at(rest, 0) & 0x0f;
  // With one codec its name is in front of all tracks, else in front of each: the same place.
  if (rest.size() < 6 || form > kManyTracksManyCodecs) return std::nullopt;
  packet.codec = known_fourcc(rest.substr(1));
  packet.track = byte_at(rest, 5);
  rest.remove_prefix(5);
  if (form == kOneTrack) {
    packet.tracks = bit_of(byte_at(rest, 0));
    packet.body = rest.substr(1);
    return packet;
  }
  read_many_tracks(rest, form == kManyTracksManyCodecs, packet);
  return packet.tracks == 0 ? std::nullopt : std::optional(packet);
}

std::optional<Enhanced> read_enhanced(std::string_view rest, std::uint8_t type,
                                      std::uint8_t multitrack) {
  const std::optional<std::uint8_t> own = skip_modifiers(rest, type);
  if (!own) return std::nullopt;
  if (*own == multitrack) return read_tracks(rest, {});
  if (rest.size() < 4) return std::nullopt;
  return Enhanced{*own, 0, 1, known_fourcc(rest), rest.substr(4)};
}

MediaInfo inspect_enhanced_video(std::string_view payload) {
  const std::uint8_t frame = byte_at(payload, 0) >> 4 & 7;
  const std::uint8_t type = byte_at(payload, 0) & 0x0f;
  MediaInfo info;
  const std::optional<Enhanced> packet = read_enhanced(payload.substr(1), type, kMultitrackVideo);
  // A command frame has no codec, only the command.
  info.config_only = frame == kCommandFrame;
  if (!packet) return info;
  info.track = packet->track;
  info.tracks = packet->tracks;
  if (info.config_only && packet->type != kMetadata) return info;
  info.codec = packet->codec;
  info.sequence_header = packet->type == kSequenceStart || packet->type == kTsSequenceStart;
  info.config_only = packet->type == kMetadata || packet->type == kSequenceEnd;
  info.key_frame =
      frame == kKeyFrame && (packet->type == kCodedFrames || packet->type == kCodedFramesX);
  return info;
}

std::string_view legacy_video_codec(std::uint8_t id) {
  constexpr std::array kCodecs{""sv,     "jpeg"sv,    "h263"sv, "screen"sv, "vp6f"sv,
                               "vp6a"sv, "screen2"sv, "avc1"sv, ""sv,       ""sv,
                               ""sv,     ""sv,        "hvc1"sv, "av01"sv};
  return id < kCodecs.size() ? kCodecs[id] : std::string_view();
}

std::string_view legacy_audio_codec(std::uint8_t id) {
  constexpr std::array kCodecs{"pcm"sv,        "adpcm"sv,      ".mp3"sv, "pcm"sv,  "nellymoser"sv,
                               "nellymoser"sv, "nellymoser"sv, "alaw"sv, "ulaw"sv, ""sv,
                               "mp4a"sv,       "speex"sv,      ""sv,     "Opus"sv, ".mp3"sv};
  return id < kCodecs.size() ? kCodecs[id] : std::string_view();
}

double positive(const amf0::Object& object, std::string_view name) {
  const amf0::Value* value = amf0::find(object, name);
  const double* number = value == nullptr ? nullptr : value->number();
  return number != nullptr && std::isfinite(*number) && *number > 0 ? *number : 0;
}

/// The AVCDecoderConfigurationRecord of a sequence header message, else empty.
std::string_view avc_record(std::string_view message) {
  const MediaInfo info = inspect_video(message);
  if (!info.sequence_header || info.codec != "avc1") return {};
  const std::uint8_t first = byte_at(message, 0);
  if ((first & kEnhancedVideo) == 0) return message.substr(std::min(kAvcHeader, message.size()));
  const auto packet = read_enhanced(message.substr(1), first & 0x0f, kMultitrackVideo);
  return packet && packet->type == kSequenceStart ? packet->body : std::string_view();
}

}  // namespace

MediaInfo inspect_video(std::string_view payload) {
  if (payload.empty()) return {};
  if ((byte_at(payload, 0) & kEnhancedVideo) != 0) return inspect_enhanced_video(payload);
  const std::uint8_t frame = byte_at(payload, 0) >> 4;
  const std::uint8_t codec = byte_at(payload, 0) & 0x0f;
  MediaInfo info;
  info.codec = legacy_video_codec(codec);
  info.config_only = frame == kCommandFrame;
  if (info.config_only) return info;
  if (codec != kAvc && codec != kHevc && codec != kAv1) {
    info.key_frame = frame == kKeyFrame;
    return info;
  }
  if (payload.size() < 2) return info;
  const std::uint8_t type = byte_at(payload, 1);
  info.sequence_header = type == kAvcSequenceHeader;
  info.key_frame = frame == kKeyFrame && type == kAvcFrame;
  info.config_only = type > kAvcFrame;
  return info;
}

MediaInfo inspect_audio(std::string_view payload) {
  if (payload.empty()) return {};
  const std::uint8_t format = byte_at(payload, 0) >> 4;
  MediaInfo info;
  if (format == kEnhancedAudio) {
    const std::optional<Enhanced> packet =
        read_enhanced(payload.substr(1), byte_at(payload, 0) & 0x0f, kMultitrackAudio);
    if (!packet) return info;
    info.track = packet->track;
    info.tracks = packet->tracks;
    info.codec = packet->codec;
    info.sequence_header = packet->type == kSequenceStart;
    info.config_only = packet->type == kSequenceEnd || packet->type == kMultichannelConfig;
    return info;
  }
  info.codec = legacy_audio_codec(format);
  info.sequence_header = format == kAac && payload.size() > 1 && byte_at(payload, 1) == 0;
  return info;
}

std::optional<PictureSize> picture_size(std::string_view sequence_header) {
  std::string_view record = avc_record(sequence_header);
  // Version, profile, compatibility, level, length size; then the number of SPS and the first one.
  constexpr std::size_t kBeforeSps = 8;
  if (record.size() < kBeforeSps || byte_at(record, 0) != 1 || (byte_at(record, 5) & 0x1f) == 0) {
    return std::nullopt;
  }
  const std::size_t size = std::size_t{byte_at(record, 6)} << 8 | byte_at(record, 7);
  record.remove_prefix(kBeforeSps);
  if (size > record.size()) return std::nullopt;
  return read_sps_size(record.substr(0, size));
}

std::optional<Metadata> read_metadata(std::string_view payload) {
  std::string_view rest = strip_set_data_frame(payload);
  const std::optional<amf0::Value> name = amf0::read(rest);
  if (!name || name->string() == nullptr || *name->string() != "onMetaData") return std::nullopt;
  const std::optional<amf0::Value> value = amf0::read(rest);
  const amf0::Object* object = value ? value->object() : nullptr;
  if (object == nullptr) return std::nullopt;
  return Metadata{positive(*object, "width"), positive(*object, "height"),
                  positive(*object, "framerate"), std::string(amf0::text(*object, "encoder"))};
}

bool names_metadata(std::string_view payload) {
  return payload.starts_with(kOnMetaData);
}

std::optional<std::string_view> data_in_amf0(std::string_view payload, std::string& converted) {
  if (payload.starts_with('\0')) payload.remove_prefix(1);  // a name never begins so
  if (payload.find(kAmf3) == std::string_view::npos) return payload;
  bool has_amf3 = false;
  for (std::string_view rest = payload; !rest.empty();) {
    const std::string_view before = rest;
    const bool is_amf3 = rest.front() == kAmf3;
    const std::optional<amf0::Value> value = amf0::read(rest);
    if (!value && is_amf3) return std::nullopt;
    if (!value) rest = {};  // players may know what that is
    if (is_amf3) {
      amf0::write(converted, *value);
    } else {
      converted += before.substr(0, before.size() - rest.size());
    }
    has_amf3 = has_amf3 || is_amf3;
  }
  return has_amf3 ? std::string_view(converted) : payload;
}

std::optional<std::string> cleared_data_frame(std::string_view payload) {
  if (!payload.starts_with(kClearDataFrame)) return std::nullopt;
  payload.remove_prefix(kClearDataFrame.size());
  const std::optional<amf0::Value> name = amf0::read(payload);
  return name && name->string() != nullptr ? *name->string() : std::string();
}

std::string_view strip_set_data_frame(std::string_view payload) {
  if (payload.starts_with(kSetDataFrame)) payload.remove_prefix(kSetDataFrame.size());
  return payload;
}

}  // namespace mpb::rtmp
