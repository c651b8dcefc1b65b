// jitter = full: the pace of tracks, and what becomes of clocks that jump.
#include "worker/rtmp/relay/timeline.hpp"

#include <gtest/gtest.h>

#include <cstdint>

namespace mpb::rtmp {
namespace {

constexpr Lane kSound = lane_of(Track::kAudio);
constexpr Lane kPicture = lane_of(Track::kVideo);

class RelayTimeline : public ::testing::Test {
 protected:
  std::uint32_t picture(std::uint32_t raw) { return timeline.media(kPicture, false, raw, now); }
  std::uint32_t sound(std::uint32_t raw) { return timeline.media(kSound, false, raw, now); }
  std::uint32_t header(Lane lane, std::uint32_t raw) {
    return timeline.media(lane, true, raw, now);
  }
  std::uint32_t data(std::uint32_t raw) { return timeline.data(raw, now); }
  /// Sound and picture up to, and with, `raw`: frames 40 ms apart, sound `behind` ms later.
  void run(std::uint32_t from, std::uint32_t raw, std::uint32_t behind = 0) {
    for (std::uint32_t time = from; time <= raw; time += 40) {
      picture(time + behind);
      sound(time);
    }
  }

  Timeline timeline;
  TimePoint now{};
};

TEST_F(RelayTimeline, TracksThatAreInterleavedSecondsApartKeepTheirPace) {
  for (const std::uint32_t behind : {1'500U, 3'300U, 6'000U}) {
    timeline = Timeline();
    header(kPicture, 0);
    header(kSound, 0);
    for (std::uint32_t time = 0; time <= 2'000; time += 40) {
      EXPECT_EQ(picture(behind + time), behind + time);
      EXPECT_EQ(sound(time), time);
    }
  }
}

TEST_F(RelayTimeline, LowFrameRatesKeepTheirPace) {
  for (const std::uint32_t step : {6'000U, 30'000U, 60'000U}) {
    timeline = Timeline();
    header(kPicture, 0);
    for (std::uint32_t frame = 0; frame < 6; ++frame) {
      EXPECT_EQ(picture(frame * step), frame * step);
    }
  }
}

TEST_F(RelayTimeline, APauseIsOneWhenTheSenderTookItsTimeOrOtherTracksAreThere) {
  run(0, 1'000);
  for (std::uint32_t time = 1'040; time <= 40'000; time += 40) picture(time);
  EXPECT_EQ(sound(40'000), 40'000U) << "pictures are there, too";
  now += Duration{3'600'000};
  EXPECT_EQ(picture(3'640'000), 3'640'000U) << "an hour of silence lasted an hour";
  EXPECT_EQ(sound(3'640'000), 3'640'000U);
}

TEST_F(RelayTimeline, BothClocksThatJumpStayTogetherHowFarApartTheyAre) {
  for (const std::uint32_t behind : {0U, 1'500U, 3'300U}) {
    for (const std::uint32_t to : {0U, 60'000U, 5'000'000U, 0xFFFF0000U}) {
      timeline = Timeline();
      header(kPicture, 100'000);
      header(kSound, 100'000);
      run(100'000, 120'000, behind);
      const std::uint32_t before = picture(120'040 + behind);
      const std::uint32_t heard = sound(120'040);
      ASSERT_EQ(before - heard, behind);
      EXPECT_EQ(picture(to + behind), before + 10);
      EXPECT_EQ(sound(120'080), heard + 40) << "not yet jumped";
      EXPECT_EQ(sound(to + 40), heard + 50) << behind << ' ' << to;
      EXPECT_EQ(picture(to + behind + 40), before + 50);
      EXPECT_EQ(sound(to + 80), heard + 90);
    }
  }
}

TEST_F(RelayTimeline, JumpsThatAreNearlyStepsTakeBothTracksAlong) {
  run(0, 10'000);
  EXPECT_EQ(picture(20'025), 10'010U) << "a step of more than 10 s";
  EXPECT_EQ(sound(20'000), 9'985U) << "which is none in itself, but the picture's was";
}

TEST_F(RelayTimeline, ClocksThatHaveNothingToDoWithEachOtherKeepTheirPace) {
  const std::uint32_t first = picture(1'000'000'000);
  const std::uint32_t heard = sound(0);
  EXPECT_EQ(heard, first + 10);
  for (std::uint32_t time = 40; time <= 400; time += 40) {
    EXPECT_EQ(picture(1'000'000'000 + time), first + time);
    EXPECT_EQ(sound(time), heard + time);
  }
}

TEST_F(RelayTimeline, HeadersAtAnyTimeTouchNothing) {
  header(kPicture, 0);
  header(kSound, 0);
  EXPECT_EQ(picture(1'000'000), 10U) << "the frames' clock is another";
  EXPECT_EQ(sound(1'000'000), 10U);
  picture(1'000'040);
  EXPECT_EQ(header(kPicture, 0), 50U);
  EXPECT_EQ(header(kPicture, 9'000'000), 50U);
  EXPECT_EQ(header(kPicture, 1'000'080), 90U);
  EXPECT_EQ(picture(1'000'080), 90U);
}

TEST_F(RelayTimeline, DataFollowsTheMedia) {
  EXPECT_EQ(data(0), 0U) << "alone it has its own pace";
  EXPECT_EQ(data(5'000), 5'000U);
  EXPECT_EQ(picture(700'000), 5'010U);
  EXPECT_EQ(data(700'000), 5'010U);
  run(700'040, 702'000);
  EXPECT_EQ(data(0), 7'010U) << "at 0: with the latest media";
  EXPECT_EQ(data(900'000), 7'010U) << "far ahead: likewise";
  EXPECT_EQ(data(701'000), 6'010U) << "late";
  EXPECT_EQ(data(702'500), 7'510U) << "a little early";
  EXPECT_EQ(picture(702'040), 7'050U);
  EXPECT_EQ(sound(702'040), 7'050U);
}

TEST_F(RelayTimeline, TheNextPublisherGoesOnBehindTheLatest) {
  run(0, 1'000, 1'500);
  timeline.restart();
  EXPECT_EQ(picture(9'000), 1'010U);
  EXPECT_EQ(sound(9'020), 1'030U);
}

TEST_F(RelayTimeline, TimesMayWrap) {
  std::uint32_t raw = 0;
  for (std::uint64_t gone = 0; gone < (std::uint64_t{1} << 32); gone += 10'000) {
    ASSERT_EQ(picture(raw), raw);
    raw += 10'000;
  }
  EXPECT_EQ(sound(raw), raw);
  const std::uint32_t last = picture(raw);
  EXPECT_EQ(picture(raw + 1'000'000'000), last + 10);
}

}  // namespace
}  // namespace mpb::rtmp
