#include "proto/rtmp/media.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

namespace mpb::rtmp {
namespace {

using namespace std::string_literals;

struct Want {
  std::string_view codec;
  bool sequence_header = false;
  bool key_frame = false;
  bool config_only = false;
  std::uint32_t track = 0;
};

void expect(const MediaInfo& info, const Want& want, const std::string& payload) {
  const std::string shown = testing::PrintToString(payload);
  EXPECT_EQ(info.codec, want.codec) << shown;
  EXPECT_EQ(info.sequence_header, want.sequence_header) << shown;
  EXPECT_EQ(info.key_frame, want.key_frame) << shown;
  EXPECT_EQ(info.config_only, want.config_only) << shown;
  EXPECT_EQ(info.track, want.track) << shown;
}

TEST(RtmpMedia, LegacyVideo) {
  const std::vector<std::pair<std::string, Want>> cases{
      {"", {""}},
      {"\x17\x00\x00\x00\x00"s, {"avc1", true}},
      {"\x17\x01\x00\x00\x00"s, {"avc1", false, true}},
      {"\x27\x01\x00\x00\x00"s, {"avc1"}},
      {"\x17\x02\x00\x00\x00"s, {"avc1", false, false, true}},
      {"\x17"s, {"avc1"}},
      {"\x57\x00"s, {"avc1", false, false, true}},
      {"\x1c\x00\x00\x00\x00"s, {"hvc1", true}},
      {"\x1c\x01\x00\x00\x00"s, {"hvc1", false, true}},
      {"\x2c\x01\x00\x00\x00"s, {"hvc1"}},
      {"\x1d\x00\x00\x00\x00"s, {"av01", true}},
      {"\x12\x00"s, {"h263", false, true}},
      {"\x22\x00"s, {"h263"}},
      {"\x14"s, {"vp6f", false, true}},
      {"\x1f\x00"s, {"", false, true}},
      {"\x00\x00"s, {""}},
  };
  for (const auto& [payload, want] : cases) expect(inspect_video(payload), want, payload);
}

TEST(RtmpMedia, EnhancedVideo) {
  const std::vector<std::pair<std::string, Want>> cases{
      // SequenceStart, CodedFrames, SequenceEnd, CodedFramesX, Metadata, MPEG2TSSequenceStart
      {"\x90hvc1"s, {"hvc1", true}},
      {"\x91hvc1\0\0\0x"s, {"hvc1", false, true}},
      {"\xa1hvc1\0\0\0x"s, {"hvc1"}},
      {"\x92hvc1"s, {"hvc1", false, false, true}},
      {"\x93"
       "av01x"s,
       {"av01", false, true}},
      {"\xa3"
       "av01x"s,
       {"av01"}},
      {"\x94hvc1x"s, {"hvc1", false, false, true}},
      {"\x95"
       "av01x"s,
       {"av01", true}},
      {"\x90"
       "avc1x"s,
       {"avc1", true}},
      {"\x93vp09x"s, {"vp09", false, true}},
      {"\x93vp08x"s, {"vp08", false, true}},
      {"\x93zzzzx"s, {"", false, true}},
      // A command has no fourCC.
      {"\xd0\x00"s, {"", false, false, true}},
      {"\xd0hvc1"s, {"", false, false, true}},
      // Cut short.
      {"\x90"s, {""}},
      {"\x90hvc"s, {""}},
      // A packet type that nobody has defined.
      {"\x9fhvc1"s, {"hvc1"}},
  };
  for (const auto& [payload, want] : cases) expect(inspect_video(payload), want, payload);
}

TEST(RtmpMedia, EnhancedVideoTracks) {
  const std::vector<std::pair<std::string, Want>> cases{
      {"\x96\x00hvc1\x05x"s, {"hvc1", true, false, false, 5}},
      {"\x96\x03hvc1\x05x"s, {"hvc1", false, true, false, 5}},
      {"\x96\x11hvc1\x02\0\0\1x\x03\0\0\1y"s, {"hvc1", false, true, false, 2}},
      {"\xa6\x21"
       "avc1\x07\0\0\1xhvc1\x08\0\0\1y"s,
       {"avc1", false, false, false, 7}},
      // Cut short, or a kind of multitrack that nobody has defined.
      {"\x96"s, {""}},
      {"\x96\x00hvc1"s, {""}},
      {"\x96\x10hvc1\x02\0\0"s, {""}},
      {"\x96\x30hvc1\x02\0\0\0"s, {""}},
  };
  for (const auto& [payload, want] : cases) expect(inspect_video(payload), want, payload);
}

TEST(RtmpMedia, TellsWhichTracksAMessageHas) {
  EXPECT_EQ(inspect_video("\x17\x01\0\0\0"s).tracks, 0b1);
  EXPECT_EQ(inspect_video("\x93hvc1x"s).tracks, 0b1);
  EXPECT_EQ(inspect_video("\x96\x03hvc1\x05x"s).tracks, 0b100000);
  EXPECT_EQ(inspect_video("\x96\x03hvc1\xc8x"s).tracks, 0b10000000) << "ids beyond share a bit";
  EXPECT_EQ(inspect_video("\x96\x11hvc1\x02\0\0\1x\x03\0\0\1y"s).tracks, 0b1100);
  EXPECT_EQ(inspect_video("\x96\x11hvc1\x02\0\0\1x\x03\0\0"s).tracks, 0b100) << "cut short";
  EXPECT_EQ(inspect_video("\xa6\x21"
                          "avc1\x01\0\0\1xhvc1\x04\0\0\1y"s)
                .tracks,
            0b10010);
  EXPECT_EQ(inspect_audio("\x95\x01Opus\x03x"s).tracks, 0b1000);
}

TEST(RtmpMedia, ModifiersAreSkipped) {
  const std::string nanoseconds =
      "\x02"
      "abc\x0"s;  // three bytes, then kind 0 and packet type 0
  expect(inspect_video("\x97" + nanoseconds + "hvc1x"), {"hvc1", true}, nanoseconds);
  expect(inspect_video("\x97\x02"
                       "abc\x07\x00z\x01hvc1"s),
         {"hvc1", false, true}, "two of them");
  const std::string big = "\xff\x01\x2b" + std::string(300, 'm') + "\x03";  // 256: a long size
  expect(inspect_video("\x97" + big + "vp09x"), {"vp09", false, true}, "a long one");
  expect(inspect_video("\x97" + big + "vp0"), {""}, "cut short in the fourCC");
  expect(inspect_video("\x97" + big.substr(0, 200)), {""}, "cut short in the data");
  expect(inspect_video("\x97\xff\x01"s), {""}, "cut short in the size");
  expect(inspect_video("\x97"s), {""}, "nothing");
  expect(inspect_audio("\x97" + nanoseconds + "Opusx"), {"Opus", true}, nanoseconds);
}

TEST(RtmpMedia, LegacyAudio) {
  const std::vector<std::pair<std::string, Want>> cases{
      {"", {""}},
      {"\xaf\x00\x12\x10"s, {"mp4a", true}},
      {"\xaf\x01x"s, {"mp4a"}},
      {"\xaf"s, {"mp4a"}},
      {"\x2f\xff"s, {".mp3"}},
      {"\xef\xff"s, {".mp3"}},
      {"\xb2\x00"s, {"speex"}},
      {"\x5f\x00"s, {"nellymoser"}},
      {"\x7f\x00"s, {"alaw"}},
      {"\x8f\x00"s, {"ulaw"}},
      {"\x3f\x00"s, {"pcm"}},
      {"\xcf\x00"s, {""}},
      {"\xff\x00"s, {""}},
  };
  for (const auto& [payload, want] : cases) expect(inspect_audio(payload), want, payload);
}

TEST(RtmpMedia, EnhancedAudio) {
  const std::vector<std::pair<std::string, Want>> cases{
      {"\x90OpusOpusHead"s, {"Opus", true}},
      {"\x91Opusx"s, {"Opus"}},
      {"\x92Opus"s, {"Opus", false, false, true}},
      {"\x94Opusx"s, {"Opus", false, false, true}},
      {"\x90"
       "fLaCx"s,
       {"fLaC", true}},
      {"\x91"
       "ac-3x"s,
       {"ac-3"}},
      {"\x91"
       "ec-3x"s,
       {"ec-3"}},
      {"\x90mp4ax"s, {"mp4a", true}},
      {"\x91.mp3x"s, {".mp3"}},
      {"\x95\x00Opus\x03x"s, {"Opus", true, false, false, 3}},
      {"\x95\x21mp4a\x01\0\0\1xOpus\x02\0\0\1y"s, {"mp4a", false, false, false, 1}},
      {"\x91Opu"s, {""}},
  };
  for (const auto& [payload, want] : cases) expect(inspect_audio(payload), want, payload);
}

std::string unhex(std::string_view digits) {
  std::string bytes;
  for (std::size_t i = 0; i + 1 < digits.size(); i += 2) {
    bytes += static_cast<char>(std::stoi(std::string(digits.substr(i, 2)), nullptr, 16));
  }
  return bytes;
}

std::string record(const std::string& sps) {
  return "\x01\x64\x00\x1f\xff\xe1"s + static_cast<char>(sps.size() >> 8) +
         static_cast<char>(sps.size()) + sps + "\x01\x00\x00"s;
}
std::string sequence_header(const std::string& sps) {
  return "\x17\0\0\0\0"s + record(sps);
}

// SPS of x264 at these sizes.
constexpr std::string_view kHigh1080 = "67640028acd940780227e5c044000003000400000300503c60c658";

TEST(RtmpMedia, ThePictureSizeIsInTheSequenceHeader) {
  struct Case {
    std::string_view sps, what;
    PictureSize size;
  };
  const std::vector<Case> cases{
      {"6742c016d900a02ff97011000003000100000300140f162e48", "baseline", {640, 360}},
      {kHigh1080, "high, cropped", {1920, 1080}},
      {"67640028acd94078044fde022000000300200000030283e2c5b2c0", "interlaced", {1920, 1080}},
      {"677a0016bcd940d83de6f011000003000100000300140f162d96", "4:2:2", {854, 480}},
      {"67f4000c919b282a10f1f1f80880000003008000000a078a14cb", "4:4:4", {322, 242}},
      {"6764000af3651c9e363f016c80000003008000000a078912cb", "grey", {100, 50}},
  };
  for (const Case& one : cases) {
    const std::string sps = unhex(one.sps);
    EXPECT_EQ(picture_size(sequence_header(sps)), one.size) << one.what;
    EXPECT_EQ(picture_size("\x90"
                           "avc1" +
                           record(sps)),
              one.size)
        << one.what;
    EXPECT_EQ(picture_size("\x96\x00"
                           "avc1\x05"s +
                           record(sps)),
              one.size)
        << one.what;
  }
}

TEST(RtmpMedia, OnlyAnAvcSequenceHeaderHasAPictureSize) {
  const std::string sps = unhex(kHigh1080);
  const std::string header = sequence_header(sps);
  EXPECT_EQ(picture_size(""), std::nullopt);
  EXPECT_EQ(picture_size("\x17\x01" + header.substr(2)), std::nullopt);
  EXPECT_EQ(picture_size("\x1c" + header.substr(1)), std::nullopt);
  EXPECT_EQ(picture_size("\x90hvc1" + record(sps)), std::nullopt);
  EXPECT_EQ(picture_size("\x91"
                         "avc1" +
                         record(sps)),
            std::nullopt);
  std::string none = header;
  none[10] = '\xe0';  // no SPS
  EXPECT_EQ(picture_size(none), std::nullopt);
  std::string version = header;
  version[5] = 2;
  EXPECT_EQ(picture_size(version), std::nullopt);
  std::string other = header;
  other[13] = 0x68;  // a PPS
  EXPECT_EQ(picture_size(other), std::nullopt);
}

TEST(RtmpMedia, ACutSequenceHeaderHasNoPictureSize) {
  const std::string header = sequence_header(unhex(kHigh1080));
  const std::size_t whole = header.size() - 3;  // the SPS ends here
  for (std::size_t length = 0; length < whole; ++length) {
    EXPECT_EQ(picture_size(std::string_view(header).substr(0, length)), std::nullopt) << length;
  }
  EXPECT_TRUE(picture_size(std::string_view(header).substr(0, whole)));
}

/// Writes an SPS bit by bit.
class SpsWriter {
 public:
  SpsWriter& bits(std::uint32_t value, int count) {
    while (count-- > 0) text_ += (value >> count & 1U) != 0 ? '1' : '0';
    return *this;
  }
  SpsWriter& golomb(std::uint32_t value) {
    int zeros = 0;
    while (((std::uint64_t{value} + 1) >> (zeros + 1)) != 0) ++zeros;
    bits(0, zeros);
    bits(1, 1);
    return bits(
        static_cast<std::uint32_t>((std::uint64_t{value} + 1) - (std::uint64_t{1} << zeros)),
        zeros);
  }
  /// Profile, level and id.
  SpsWriter& begin(std::uint32_t profile) { return bits(profile, 8).bits(31, 16).golomb(0); }
  /// From max_num_ref_frames to the cropping, which is none.
  SpsWriter& size(std::uint32_t columns, std::uint32_t rows) {
    return golomb(1)
        .bits(0, 1)
        .golomb(columns - 1)
        .golomb(rows - 1)
        .bits(1, 1)
        .bits(1, 1)
        .bits(0, 1);
  }
  [[nodiscard]] std::string sequence() const {
    std::string sps = "\x67";
    std::string padded = text_ + "1";
    padded.resize((padded.size() + 7) / 8 * 8, '0');
    int zeros = 0;
    for (std::size_t i = 0; i < padded.size(); i += 8) {
      const auto byte = static_cast<char>(std::stoi(padded.substr(i, 8), nullptr, 2));
      if (zeros >= 2 && static_cast<unsigned char>(byte) <= 3) {
        sps += '\x03';
        zeros = 0;
      }
      zeros = byte == 0 ? zeros + 1 : 0;
      sps += byte;
    }
    return sequence_header(sps);
  }

