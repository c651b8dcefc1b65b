#include "bench/mprtmp/player_view.hpp"

#include <algorithm>

#include "proto/rtmp/media.hpp"

namespace mpb::rtmp_load {
namespace {

TimePoint time_of(const FrameMark& mark) {
  return TimePoint(std::chrono::nanoseconds(mark.sent));
}

}  // namespace

PlayerView::Verdict PlayerView::on_media(const Skimmed& message, std::uint32_t stream,
                                         TimePoint joined, TimePoint now, Tally& tally) {
  const bool video = message.type == rtmp::MessageType::kVideo;
  const rtmp::MediaInfo info =
      video ? rtmp::inspect_video(message.front) : rtmp::inspect_audio(message.front);
  if (info.sequence_header || info.config_only || message.front.empty()) return Verdict::kNothing;
  const bool first_key = video && info.key_frame && !has_key_;
  if (video) {
    ++tally.total.video_received;
    if (!has_video_ && !info.key_frame) ++tally.began_without_key;
    if (has_video_) longest_pause_ = std::max(longest_pause_, now - last_video_);
    has_video_ = true;
    has_key_ = has_key_ || info.key_frame;
    last_video_ = now;
  } else {
    ++tally.total.audio_received;
  }
  const auto mark = find_mark(message.front);
  if (!mark) {
    ++tally.unmarked;
  } else if (on_mark(*mark, video, stream, joined, now, tally) == Verdict::kWrongStream) {
    return Verdict::kWrongStream;
  }
  const std::size_t kind = video ? 0 : 1;
  // Timestamps wrap around: before is what is less than half the circle behind.
  if (has_timestamp_[kind] &&
      static_cast<std::int32_t>(message.timestamp - last_timestamp_[kind]) < 0) {
    ++tally.backward_timestamps;
  }
  has_timestamp_[kind] = true;
  last_timestamp_[kind] = message.timestamp;
  return first_key ? Verdict::kFirstKey : Verdict::kNothing;
}

PlayerView::Verdict PlayerView::on_mark(const FrameMark& mark, bool video, std::uint32_t stream,
                                        TimePoint joined, TimePoint now, Tally& tally) {
  if (mark.stream != stream) return Verdict::kWrongStream;
  if (!has_publisher_ || mark.publisher != publisher_) {
    if (has_publisher_) {
      ++tally.new_publishers;
      has_timestamp_[0] = has_timestamp_[1] = false;
    }
    has_publisher_ = true;
    publisher_ = mark.publisher;
    video_.start_over();
    audio_.start_over();
  }
  (video ? video_ : audio_).record(mark.number);
  if (time_of(mark) >= joined) tally.transit.record((now - time_of(mark)).count());
  return Verdict::kNothing;
}

void PlayerView::begin_window(TimePoint now) {
  longest_pause_ = Clock::duration{0};
  last_video_ = now;
}

void PlayerView::close(Tally& tally) const {
  tally.video.merge(video_.counts());
  tally.audio.merge(audio_.counts());
  if (has_video_) tally.pause.record(longest_pause_.count());
}

}  // namespace mpb::rtmp_load
