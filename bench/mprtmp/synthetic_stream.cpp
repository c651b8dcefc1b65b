#include "bench/mprtmp/synthetic_stream.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "bench/mprtmp/h264.hpp"
#include "proto/rtmp/amf0.hpp"

namespace mpb::rtmp_load {
namespace {

constexpr std::int64_t kNsPerSecond = 1'000'000'000;
// A key frame is so many times as long as the mean of the others.
constexpr double kKeyWeight = 6;
constexpr double kGoldenRatio = 0.618;
// Length, header and trailing bits of the filler behind a slice.
constexpr std::size_t kLeastFiller = 6;

// AAC-LC, 44.1 kHz, stereo; ISO 14496-3, 1.6.2.1 and 4.4.2.1. A data stream element of a whole
// number of bytes may precede the silence.
constexpr std::string_view kAacConfiguration{"\xaf\x00\x12\x10", 4};
constexpr std::string_view kAacHead{"\xaf\x01", 2};
constexpr std::string_view kAacSilence{"\x21\x10\x04\x60\x8c\x1c", 6};
constexpr char kDataElement = '\x80';
constexpr std::size_t kDataElementHead = 2;
constexpr std::size_t kMaxElementData = 254;
constexpr std::size_t kLeastAudio =
    kAacHead.size() + kDataElementHead + kMarkSize + kAacSilence.size();

std::string video_head(bool key, bool configuration) {
  std::string head(5, '\0');  // codec 7; then the packet type, and a composition time of 0
  head[0] = key ? '\x17' : '\x27';
  head[1] = configuration ? '\0' : '\x01';
  return head;
}

/// The size of each message of a GOP, which are `total` bytes together; empty when one would be too
/// small for what it must hold.
std::vector<std::size_t> frame_sizes(std::size_t count, double total, std::size_t least_key,
                                     std::size_t least) {
  std::vector<double> weights(count);
  double sum = 0;
  for (std::size_t i = 0; i < count; ++i) {
    double whole = 0;
    const double varied = 0.75 + 0.5 * std::modf(static_cast<double>(i) * kGoldenRatio, &whole);
    weights[i] = i == 0 ? kKeyWeight : varied;
    sum += weights[i];
  }
  std::vector<std::size_t> sizes(count);
  double given = 0;
  std::size_t used = 0;
  for (std::size_t i = 0; i < count; ++i) {
    given += weights[i] / sum * total;
    sizes[i] = static_cast<std::size_t>(std::llround(given)) - used;
    used += sizes[i];
    if (sizes[i] < (i == 0 ? least_key : least)) return {};
  }
  return sizes;
}

void append_data_element(std::string& out, std::string_view data) {
  out += kDataElement;
  out += static_cast<char>(data.size());
  out += data;
}

}  // namespace

Result<SyntheticStream> SyntheticStream::create(const StreamShape& shape) {
  SyntheticStream stream(shape);
  const auto too_low = [&] {
    return usage_error(fmt::format(
        "{} bits a second, {} of them audio, are too few for {} frames a second with a key frame "
        "every {}",
        shape.bitrate, shape.audio_bitrate, shape.fps, format_duration(shape.gop)));
  };
  if (shape.audio_bitrate >= shape.bitrate) return too_low();
  for (unsigned id : {0U, 1U}) stream.key_slices_[id] = h264::key_slice(id);
  if (shape.audio_bitrate > 0) {
    stream.audio_size_ =
        std::max<std::size_t>(kLeastAudio, static_cast<std::size_t>(shape.audio_bitrate) / 8 *
                                               kSamplesPerFrame / kSampleRate);
  }
  const auto count =
      std::max<std::size_t>(1, static_cast<std::size_t>(shape.gop.count()) * shape.fps / 1000);
  const double seconds = static_cast<double>(count) / shape.fps;
  const double total = static_cast<double>(shape.bitrate - shape.audio_bitrate) / 8 * seconds;
  const std::size_t mark_unit = 4 + h264::user_data(std::string(kMarkSize, 'x')).size();
  const auto least = [&](std::size_t slice) {
    return video_head(false, false).size() + mark_unit + 4 + slice + kLeastFiller;
  };
  stream.sizes_ = frame_sizes(count, total, least(stream.key_slices_[0].size()),
                              least(h264::repeat_slice(count).size()));
  if (stream.sizes_.empty()) return too_low();
  return stream;
}

std::int64_t SyntheticStream::video_time_ns(std::uint64_t number) const {
  return static_cast<std::int64_t>(number) * kNsPerSecond / shape_.fps;
}

std::int64_t SyntheticStream::audio_time_ns(std::uint64_t number) {
  return static_cast<std::int64_t>(number * kSamplesPerFrame) * kNsPerSecond / kSampleRate;
}

std::string SyntheticStream::metadata() const {
  std::string payload;
  amf0::write_string(payload, "@setDataFrame");
  amf0::write_string(payload, "onMetaData");
  const auto kilobits = [](std::uint64_t bits) { return static_cast<double>(bits) / 1000; };
  amf0::Object object;
  object.array = true;
  const auto property = [&](const char* name, double value) {
    object.properties.emplace_back(name, amf0::Value(value));
  };
  property("width", h264::kWidth);
  property("height", h264::kHeight);
  property("framerate", shape_.fps);
  property("videocodecid", 7);
  property("videodatarate", kilobits(shape_.bitrate - shape_.audio_bitrate));
  if (has_audio()) {
    property("audiocodecid", 10);
    property("audiodatarate", kilobits(shape_.audio_bitrate));
    property("audiosamplerate", kSampleRate);
  }
  object.properties.emplace_back("encoder", amf0::Value(std::string("mprtmp")));
  amf0::write(payload, amf0::Value(object));
  return payload;
}

std::string SyntheticStream::video_header() const {
  return video_head(true, true) + h264::decoder_configuration(shape_.fps);
}

std::string SyntheticStream::audio_header() {
  return std::string(kAacConfiguration);
}

std::string SyntheticStream::video_frame(const FrameMark& mark) const {
  const std::uint64_t place = mark.number % sizes_.size();
  const std::size_t size = sizes_[place];
  std::string frame = video_head(place == 0, false);
  frame.reserve(size);
  std::string text;
  append_mark(text, mark);
  h264::append_unit(frame, h264::user_data(text));
  if (place == 0) {
    h264::append_unit(frame, key_slices_[mark.number / sizes_.size() % 2]);
  } else {
    h264::append_unit(frame, h264::repeat_slice(place));
  }
  h264::append_unit(frame, h264::filler(size - frame.size() - 4));
  return frame;
}

std::string SyntheticStream::audio_frame(const FrameMark& mark) const {
  std::string frame(kAacHead);
  frame.reserve(audio_size_);
  std::string text;
  append_mark(text, mark);
  append_data_element(frame, text);
  for (;;) {
    const std::size_t left = audio_size_ - frame.size() - kAacSilence.size();
    if (left < kDataElementHead) break;
    append_data_element(frame,
                        std::string(std::min(left - kDataElementHead, kMaxElementData), 'x'));
  }
  frame += kAacSilence;
  return frame;
}

}  // namespace mpb::rtmp_load
