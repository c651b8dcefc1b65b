// The log of a live stream: times, chunks, and what is kept.
#include "worker/rtmp/relay/stream_log.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <set>
#include <string>
#include <vector>

#include "proto/rtmp/command.hpp"

namespace mpb::rtmp {
namespace {

constexpr auto kVideo = MessageType::kVideo;
constexpr auto kAudio = MessageType::kAudio;
constexpr Lane kVideoLane = lane_of(Track::kVideo);

class RelayLog : public ::testing::Test {
 protected:
  const LoggedMessage& video(std::uint32_t timestamp, std::string_view payload = "v",
                             bool key_frame = false) {
    log.append({Track::kVideo, kVideo, 1, key_frame}, timestamp, payload, {});
    return log.at(log.end() - 1);
  }
  const LoggedMessage& audio(std::uint32_t timestamp, std::string_view payload = "a") {
    log.append({Track::kAudio, kAudio}, timestamp, payload, {});
    return log.at(log.end() - 1);
  }
  const LoggedMessage& track(std::uint8_t id, bool key_frame, std::uint32_t timestamp = 0) {
    const auto tracks = static_cast<std::uint8_t>(1U << id);
    log.append({Track::kVideo, kVideo, tracks, key_frame}, timestamp, "t", {});
    return log.at(log.end() - 1);
  }
  /// Video in the largest steps that are no jump, without keeping it.
  void run_video(std::uint32_t& raw, std::uint32_t milliseconds) {
    constexpr std::uint32_t kStep = 5'000;
    for (std::uint32_t done = 0; done < milliseconds; done += kStep) {
      video(raw += kStep);
      log.trim(log.end(), false);
    }
  }
  std::vector<std::uint32_t> times() const {
    std::vector<std::uint32_t> times;
    for (std::uint64_t i = log.begin(); i < log.end(); ++i) times.push_back(log.at(i).timestamp);
    return times;
  }

