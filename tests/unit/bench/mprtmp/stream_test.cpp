#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "bench/mprtmp/h264.hpp"
#include "bench/mprtmp/synthetic_stream.hpp"
#include "proto/rtmp/media.hpp"

namespace mpb::rtmp_load {
namespace {

SyntheticStream make(const StreamShape& shape = {}) {
  auto stream = SyntheticStream::create(shape);
  if (!stream) throw std::runtime_error(stream.error().text);
  return std::move(*stream);
}

/// The types of the NAL units of a video message; fails when their lengths do not add up.
std::vector<int> unit_types(std::string_view frame) {
  std::vector<int> types;
  frame.remove_prefix(5);
  while (frame.size() > 4) {
    std::uint32_t length = 0;
    for (int i = 0; i < 4; ++i) length = length << 8 | static_cast<unsigned char>(frame[0 + i]);
    frame.remove_prefix(4);
    if (length == 0 || length > frame.size()) {
      ADD_FAILURE() << "a unit of " << length << " bytes, " << frame.size() << " are left";
      return types;
    }
    types.push_back(frame[0] & 0x1f);
    frame.remove_prefix(length);
  }
  EXPECT_TRUE(frame.empty());
  return types;
}

TEST(MprtmpMark, IsReadBackFromAnywhere) {
  const FrameMark mark{7, 0xfedcba98, 0x123456789abcdef0, 1'234'567'890'123};
  std::string bytes = "in front";
  append_mark(bytes, mark);
  EXPECT_EQ(bytes.size(), 8 + kMarkSize);
  EXPECT_EQ(bytes.find('\0'), std::string::npos);
  EXPECT_EQ(find_mark(bytes + "behind"), mark);
}

TEST(MprtmpMark, IsNothingWhenCutOrSpoilt) {
  std::string bytes;
  append_mark(bytes, {1, 2, 3, 4});
  EXPECT_TRUE(find_mark(bytes));
  EXPECT_FALSE(find_mark(bytes.substr(0, bytes.size() - 1)));
  EXPECT_FALSE(find_mark(bytes.substr(1)));
  for (const std::size_t place : {std::size_t{16}, std::size_t{24}, std::size_t{40}}) {
    std::string spoilt = bytes;
    spoilt[place] = 'g';
    EXPECT_FALSE(find_mark(spoilt)) << place;
  }
  EXPECT_FALSE(find_mark(""));
}

TEST(MprtmpStream, HasTheBitrateThatWasAskedFor) {
  const SyntheticStream stream = make();
  ASSERT_EQ(stream.frames_per_gop(), 60U);
  std::size_t video = 0;
  for (std::uint64_t n = 0; n < 60; ++n) video += stream.video_frame({0, 0, n, 0}).size();
  // 2 s of 2.5 Mbit/s without 128 kbit/s of audio.
  EXPECT_NEAR(static_cast<double>(video), (2'500'000.0 - 128'000) / 8 * 2, 1);
  const double audio = static_cast<double>(stream.audio_frame({}).size()) * 8 * 44'100 / 1'024;
  EXPECT_NEAR(audio, 128'000, 1'000);
}

TEST(MprtmpStream, MarksEveryFrameWithinWhatAPlayerKeeps) {
  const SyntheticStream stream = make();
  for (const std::uint64_t number : {0U, 1U, 59U, 60U, 6'000'001U}) {
    const FrameMark mark{3, 4, number, 5};
    const std::string video = stream.video_frame(mark);
    EXPECT_EQ(find_mark(std::string_view(video).substr(0, 112)), mark);
    EXPECT_EQ(rtmp::inspect_video(video).key_frame, number % 60 == 0) << number;
    EXPECT_EQ(find_mark(std::string_view(stream.audio_frame(mark)).substr(0, 112)), mark);
  }
}

TEST(MprtmpStream, MakesFramesOfWholeUnits) {
  const SyntheticStream stream = make();
  EXPECT_EQ(unit_types(stream.video_frame({0, 0, 0, 0})), (std::vector{6, 5, 12}));
  EXPECT_EQ(unit_types(stream.video_frame({0, 0, 1, 0})), (std::vector{6, 1, 12}));
  // Consecutive key pictures differ in their id.
  EXPECT_NE(h264::key_slice(0), h264::key_slice(1));
}

TEST(MprtmpStream, HasHeadersThatTellSizeAndCodec) {
  const SyntheticStream stream = make();
  const std::string header = stream.video_header();
  const rtmp::MediaInfo video = rtmp::inspect_video(header);
  EXPECT_TRUE(video.sequence_header);
  EXPECT_EQ(video.codec, "avc1");
  EXPECT_EQ(rtmp::picture_size(header), (rtmp::PictureSize{640, 360}));
  const rtmp::MediaInfo audio = rtmp::inspect_audio(SyntheticStream::audio_header());
  EXPECT_TRUE(audio.sequence_header);
  EXPECT_EQ(audio.codec, "mp4a");
  EXPECT_FALSE(rtmp::inspect_audio(stream.audio_frame({})).sequence_header);
  const auto metadata = rtmp::read_metadata(stream.metadata());
  ASSERT_TRUE(metadata);
  EXPECT_EQ(metadata->width, 640);
  EXPECT_EQ(metadata->frame_rate, 30);
  EXPECT_EQ(metadata->encoder, "mprtmp");
}

TEST(MprtmpStream, EscapesWhatLooksLikeAStartCode) {
  for (const std::string& unit : {h264::sequence_parameter_set(30), h264::picture_parameter_set(),
                                  h264::key_slice(1), h264::repeat_slice(15)}) {
    for (const char third : {'\0', '\1', '\2'}) {
      EXPECT_EQ(unit.find(std::string{'\0', '\0', third}), std::string::npos);
    }
  }
}

TEST(MprtmpStream, KnowsWhenFramesAreDue) {
  const SyntheticStream stream = make();
  EXPECT_EQ(stream.video_time_ns(0), 0);
  EXPECT_EQ(stream.video_time_ns(30), 1'000'000'000);
  EXPECT_EQ(SyntheticStream::audio_time_ns(44'100), std::int64_t{1'024} * 1'000'000'000);
}

TEST(MprtmpStream, MayHaveNoAudio) {
  StreamShape shape;
  shape.audio_bitrate = 0;
  EXPECT_FALSE(make(shape).has_audio());
}

TEST(MprtmpStream, RefusesABitrateWithoutRoom) {
  StreamShape shape;
  shape.bitrate = 20'000;
  shape.audio_bitrate = 0;
  EXPECT_FALSE(SyntheticStream::create(shape));
  shape.fps = 5;
  EXPECT_TRUE(SyntheticStream::create(shape));
  shape.audio_bitrate = 20'000;
  EXPECT_FALSE(SyntheticStream::create(shape));
}

}  // namespace
}  // namespace mpb::rtmp_load