 private:
  std::string text_;
};

TEST(RtmpMedia, ScalingListsAreSkipped) {
  SpsWriter sps;
  sps.begin(100).golomb(1).golomb(0).golomb(0).bits(0, 1).bits(1, 1);  // chroma ... a matrix
  sps.bits(1, 1);
  for (int i = 0; i < 16; ++i) sps.golomb(1);  // a list of 4x4 with all its deltas
  sps.bits(0, 1);                              // no list
  sps.bits(1, 1).golomb(16);                   // -8: the rest of the list is not there
  sps.bits(0, 3).bits(1, 1);
  for (std::uint32_t i = 0; i < 64; ++i) sps.golomb(1 + i % 2);  // 8x8: +1, -1, ...
  sps.bits(0, 1);
  sps.golomb(0).golomb(0).golomb(0).size(80, 45);
  EXPECT_EQ(picture_size(sps.sequence()), (PictureSize{1280, 720}));
}

TEST(RtmpMedia, PictureOrderCountsOfEachTypeAreSkipped) {
  SpsWriter cycle;
  cycle.begin(66).golomb(0).golomb(1).bits(0, 1).golomb(3).golomb(4).golomb(3);
  cycle.golomb(1).golomb(2).golomb(70'000).size(20, 15);
  EXPECT_EQ(picture_size(cycle.sequence()), (PictureSize{320, 240}));
  SpsWriter none;
  none.begin(66).golomb(0).golomb(2).size(20, 15);
  EXPECT_EQ(picture_size(none.sequence()), (PictureSize{320, 240}));
  SpsWriter unknown;
  unknown.begin(66).golomb(0).golomb(3).size(20, 15);
  EXPECT_EQ(picture_size(unknown.sequence()), std::nullopt);
}

TEST(RtmpMedia, SizesThatCannotBeAreNone) {
  const auto with_size = [](std::uint32_t columns, std::uint32_t rows) {
    return picture_size(SpsWriter().begin(66).golomb(0).golomb(2).size(columns, rows).sequence());
  };
  EXPECT_EQ(with_size(1024, 1), (PictureSize{16'384, 16}));
  EXPECT_EQ(with_size(1025, 1), std::nullopt);
  EXPECT_EQ(with_size(1, 0xffff'ffff), std::nullopt);
  EXPECT_EQ(with_size(0xffff'ffff, 1), std::nullopt);

  const auto cropped = [](std::uint32_t left, std::uint32_t right) {
    SpsWriter sps;
    sps.begin(66).golomb(0).golomb(2).golomb(1).bits(0, 1).golomb(0).golomb(0).bits(1, 1);
    sps.bits(1, 1).bits(1, 1).golomb(left).golomb(right).golomb(0).golomb(0);
    return picture_size(sps.sequence());
  };
  EXPECT_EQ(cropped(3, 4), (PictureSize{2, 16}));
  EXPECT_EQ(cropped(4, 4), std::nullopt);
  EXPECT_EQ(cropped(0xffff'fffe, 0xffff'fffe), std::nullopt);
}

TEST(RtmpMedia, AGolombCodeOfMoreThan31ZerosIsMalformed) {
  SpsWriter sps;
  sps.begin(66).bits(0, 32).bits(1, 1).bits(0, 32).golomb(2).size(20, 15);
  EXPECT_EQ(picture_size(sps.sequence()), std::nullopt);
}

std::string metadata(bool array,
                     const std::vector<std::pair<std::string, amf0::Value>>& properties) {
  amf0::Object object;
  object.array = array;
  for (const auto& property : properties) object.properties.push_back(property);
  std::string payload;
  amf0::write_string(payload, "onMetaData");
  amf0::write(payload, object);
  return payload;
}

TEST(RtmpMedia, MetadataMayBeAnObjectOrAnArray) {
  for (const bool array : {false, true}) {
    const std::string payload = metadata(array, {{"duration", 0.0},
                                                 {"width", 1280.0},
                                                 {"height", 720.0},
                                                 {"framerate", 29.97},
                                                 {"encoder", "Lavf59"}});
    const std::optional<Metadata> read = read_metadata(payload);
    ASSERT_TRUE(read);
    EXPECT_EQ(read->width, 1280);
    EXPECT_EQ(read->height, 720);
    EXPECT_EQ(read->frame_rate, 29.97);
    EXPECT_EQ(read->encoder, "Lavf59");
  }
}

TEST(RtmpMedia, FiguresThatCannotBeAreZero) {
  const std::optional<Metadata> read =
      read_metadata(metadata(true, {{"width", -1.0},
                                    {"height", std::numeric_limits<double>::infinity()},
                                    {"framerate", std::nan("")},
                                    {"encoder", 7.0}}));
  ASSERT_TRUE(read);
  EXPECT_EQ(read->width, 0);
  EXPECT_EQ(read->height, 0);
  EXPECT_EQ(read->frame_rate, 0);
  EXPECT_EQ(read->encoder, "");
}

TEST(RtmpMedia, SetDataFrameIsStripped) {
  const std::string payload = metadata(true, {{"width", 640.0}});
  std::string sent;
  amf0::write_string(sent, "@setDataFrame");
  sent += payload;
  EXPECT_EQ(strip_set_data_frame(sent), payload);
  EXPECT_EQ(strip_set_data_frame(sent).data(), sent.data() + (sent.size() - payload.size()));
  EXPECT_EQ(strip_set_data_frame(payload), payload);
  EXPECT_EQ(strip_set_data_frame(""), "");
  ASSERT_TRUE(read_metadata(sent));
  EXPECT_EQ(read_metadata(sent)->width, 640);
}

TEST(RtmpMedia, OtherDataIsNoMetadata) {
  const std::string payload = metadata(true, {{"width", 640.0}});
  for (std::size_t length = 0; length < payload.size(); ++length) {
    EXPECT_FALSE(read_metadata(std::string_view(payload).substr(0, length))) << length;
  }
  std::string other;
  amf0::write_string(other, "onTextData");
  EXPECT_FALSE(read_metadata(other + payload.substr(other.size())));
  std::string number;
  amf0::write_string(number, "onMetaData");
  amf0::write_number(number, 1);
  EXPECT_FALSE(read_metadata(number));
}

}  // namespace
}  // namespace mpb::rtmp