  StreamLog log;
};

using Times = std::vector<std::uint32_t>;

TEST_F(RelayLog, FullBeginsAtZeroAndKeepsTheStepsOfAllTracks) {
  video(700'000);
  audio(700'010);
  video(700'040);
  audio(700'033);  // interleaved unevenly
  EXPECT_EQ(times(), (Times{0, 10, 40, 33}));
}

TEST_F(RelayLog, FullGoesOnWithTheNextPublisher) {
  video(0);
  video(40);
  audio(45);
  log.restart(Jitter::kFull);
  EXPECT_FALSE(log.key_frame());
  EXPECT_EQ(video(9'000).timestamp, 55U);
  EXPECT_EQ(audio(9'020).timestamp, 75U);
}

TEST_F(RelayLog, FullLetsNoTrackGoBack) {
  video(1'000);
  video(1'100);
  const LoggedMessage& back = video(1'060);
  EXPECT_EQ(back.timestamp, 100U);
  EXPECT_EQ(back.delta, 0U);
  EXPECT_FALSE(back.absolute);
  EXPECT_EQ(video(1'140).delta, 40U);
}

TEST_F(RelayLog, FullGivesATrackThatWasSilentForHoursItsRealTime) {
  std::uint32_t raw = 0;
  video(raw);
  audio(raw);
  run_video(raw, kExtendedTimestamp + 5'000);
  const LoggedMessage& again = audio(raw);
  EXPECT_EQ(again.timestamp, raw);
  EXPECT_TRUE(again.absolute) << "a delta cannot say it";
  const LoggedMessage& next = audio(raw + 23);
  EXPECT_EQ(next.timestamp, raw + 23);
  EXPECT_EQ(next.delta, 23U);
}

TEST_F(RelayLog, FullBridgesAJumpAfterItsTimesHaveWrapped) {
  std::uint32_t raw = 0;
  audio(raw);
  run_video(raw, 0xF0000000U);
  audio(raw);  // the last of it
  run_video(raw, 0x20000000U);
  const std::uint32_t before = log.last_time();
  ASSERT_LT(before, 0x20000000U) << "wrapped";
  EXPECT_EQ(video(raw + 1'000'000).timestamp, before + 10);
  EXPECT_EQ(video(raw + 1'000'040).timestamp, before + 50);
}

TEST_F(RelayLog, ZeroAndOffKeepThePublishersTimes) {
  for (const Jitter jitter : {Jitter::kZero, Jitter::kOff}) {
    log.restart(jitter);
    const std::uint64_t first = log.end();
    video(0xFFFFFFF0U);
    EXPECT_EQ(video(0x10).delta, 0x20U) << "times wrap";
    EXPECT_FALSE(log.at(log.end() - 1).absolute);
    EXPECT_EQ(log.at(first).timestamp, 0xFFFFFFF0U);
    const LoggedMessage& back = video(5);
    EXPECT_EQ(back.timestamp, 5U);
    EXPECT_TRUE(back.absolute);
    EXPECT_EQ(video(5 + kExtendedTimestamp - 1).delta, kExtendedTimestamp - 1);
    EXPECT_TRUE(video(5 + 2 * kExtendedTimestamp).absolute) << "too far for a delta";
  }
}

TEST_F(RelayLog, ChunksBehindAnAbsoluteMessageAreReadAsTheyWere) {
  log.restart(Jitter::kOff);
  const std::string large(3 * kOutChunkSize + 1, 'L');
  const std::string whole(2 * kOutChunkSize, 'W');
  std::vector<std::string> payloads{"k", large, "", whole, std::string(kOutChunkSize, 'o')};
  std::uint32_t time = 0x01234567;
  for (const std::string& payload : payloads) video(time += 40, payload);
  // Whichever message comes first: its header is absolute, with an extended timestamp.
  for (std::size_t first = 0; first < payloads.size(); ++first) {
    std::string bytes;
    append_set_chunk_size(bytes, kOutChunkSize);
    const LoggedMessage& begin = log.at(first);
    Outgoing out;
    log.append_absolute(out, begin, chunk_stream_of(kVideoLane), 7, begin.timestamp);
    out.append_to(bytes, SIZE_MAX);
    for (std::size_t i = first + 1; i < payloads.size(); ++i) bytes += log.chunks(log.at(i));
    ChunkReader reader(1024UL * 1024);
    std::string_view rest = bytes;
    Message message;
    ASSERT_EQ(reader.read(rest, message), ChunkReader::Result::kMessage);
    for (std::size_t i = first; i < payloads.size(); ++i) {
      ASSERT_EQ(reader.read(rest, message), ChunkReader::Result::kMessage) << reader.why();
      EXPECT_EQ(message.payload, payloads[i]) << "from " << first << " on, message " << i;
      EXPECT_EQ(message.timestamp, 0x01234567 + 40 * (i + 1));
      EXPECT_EQ(message.stream, 7U);
    }
    EXPECT_TRUE(rest.empty());
  }
}

TEST_F(RelayLog, TrimsUpToTheKeyFrameAtMostIfThatIsToBeKept) {
  video(0, "k", true);
  video(40);
  video(80, "k", true);
  video(120);
  ASSERT_EQ(log.key_frame(), 2U);
  log.trim(UINT64_MAX, true);
  EXPECT_EQ(log.begin(), 2U);
  EXPECT_EQ(log.key_frame(), 2U);
  log.trim(1, false);
  EXPECT_EQ(log.begin(), 2U) << "what is gone does not come back";
  log.trim(3, false);
  EXPECT_EQ(log.begin(), 3U);
  EXPECT_FALSE(log.key_frame());
  log.trim(UINT64_MAX, true);
  EXPECT_EQ(log.begin(), log.end());
  EXPECT_EQ(log.end(), 4U);
  EXPECT_EQ(log.bytes(), 0U);
}

TEST_F(RelayLog, PlayersBeginWhereEveryTrackOfVideoHasItsLatestKeyFrame) {
  track(0, true);   // 0
  track(1, true);   // 1
  track(0, false);  // 2
  track(0, true);   // 3
  EXPECT_EQ(log.key_frame(), 1U) << "that of track 1";
  track(1, true);  // 4
  EXPECT_EQ(log.key_frame(), 3U);
  log.append({Track::kVideo, kVideo, 0b11, true}, 0, "both", {});  // 5
  EXPECT_EQ(log.key_frame(), 5U);
  track(0, true);  // 6
  log.forget_oldest_key_frame();
  EXPECT_EQ(log.key_frame(), 6U) << "track 0 alone";
  log.forget_oldest_key_frame();
  EXPECT_FALSE(log.key_frame());
}

TEST_F(RelayLog, ATrackThatHasEndedHoldsNobodyBack) {
  track(0, true);   // 0
  track(1, true);   // 1
  track(1, false);  // 2: its last
  track(0, true);   // 3
  EXPECT_EQ(log.key_frame(), 1U) << "it may still come";
  track(0, true);  // 4
  EXPECT_EQ(log.key_frame(), 4U);
}

TEST_F(RelayLog, TracksHaveChunkStreamsAndTimesOfTheirOwn) {
  EXPECT_EQ(track(0, true, 1'000).timestamp, 0U);
  EXPECT_EQ(track(1, true, 1'500).timestamp, 500U);
  const LoggedMessage& back = track(0, false, 1'040);
  EXPECT_EQ(back.timestamp, 40U);
  EXPECT_EQ(back.delta, 40U) << "whatever the other track does";
  EXPECT_EQ(track(1, false, 1'540).delta, 40U);
  std::set<std::uint32_t> chunk_streams;
  for (const Track kind : {Track::kAudio, Track::kVideo, Track::kData, Track::kMetadata}) {
    for (std::uint32_t bit = 0; bit < kMaxTracks; ++bit) {
      chunk_streams.insert(chunk_stream_of(lane_of(kind, static_cast<std::uint8_t>(1U << bit))));
    }
  }
  EXPECT_EQ(chunk_streams.size(), kLanes);
  EXPECT_GT(*chunk_streams.begin(), kCommandChunkStream);
  EXPECT_LT(*chunk_streams.rbegin(), 64U) << "a basic header has one byte";
}

TEST_F(RelayLog, NumbersAndChunksStayRightWhateverIsTrimmed) {
  std::vector<std::string> payloads;
  for (std::uint32_t i = 0; i < 3'000; ++i) {
    payloads.push_back(std::to_string(i) + std::string(i % 7 == 0 ? 20'000 : i % 90, 'x'));
    video(i * 40, payloads.back());
    if (i % 11 == 0) log.trim(log.end() - std::min<std::uint64_t>(log.end(), i % 500), false);
    if (i % 1'000 == 999) log.trim(log.end(), false);
    for (std::uint64_t n = log.begin(); n < log.end(); n += 97) {
      const std::string_view chunks = log.chunks(log.at(n));
      ASSERT_EQ(chunks.substr(8, payloads[n].size()), payloads[n]) << n << " after " << i;
    }
  }
  log.trim(log.end(), false);
  EXPECT_EQ(log.bytes(), 0U);
}

TEST_F(RelayLog, TellsWhereInItsFileItsBytesAre) {
  SegmentFile file;
  StreamLog filed(Jitter::kFull, &file);
  for (int i = 0; i < 20; ++i) {  // more than one segment
    const std::string payload(5'000, static_cast<char>('a' + i));
    filed.append({Track::kVideo, kVideo}, 0, payload, {});
  }
  filed.trim(3, false);
  for (std::uint64_t i = filed.begin(); i < filed.end(); ++i) {
    const std::string_view chunks = filed.chunks(filed.at(i));
    const auto place = filed.place_of(filed.at(i));
    ASSERT_TRUE(place) << i;
    std::string bytes(chunks.size(), '\0');
    ASSERT_EQ(::pread(file.fd(), bytes.data(), bytes.size(), *place),
              static_cast<ssize_t>(bytes.size()));
    EXPECT_EQ(bytes, chunks) << i;
  }
}

TEST_F(RelayLog, InOrdinaryMemoryItHasNoPlaceInAFile) {
  EXPECT_EQ(log.place_of(video(0)), std::nullopt);
}

TEST_F(RelayLog, BytesCountWhatIsKnownOfEmptyMessagesToo) {
  for (int i = 0; i < 100; ++i) video(0, "");
  EXPECT_GE(log.bytes(), 100 * sizeof(LoggedMessage));
}

TEST_F(RelayLog, TimeBeforeIsWhatTheNextDeltaCountsFrom) {
  video(0);
  audio(5);
  video(40);
  audio(28);
  video(80);
  EXPECT_EQ(log.time_before(lane_of(Track::kVideo), 1), 0U);
  EXPECT_EQ(log.time_before(lane_of(Track::kVideo), 3), 40U);
  EXPECT_EQ(log.time_before(lane_of(Track::kAudio), 2), 5U);
  EXPECT_EQ(log.time_before(lane_of(Track::kAudio), 4), 28U) << "none follows: its last";
  EXPECT_EQ(log.time_before(lane_of(Track::kData), 0), 0U);
  log.trim(4, false);
  EXPECT_EQ(log.time_before(lane_of(Track::kVideo), 0), 40U);
}

TEST_F(RelayLog, TimeBeforeTheKeyFrameIsTheSameWithoutASearch) {
  video(0);
  video(40, "k", true);
  const std::uint64_t key_frame = log.end() - 1;
  EXPECT_EQ(log.time_before(lane_of(Track::kVideo), key_frame), 0U);
  EXPECT_EQ(log.time_before(lane_of(Track::kAudio), key_frame), 0U) << "none has come";
  audio(70);
  EXPECT_EQ(log.time_before(lane_of(Track::kAudio), key_frame), 70U)
      << "its first counts from itself";
  audio(90);
  video(80);
  EXPECT_EQ(log.time_before(lane_of(Track::kAudio), key_frame), 70U);
  video(120, "k", true);
  EXPECT_EQ(log.time_before(lane_of(Track::kVideo), log.end() - 1), 80U);
  EXPECT_EQ(log.time_before(lane_of(Track::kAudio), log.end() - 1), 90U);
  log.trim(log.end() - 1, true);
  audio(113);
  EXPECT_EQ(log.time_before(lane_of(Track::kAudio), log.end() - 2), 90U);
  log.forget_key_frames();
  EXPECT_EQ(log.time_before(lane_of(Track::kAudio), log.end() - 2), 90U) << "searched for";
}

}  // namespace
}  // namespace mpb::rtmp
