#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "bench/mprtmp/frame_ledger.hpp"
#include "bench/mprtmp/player_view.hpp"
#include "bench/mprtmp/synthetic_stream.hpp"

namespace mpb::rtmp_load {
namespace {

using namespace std::chrono_literals;

FrameCounts counts_of(const std::vector<std::uint64_t>& numbers) {
  FrameLedger ledger;
  for (const std::uint64_t number : numbers) ledger.record(number);
  return ledger.counts();
}

TEST(MprtmpLedger, CountsWhatIsMissing) {
  EXPECT_EQ(counts_of({5, 6, 7}), (FrameCounts{3, 0, 0, 0, 0}));
  EXPECT_EQ(counts_of({5, 8, 9, 11}), (FrameCounts{4, 3, 2, 0, 0}));
  EXPECT_EQ(counts_of({0, 1'000}), (FrameCounts{2, 999, 1, 0, 0}));
}

TEST(MprtmpLedger, TellsLateFromRepeated) {
  EXPECT_EQ(counts_of({1, 3, 2}), (FrameCounts{3, 0, 1, 0, 1}));
  EXPECT_EQ(counts_of({1, 3, 2, 2, 3}), (FrameCounts{5, 0, 1, 2, 1}));
  // Before the first one: it was not due.
  EXPECT_EQ(counts_of({5, 4}), (FrameCounts{2, 0, 0, 1, 0}));
  // Too far behind to know.
  EXPECT_EQ(counts_of({1, 100, 2}), (FrameCounts{3, 98, 1, 1, 0}));
}

TEST(MprtmpLedger, GoesOnWithAnotherPublisher) {
  FrameLedger ledger;
  ledger.record(7);
  ledger.start_over();
  ledger.record(0);
  ledger.record(1);
  EXPECT_EQ(ledger.counts(), (FrameCounts{3, 0, 0, 0, 0}));
}

class MprtmpPlayer : public testing::Test {
 protected:
  PlayerView::Verdict video(std::uint64_t number, TimePoint sent, TimePoint now,
                            std::uint32_t timestamp, std::uint32_t stream = 0,
                            std::uint32_t publisher = 1) {
    payload_ = stream_.video_frame(
        {stream, publisher, number, std::chrono::nanoseconds(sent.time_since_epoch()).count()});
    return give(rtmp::MessageType::kVideo, timestamp, now);
  }
  PlayerView::Verdict give(rtmp::MessageType type, std::uint32_t timestamp, TimePoint now) {
    const std::string front = payload_.substr(0, kKeptOfMedia);
    return view_.on_media({type, 1, timestamp, static_cast<std::uint32_t>(payload_.size()), front},
                          0, joined_, now, tally_);
  }

  SyntheticStream stream_ = SyntheticStream::create({}).value();
  PlayerView view_;
  Tally tally_;
  const TimePoint joined_ = TimePoint(100s);
  std::string payload_;
};

TEST_F(MprtmpPlayer, KnowsItsFirstKeyFrameAndTransit) {
  EXPECT_EQ(video(59, joined_, joined_ + 3ms, 1'000), PlayerView::Verdict::kNothing);
  EXPECT_EQ(tally_.began_without_key, 1U);
  EXPECT_EQ(video(60, joined_, joined_ + 5ms, 1'033), PlayerView::Verdict::kFirstKey);
  EXPECT_EQ(video(120, joined_, joined_ + 5ms, 3'033), PlayerView::Verdict::kNothing);
  EXPECT_EQ(tally_.transit.count(), 3U);
  EXPECT_EQ(tally_.transit.max(), 5'000'000U);
  view_.close(tally_);
  EXPECT_EQ(tally_.video, (FrameCounts{3, 59, 1, 0, 0}));
}

TEST_F(MprtmpPlayer, LeavesCachedFramesOutOfTransit) {
  EXPECT_EQ(video(0, joined_ - 1s, joined_ + 1ms, 0), PlayerView::Verdict::kFirstKey);
  EXPECT_EQ(tally_.transit.count(), 0U);
  EXPECT_EQ(tally_.began_without_key, 0U);
}

TEST_F(MprtmpPlayer, KnowsAnothersStream) {
  EXPECT_EQ(video(0, joined_, joined_, 0, 1), PlayerView::Verdict::kWrongStream);
}

TEST_F(MprtmpPlayer, TellsPausesFromTheWindowOn) {
  video(0, joined_, joined_, 0);
  video(1, joined_, joined_ + 900ms, 33);
  view_.begin_window(joined_ + 900ms);
  video(2, joined_, joined_ + 950ms, 66);
  view_.close(tally_);
  EXPECT_EQ(tally_.pause.max(), 50'000'000U);
}

TEST_F(MprtmpPlayer, NotesTimestampsThatGoBack) {
  video(0, joined_, joined_, 100);
  video(1, joined_, joined_, 100);
  EXPECT_EQ(tally_.backward_timestamps, 0U);
  video(2, joined_, joined_, 99);
  EXPECT_EQ(tally_.backward_timestamps, 1U);
  video(3, joined_, joined_, 0xffffffff);
  EXPECT_EQ(tally_.backward_timestamps, 2U);
  video(4, joined_, joined_, 10);
  EXPECT_EQ(tally_.backward_timestamps, 2U);
}

TEST_F(MprtmpPlayer, GoesOnWithAnotherPublisher) {
  video(70, joined_, joined_, 2'333, 0, 1);
  video(0, joined_, joined_, 0, 0, 2);
  EXPECT_EQ(tally_.new_publishers, 1U);
  EXPECT_EQ(tally_.backward_timestamps, 0U);
  view_.close(tally_);
  EXPECT_EQ(tally_.video, (FrameCounts{2, 0, 0, 0, 0}));
}

TEST_F(MprtmpPlayer, CountsNoSequenceHeadersAndNamesUnmarkedFrames) {
  payload_ = stream_.video_header();
  EXPECT_EQ(give(rtmp::MessageType::kVideo, 0, joined_), PlayerView::Verdict::kNothing);
  EXPECT_EQ(tally_.total.video_received, 0U);
  payload_ = std::string("\x17\x01\0\0\0someone else's", 19);
  EXPECT_EQ(give(rtmp::MessageType::kVideo, 0, joined_), PlayerView::Verdict::kFirstKey);
  EXPECT_EQ(tally_.unmarked, 1U);
  payload_ = SyntheticStream::audio_header();
  give(rtmp::MessageType::kAudio, 0, joined_);
  EXPECT_EQ(tally_.total.audio_received, 0U);
}

}  // namespace
}  // namespace mpb::rtmp_load
