// What a player of a live stream gets: headers, times, and key frames after drops.
#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "tests/support/relay_fixture.hpp"
#include "worker/rtmp/relay/live_stream.hpp"
#include "worker/rtmp/relay/player.hpp"
#include "worker/rtmp/relay/relay_client.hpp"

namespace mpb::rtmp {
namespace {

constexpr auto kVideo = MessageType::kVideo;
constexpr auto kAudio = MessageType::kAudio;
constexpr Duration kQueue{10'000};

using Texts = std::vector<std::string>;
using Times = std::vector<std::uint32_t>;

std::string enhanced(char first, std::string_view codec, std::string_view content) {
  return std::string(1, first).append(codec).append(content);
}
std::string hevc_header() {
  return enhanced('\x90', "hvc1", "config");
}
std::string opus_header() {
  return enhanced('\x90', "Opus", "config");
}

/// onMetaData; 0: without a picture's size, and not an object.
std::string metadata_of(double width) {
  std::string metadata;
  amf0::write_string(metadata, "onMetaData");
  if (width == 0) {
    amf0::write_null(metadata);
    return metadata;
  }
  amf0::Object object;
  object.properties.emplace_back("width", width);
  amf0::write(metadata, object);
  return metadata;
}

/// A player whose client's socket a test plays.
class Screen {
 public:
  Screen(LiveStream& stream, RelayClient& client, std::uint32_t ordinal = 0)
      : player(stream, client, 1, ordinal) {
    stream.add_player(player);
    append_set_chunk_size(out, kOutChunkSize);
  }
  ~Screen() { player.stream().remove_player(player); }
  Screen(const Screen&) = delete;
  Screen& operator=(const Screen&) = delete;

  /// Begins if it waits and may; false: it goes on waiting.
  bool begin(TimePoint now = {}) {
    const auto entrance = player.stream().entrance();
    if (!entrance || player.paused()) return false;
    player.begin(*entrance, outgoing, now);
    collect();
    return true;
  }
  /// The socket takes at most `room` bytes of the log.
  void take(std::size_t room = SIZE_MAX) {
    while (true) {
      if (!player.mid_message()) player.write_own(outgoing, SIZE_MAX);
      collect();
      std::vector<iovec> slices;
      player.collect(slices, 64);
      std::size_t taken = 0;
      for (const iovec& slice : slices) {
        const std::size_t size = std::min(slice.iov_len, room - taken);
        out.append(static_cast<const char*>(slice.iov_base), size);
        taken += size;
      }
      if (taken == 0) return;
      room -= taken;
      player.advance(taken);
    }
  }
  /// What the player has written for its client goes out.
  void collect() {
    outgoing.append_to(out, SIZE_MAX);
    outgoing.clear();
  }
  /// The messages that have become whole since the last call.
  std::vector<Received> messages() {
    std::vector<Received> got;
    std::string_view rest = out;
    Message message;
    ChunkReader::Result result{};
    while ((result = reader_.read(rest, message)) == ChunkReader::Result::kMessage) {
      if (message.type == MessageType::kSetChunkSize) continue;
      got.push_back({message.type, message.chunk_stream, message.stream, message.timestamp,
                     std::string(message.payload)});
    }
    EXPECT_NE(result, ChunkReader::Result::kError) << reader_.why();
    out.erase(0, out.size() - rest.size());
    return got;
  }
  Texts payloads() {
    Texts texts;
    for (Received& message : messages()) texts.push_back(std::move(message.payload));
    return texts;
  }
  Times times() {
    Times times;
    for (const Received& message : messages()) times.push_back(message.timestamp);
    return times;
  }

  Player player;
  Outgoing outgoing;
  std::string out;

 private:
  ChunkReader reader_{64UL * 1024 * 1024};
};

class RelayPlayer : public ::testing::Test {
 protected:
  void SetUp() override {
    peer->enter();
    make(settings);
  }
  void make(const VhostSettings& with) {
    stream = std::make_unique<LiveStream>(StreamName{"a.test", "live", "s"},
                                          std::make_shared<VhostSettings>(with), file, TimePoint{});
    stream->begin_publishing(client(), {});
  }
  void make(Jitter jitter) {
    settings.jitter = jitter;
    make(settings);
  }
  RelayClient& client() { return peer->relay_client(); }
  void send(MessageType type, std::uint32_t timestamp, std::string_view payload,
            TimePoint now = {}) {
    stream->publish({type, 6, 1, timestamp, payload}, now);
  }
  void video(std::uint32_t timestamp, std::string_view payload, TimePoint now = {}) {
    send(kVideo, timestamp, payload, now);
  }
  static TimePoint at(int milliseconds) { return TimePoint{} + Duration{milliseconds}; }

  RelayFixture relay;
  std::unique_ptr<RelayPeer> peer = relay.peer();
  VhostSettings settings;
  SegmentFile file;
  std::unique_ptr<LiveStream> stream;
};

TEST_F(RelayPlayer, OffGivesThePublishersTimesHoweverLarge) {
  make(Jitter::kOff);
  const std::string large = avc_key_frame(std::string(130'000, 'k'));
  video(0x01234567, avc_header());
  video(0x01234567, large);
  video(0x01234567 + 40, avc_frame(std::string(70'000, 'f')));
  Screen screen(*stream, client());
  ASSERT_TRUE(screen.begin());
  screen.take();
  const auto got = screen.messages();
  ASSERT_EQ(got.size(), 3U);
  EXPECT_EQ(got[1].payload, large);
  EXPECT_EQ(got[1].timestamp, 0x01234567U);
  EXPECT_EQ(got[2].timestamp, 0x01234567U + 40);
}

TEST_F(RelayPlayer, OffFollowsTimesThatWrapOrGoBack) {
  make(Jitter::kOff);
  video(0xFFFFFFE0U, avc_header());
  video(0xFFFFFFE0U, avc_key_frame("k"));
  Screen screen(*stream, client());
  ASSERT_TRUE(screen.begin());
  video(0x10, avc_frame("wrapped"));
  video(0x38, avc_frame("f"));
  video(0x08, avc_frame("back"));
  video(0x30, avc_frame("f"));
  screen.take();
  EXPECT_EQ(screen.times(), (Times{0xFFFFFFE0U, 0xFFFFFFE0U, 0x10, 0x38, 0x08, 0x30}));
}

TEST_F(RelayPlayer, ZeroBeginsAtZeroAndAnewWhenTheClockGoesBack) {
  make(Jitter::kZero);
  video(0xFFFFFFE0U, avc_header());
  video(0xFFFFFFE0U, avc_key_frame("k"));
  Screen screen(*stream, client());
  ASSERT_TRUE(screen.begin());
  video(0x08, avc_frame("wrapped"));
  video(0x08 + 60'000, avc_frame("a jump stays one"));
  video(5'000, avc_frame("behind where it began? no"));
  screen.take();
  EXPECT_EQ(screen.times(), (Times{0, 0, 0x28, 0x28 + 60'000, 5'000 + 0x20}));
  video(0xFF000000U, avc_frame("before its beginning"));
  video(0xFF000028U, avc_frame("f"));
  screen.take();
  EXPECT_EQ(screen.times(), (Times{0, 40}));
}

TEST_F(RelayPlayer, FullGoesOnSmoothlyOverJumps) {
  video(1'000'000, avc_header());
  video(1'000'000, avc_key_frame("k"));
  Screen screen(*stream, client());
  ASSERT_TRUE(screen.begin());
  video(1'000'040, avc_frame("f"));
  video(20'000'000, avc_frame("far on"));
  video(20'000'040, avc_frame("f"));
  video(0, avc_frame("back"));
  video(40, avc_frame("f"));
  screen.take();
  EXPECT_EQ(screen.times(), (Times{0, 0, 40, 50, 90, 100, 140}));
}

TEST_F(RelayPlayer, TimesOfALateJoinerBeginNearZeroHoweverLongTheStreamHasRun) {
  std::uint32_t time = 0;
  video(time, avc_header());
  for (int i = 0; i < 4'000; ++i) video(time += 4'900, avc_key_frame("k"));
  stream->trim();
  Screen screen(*stream, client());
  ASSERT_TRUE(screen.begin());
  video(time += 40, avc_frame("f"));
  screen.take();
  EXPECT_EQ(screen.times(), (Times{0, 4'900, 4'940})) << "the header stands before the key frame";
}

TEST_F(RelayPlayer, ATrackThatEndedLongAgoDoesNotShiftTheOthers) {
  std::uint32_t time = 0;
  video(time, avc_header());
  send(kAudio, time, aac_header());
  for (int i = 0; i < 10; ++i) video(time += 4'000, avc_key_frame("k"));
  stream->trim();
  Screen screen(*stream, client());
  ASSERT_TRUE(screen.begin());
  send(kAudio, time + 23, aac_frame("again"));
  screen.take();
  EXPECT_EQ(screen.times(), (Times{0, 0, 4'000, 4'023}));
}

TEST_F(RelayPlayer, MetadataStandsAtZeroWheneverItComesAndFromTheLog) {
  for (const Jitter jitter : {Jitter::kFull, Jitter::kZero, Jitter::kOff}) {
    make(jitter);
    video(1'000, avc_header());
    video(1'000, avc_key_frame("k"));
    Screen screen(*stream, client());
    ASSERT_TRUE(screen.begin());
    screen.take();
    screen.messages();
    const std::string none = metadata_of(0);  // no metadata came before: written for this player
    send(MessageType::kDataAmf0, 1'040, none);
    screen.take();
    video(1'080, avc_frame("f"));
    send(MessageType::kDataAmf0, 0, metadata_of(640));
    send(MessageType::kDataAmf0, 1'160, metadata_of(1'280));
    video(1'200, avc_frame("g"));
    std::vector<iovec> slices;
    screen.player.write_own(screen.outgoing, SIZE_MAX);
    screen.collect();
    EXPECT_GT(screen.player.collect(slices, 64), 0U);
    EXPECT_EQ(slices.size(), 1U) << "nothing is written for one player alone";
    screen.take();
    const std::uint32_t base = jitter == Jitter::kOff ? 1'000 : 0;
    const auto got = screen.messages();
    ASSERT_EQ(got.size(), 5U);
    EXPECT_EQ(got[0].payload, none);
    EXPECT_EQ(got[0].timestamp, 0U);
    EXPECT_EQ(got[1].timestamp, base + 80);
    EXPECT_EQ(got[2].payload, metadata_of(640));
    EXPECT_EQ(got[2].timestamp, 0U);
    EXPECT_EQ(got[3].payload, metadata_of(1'280));
    EXPECT_EQ(got[3].timestamp, 0U);
    EXPECT_EQ(got[4].timestamp, base + 200) << "which metadata does not touch";
  }
}

TEST_F(RelayPlayer, GetsTheHeadersOfEveryTrackAsLastSent) {
  const std::string metadata = metadata_of(640);
  send(MessageType::kDataAmf0, 0, metadata);
  video(0, avc_header('1'));
  send(kAudio, 0, aac_header());
  send(kAudio, 0, opus_header());
  const std::string second_track("\x96\0avc1\1config", 13);
  video(0, second_track);
  video(0, hevc_header());
  video(0, avc_header('2'));
  video(80, avc_key_frame("k"));
  stream->trim();
  Screen screen(*stream, client());
  ASSERT_TRUE(screen.begin());
  screen.take();
  const Times times = screen.times();
  ASSERT_FALSE(times.empty());
  EXPECT_EQ(times.front(), 0U) << "metadata at another time is none to ffmpeg";
  Screen second(*stream, client());
  ASSERT_TRUE(second.begin());
  second.take();
  EXPECT_EQ(second.payloads(),
            (Texts{metadata, second_track, avc_header('2'), opus_header(), avc_key_frame("k")}));
}

TEST_F(RelayPlayer, GetsNoHeaderOfACodecThatIsSentNoLonger) {
  const std::string mp3("\x2f\xff\xfb", 3);
  video(0, avc_header());
  send(kAudio, 0, aac_header());
  video(0, avc_key_frame("1"));
  send(kAudio, 0, aac_frame("a"));
  send(kAudio, 20, mp3);
  stream->trim();
  Screen within(*stream, client());
  ASSERT_TRUE(within.begin());
  within.take();
  EXPECT_EQ(within.payloads(),
            (Texts{avc_header(), aac_header(), avc_key_frame("1"), aac_frame("a"), mp3}));
  video(40, avc_key_frame("2"));
  send(kAudio, 40, mp3);
  stream->trim();
  Screen behind(*stream, client());
  ASSERT_TRUE(behind.begin());
  behind.take();
  EXPECT_EQ(behind.payloads(), (Texts{avc_header(), avc_key_frame("2"), mp3}));
}

TEST_F(RelayPlayer, HeadersThatAreNoneTakeUpNoMemory) {
  video(0, avc_header());
  video(0, avc_header() + std::string(70'000, 'x'));
  send(MessageType::kDataAmf0, 0, std::string(70'000, 'x'));
  for (char track = 0; track < 100; ++track) {
    std::string header("\x96\0avc1", 6);  // multitrack, one track, sequence start
    video(0, header + track + "config");
  }
  std::size_t bytes = stream->metadata() ? stream->metadata()->size() : 0;
  for (const StreamHeader& header : stream->headers()) bytes += header.payload->size();
  EXPECT_LE(stream->headers().size(), 32U);
  EXPECT_LT(bytes, 1'000U);
}

TEST_F(RelayPlayer, NobodyGetsFramesBeforeTheFirstKeyFrame) {
  send(kAudio, 0, aac_header());
  send(kAudio, 0, aac_frame("x"));
  Screen screen(*stream, client());
  ASSERT_TRUE(screen.begin()) << "sound alone can begin anywhere";
  video(0, avc_header());
  video(0, avc_frame("cannot be decoded"));
  send(kAudio, 10, aac_frame("y"));
  video(40, avc_key_frame("k"));
  video(80, avc_frame("f"));
  screen.take();
  EXPECT_EQ(screen.payloads(), (Texts{aac_header(), aac_frame("x"), avc_header(), aac_frame("y"),
                                      avc_key_frame("k"), avc_frame("f")}));
}

TEST_F(RelayPlayer, SoundAloneCanBeginAnywhereAgainWhenPicturesHaveEnded) {
  video(0, avc_header(), at(0));
  send(kAudio, 0, aac_header(), at(0));
  video(0, avc_key_frame("k"), at(0));
  send(kAudio, 60'001, aac_frame("x"), at(60'001));
  stream->trim();
  send(kAudio, 60'024, aac_frame("y"), at(60'024));
  Screen screen(*stream, client());
  ASSERT_TRUE(screen.begin());
  send(kAudio, 60'047, aac_frame("z"), at(60'047));
  screen.take();
  EXPECT_EQ(screen.payloads(), (Texts{avc_header(), aac_header(), aac_frame("y"), aac_frame("z")}));
}

TEST_F(RelayPlayer, WithoutTheGopCacheBeginsWithTheNextKeyFrame) {
  settings.gop_cache = false;
  make(settings);
  video(0, avc_header(), at(0));
  video(0, avc_key_frame("k1"), at(0));
  stream->trim();
  EXPECT_EQ(stream->log().begin(), stream->log().end()) << "nothing is kept";
  Screen screen(*stream, client());
  EXPECT_FALSE(screen.begin());
  video(40, avc_frame("f"), at(40));
  EXPECT_FALSE(screen.begin());
  stream->trim();
  // Much may come in before players get it: with latency = merge, say.
  video(80, avc_key_frame("k2"), at(80));
  video(120, avc_frame("g"), at(120));
  ASSERT_TRUE(screen.begin());
  screen.take();
  EXPECT_EQ(screen.payloads(), (Texts{avc_header(), avc_key_frame("k2"), avc_frame("g")}));
}

TEST_F(RelayPlayer, IsLateWhenWhatIsDueIsTooOld) {
  video(0, avc_header(), at(0));
  video(0, avc_key_frame("k"), at(0));
  Screen screen(*stream, client());
  ASSERT_TRUE(screen.begin(at(20'000)));
  EXPECT_FALSE(screen.player.late(at(30'000), kQueue)) << "counts from when it began";
  EXPECT_TRUE(screen.player.late(at(30'001), kQueue));
  screen.take();
  EXPECT_FALSE(screen.player.late(at(90'000), kQueue)) << "nothing is due";
  video(40, avc_frame("f"), at(90'000));
  EXPECT_FALSE(screen.player.late(at(100'000), kQueue));
  EXPECT_TRUE(screen.player.late(at(100'001), kQueue));
}

TEST_F(RelayPlayer, IsLateWhenTooMuchIsDueHoweverFastItCame) {
  video(0, avc_header());
  video(0, avc_key_frame("k"));
  Screen slow(*stream, client());
  Screen fast(*stream, client(), 1);
  ASSERT_TRUE(slow.begin());
  ASSERT_TRUE(fast.begin());
  const std::string frame = avc_frame(std::string(15UL * 1024 * 1024, 'f'));
  for (std::uint32_t i = 1; i <= 5; ++i) {
    EXPECT_FALSE(slow.player.late(at(0), kQueue)) << i;
    video(i * 40, frame);
    fast.take();
    fast.out.clear();
    stream->trim();
  }
  EXPECT_TRUE(slow.player.late(at(0), kQueue));
  EXPECT_FALSE(fast.player.late(at(0), kQueue));
  slow.player.drop(slow.outgoing, at(0));
  slow.collect();
  stream->trim();
  EXPECT_EQ(stream->log().bytes(), 0U) << "not even the key frame: too much lies behind it";
}

TEST_F(RelayPlayer, DropsToTheLatestKeyFrameAndGoesOnInItsOwnTime) {
  video(50'000, avc_header(), at(0));
  video(50'000, avc_key_frame("k1"), at(0));
  Screen screen(*stream, client());
  ASSERT_TRUE(screen.begin(at(0)));
  screen.take();
  EXPECT_EQ(screen.times(), (Times{0, 0}));
  for (std::uint32_t i = 1; i <= 10; ++i) {
    video(50'000 + i * 100, i == 8 ? avc_key_frame("k2") : avc_frame("f"), at(0));
  }
  screen.player.drop(screen.outgoing, at(11'000));
  screen.collect();
  EXPECT_FALSE(screen.player.waiting());
  screen.take();
  const auto got = screen.messages();
  ASSERT_EQ(got.size(), 4U);
  EXPECT_EQ(got[0].payload, avc_header());
  EXPECT_EQ(got[1].payload, avc_key_frame("k2"));
  EXPECT_EQ(got[1].timestamp, 800U);
  EXPECT_EQ(got[3].timestamp, 1'000U);
  EXPECT_FALSE(screen.player.late(at(20'000), kQueue));
}

TEST_F(RelayPlayer, ADropAfterTheLatestKeyFrameGoesOnWithSoundAndRepeatsNothing) {
  video(0, avc_header(), at(0));
  send(kAudio, 0, aac_header(), at(0));
  video(0, avc_key_frame("k1"), at(0));
  Screen screen(*stream, client());
  ASSERT_TRUE(screen.begin(at(0)));
  screen.take();
  screen.messages();
  video(40, avc_frame("too late"), at(40));
  screen.player.drop(screen.outgoing, at(11'000));
  screen.collect();
  video(80, avc_frame("f"), at(11'000));
  send(kAudio, 90, aac_frame("x"), at(11'000));
  screen.take();
  EXPECT_EQ(screen.payloads(), (Texts{avc_header(), aac_header(), aac_frame("x")}))
      << "sound goes on at once";
  video(120, avc_key_frame("k2"), at(11'040));
  video(160, avc_frame("g"), at(11'040));
  screen.take();
  const auto got = screen.messages();
  ASSERT_EQ(got.size(), 3U);
  EXPECT_EQ(got[0].payload, avc_header()) << "so that the frame itself comes from the log";
  EXPECT_EQ(got[1].payload, avc_key_frame("k2"));
  EXPECT_EQ(got[1].timestamp, 120U);
  EXPECT_EQ(got[2].timestamp, 160U);
}

TEST_F(RelayPlayer, AMessageThatWasSentInPartIsFinishedBeforeADrop) {
  const std::string large = avc_key_frame(std::string(200'000, 'k'));
  for (std::size_t sent = 1; sent < 200'000; sent += 19'997) {
    make(settings);
    video(0, avc_header());
    Screen screen(*stream, client());
    video(0, avc_key_frame("k1"));
    ASSERT_TRUE(screen.begin());
    screen.take();
    screen.messages();
    video(40, large);
    video(80, avc_frame("given up"));
    video(120, avc_key_frame("k3"));
    screen.take(sent);
    ASSERT_TRUE(screen.player.mid_message());
    screen.player.drop(screen.outgoing, at(0));
    screen.collect();
    screen.take();
    EXPECT_EQ(screen.payloads(), (Texts{large, avc_header(), avc_key_frame("k3")})) << sent;
  }
}

TEST_F(RelayPlayer, UnwantedTracksAreLeftOutAndComeBackInStep) {
  video(0, avc_header());
  send(kAudio, 0, aac_header());
  video(0, avc_key_frame("k"));
  Screen screen(*stream, client());
  ASSERT_TRUE(screen.begin());
  screen.take();
  screen.messages();
  screen.player.receive(Track::kAudio, false, screen.outgoing);
  screen.collect();
  send(kAudio, 20, aac_frame("unheard"));
  video(40, avc_frame("f"));
  send(kAudio, 43, aac_frame("unheard"));
  screen.take();
  EXPECT_EQ(screen.times(), Times{40});
  screen.player.receive(Track::kAudio, true, screen.outgoing);
  screen.collect();
  send(kAudio, 66, aac_frame("x"));
  send(kAudio, 89, aac_frame("y"));
  video(80, avc_frame("g"));
  screen.take();
  EXPECT_EQ(screen.times(), (Times{43, 66, 89, 80})) << "its header stands before";
}

TEST_F(RelayPlayer, ATrackThatWasUnwantedAtFirstBeginsWithItsHeader) {
  video(0, avc_header());
  send(kAudio, 0, aac_header());
  video(0, avc_key_frame("k"));
  Screen screen(*stream, client());
  screen.player.receive(Track::kVideo, false, screen.outgoing);
  screen.collect();
  ASSERT_TRUE(screen.begin());
  screen.take();
  EXPECT_EQ(screen.payloads(), Texts{aac_header()});
  screen.player.receive(Track::kVideo, true, screen.outgoing);
  screen.collect();
  screen.player.receive(Track::kVideo, true, screen.outgoing);
  screen.collect();
  video(40, avc_key_frame("l"));
  screen.take();
  EXPECT_EQ(screen.payloads(), (Texts{avc_header(), avc_key_frame("l")}));
}

TEST_F(RelayPlayer, SoundThatLiesBeforeTheFirstPictureIsNotHoursAway) {
  video(5'000, avc_header());
  video(5'000, avc_key_frame("k"));
  Screen screen(*stream, client());
  ASSERT_TRUE(screen.begin());
  send(kAudio, 4'960, aac_header());
  screen.take();
  EXPECT_EQ(screen.times(), (Times{0, 0, 0})) << "it would be -40";
  send(kAudio, 4'983, aac_frame("x"));
  send(kAudio, 5'006, aac_frame("y"));
  send(kAudio, 5'029, aac_frame("z"));
  video(5'040, avc_frame("f"));
  screen.take();
  EXPECT_EQ(screen.times(), (Times{0, 6, 29, 40})) << "sound and picture stay together";
}

TEST_F(RelayPlayer, SlicesAreOfOneSegmentHoweverSegmentsLieInMemory) {
  video(0, avc_header());
  video(0, avc_key_frame("k"));
  Screen screen(*stream, client());
  ASSERT_TRUE(screen.begin());
  screen.take();
  stream->trim();
  // Two messages of whole pages, so that each fills a segment. The kernel maps from the top down:
  // the second gets the gap above the first, but not the place behind it in the file.
  constexpr std::size_t kPages = 64UL * 1024;
  constexpr std::size_t kHeaders = 8 + 1;
  const std::string frame = avc_frame("");
  const std::string payload = frame + std::string(kPages - kHeaders - frame.size(), 'x');
  std::optional<Segment> above(std::in_place, &file, kPages);
  video(40, payload);
  const Segment between(&file, kPages);
  above.reset();
  video(80, payload);
  const StreamLog& log = stream->log();
  ASSERT_EQ(log.chunks(log.at(log.end() - 1)).size(), kPages);
  std::vector<iovec> slices;
  EXPECT_EQ(screen.player.collect(slices, 64), 2 * kPages);
  ASSERT_EQ(slices.size(), 2U);
  EXPECT_EQ(screen.player.file_offset(), log.place_of(log.at(log.end() - 2)));
}

TEST_F(RelayPlayer, CollectsNoMoreThanASocketMayTakeAtOnce) {
  video(0, avc_header());
  video(0, avc_key_frame("k"));
  Screen screen(*stream, client());
  ASSERT_TRUE(screen.begin());
  screen.take();
  screen.messages();
  Texts sent;
  for (std::uint32_t i = 1; i <= 100; ++i) {
    sent.push_back(avc_frame(std::string(100'000 + i, 'f')));
    video(i, sent.back());
  }
  std::vector<iovec> slices;
  EXPECT_LT(screen.player.collect(slices, 64), 2'000'000U);
  screen.take();
  EXPECT_EQ(screen.payloads(), sent);
}

TEST_F(RelayPlayer, SoundIsThereAtOnceAndPicturesFromTheirKeyFrameOn) {
  settings.gop_cache = false;
  make(settings);
  video(0, avc_header());
  send(kAudio, 0, aac_header());
  video(0, avc_key_frame("k"));
  stream->trim();
  Screen screen(*stream, client());
  EXPECT_FALSE(screen.begin()) << "nothing has come yet";
  video(40, avc_frame("f"));
  send(kAudio, 46, aac_frame("x"));
  ASSERT_TRUE(screen.begin());
  screen.take();
  video(80, avc_frame("g"));
  send(kAudio, 69, aac_frame("y"));
  screen.take();
  EXPECT_EQ(screen.payloads(), (Texts{avc_header(), aac_header(), aac_frame("x"), aac_frame("y")}));
  const std::string key_frame = avc_key_frame(std::string(100'000, 'k'));
  video(120, key_frame);
  send(kAudio, 92, aac_frame("z"));
  video(160, avc_frame("h"));
  screen.player.write_own(screen.outgoing, SIZE_MAX);
  screen.collect();
  EXPECT_LT(screen.out.size(), 1'000U) << "the picture is not copied for a player";
  screen.take();
  const auto got = screen.messages();
  ASSERT_EQ(got.size(), 4U);
  EXPECT_EQ(got[0].payload, avc_header());
  EXPECT_EQ(got[1].payload, key_frame);
  EXPECT_EQ(got[1].timestamp, 120U);
  EXPECT_EQ(got[2].timestamp, 92U);
  EXPECT_EQ(got[3].timestamp, 160U);
}

TEST_F(RelayPlayer, SoundGoesFromTheLogAroundThePicturesThatWait) {
  settings.gop_cache = false;
  make(settings);
  video(0, avc_header());
  video(0, avc_key_frame("k"));
  stream->trim();
  Screen screen(*stream, client());
  send(kAudio, 0, aac_header());
  Texts sound;
  for (std::uint32_t i = 0; i < 30; ++i) {
    sound.push_back(aac_frame(std::to_string(i)));
    send(kAudio, i * 23, sound.back());
    video(i * 40, avc_frame(std::string(10'000, 'f')));
  }
  ASSERT_TRUE(screen.begin());
  screen.out.clear();
  screen.player.write_own(screen.outgoing, SIZE_MAX);
  screen.collect();
  EXPECT_TRUE(screen.out.empty());
  std::vector<iovec> slices;
  EXPECT_LT(screen.player.collect(slices, 64), 1'000U);
  EXPECT_EQ(slices.size(), sound.size());
  slices.clear();
  screen.player.collect(slices, 4);
  EXPECT_EQ(slices.size(), 4U);
}

TEST_F(RelayPlayer, WithoutAnyKeyFrameThereIsSound) {
  video(0, avc_header());
  send(kAudio, 0, aac_header());
  Screen screen(*stream, client());
  EXPECT_FALSE(screen.begin()) << "headers alone are nothing to begin with";
  video(0, avc_frame("f"));
  send(kAudio, 20, aac_frame("x"));
  ASSERT_TRUE(screen.begin());
  video(40, avc_frame("g"));
  screen.take();
  EXPECT_EQ(screen.payloads(), (Texts{avc_header(), aac_header(), aac_frame("x")}));
}

/// Track `id` of Enhanced multitrack; type 0: its header, 3: a frame.
std::string of_track(char id, char type, bool key_frame, std::string_view content) {
  std::string payload(1, static_cast<char>((key_frame ? 0x90 : 0xa0) | 6));
  payload += type;
  payload += "hvc1";
  payload += id;
  return payload.append(content);
}

/// Tracks 0 and 1 in one message.
std::string of_both(char type, bool key_frame, std::string_view content) {
  std::string payload(1, static_cast<char>((key_frame ? 0x90 : 0xa0) | 6));
  payload += static_cast<char>(0x10 | type);
  payload += "hvc1";
  for (char id = 0; id < 2; ++id) {
    payload += std::string{id, 0, 0, static_cast<char>(content.size())};
    payload += content;
  }
  return payload;
}

TEST_F(RelayPlayer, BeginsWithTheKeyFrameOfEveryTrack) {
  const Texts headers{of_track(0, 0, true, "c0"), of_track(1, 0, true, "c1")};
  for (const std::string& header : headers) video(0, header);
  Texts expected = headers;
  for (std::uint32_t i = 0; i < 4; ++i) {
    for (char id = 0; id < 2; ++id) {
      expected.push_back(of_track(id, 3, i == 0, std::to_string(i)));
      video(i * 40, expected.back());
    }
  }
  stream->trim();
  Screen screen(*stream, client());
  ASSERT_TRUE(screen.begin());
  screen.take();
  EXPECT_EQ(screen.payloads(), expected);
}

TEST_F(RelayPlayer, ATrackWhoseKeyFrameComesLaterIsLeftOutUntilThen) {
  const Texts headers{of_track(0, 0, true, "c0"), of_track(1, 0, true, "c1")};
  for (const std::string& header : headers) video(0, header);
  video(0, of_track(1, 3, true, "k1"));
  video(0, of_track(0, 3, true, "first"));
  video(40, of_track(0, 3, false, "not decodable from k1 on"));
  video(40, of_track(1, 3, false, "f1"));
  video(80, of_track(0, 3, true, "k0"));
  video(80, of_track(1, 3, false, "g1"));
  Screen screen(*stream, client());
  screen.player.begin(stream->log().end() - 4, screen.outgoing, {});
  screen.collect();
  screen.take();
  EXPECT_EQ(screen.payloads(),
            (Texts{headers[0], headers[1], headers[0], of_track(0, 3, true, "k0")}))
      << "track 1 has no key frame there";
}

TEST_F(RelayPlayer, TracksInOneMessageBeginTogether) {
  const std::string header = of_both(0, true, "c");
  video(0, header);
  const std::string key_frame = of_both(3, true, "k");
  video(0, key_frame);
  const std::string frame = of_both(3, false, "f");
  video(40, frame);
  stream->trim();
  Screen screen(*stream, client());
  ASSERT_TRUE(screen.begin());
  screen.take();
  EXPECT_EQ(screen.payloads(), (Texts{header, key_frame, frame}));
}

TEST_F(RelayPlayer, ConfigurationsThatChangeWithinTheGopStandInTheirPlaces) {
  std::string second = aac_header();
  second += '2';
  video(0, avc_header());
  send(kAudio, 0, aac_header());
  video(0, avc_key_frame("k"));
  send(kAudio, 20, aac_frame("old"));
  send(kAudio, 40, second);
  send(kAudio, 40, aac_frame("new"));
  stream->trim();
  Screen screen(*stream, client());
  ASSERT_TRUE(screen.begin());
  screen.take();
  EXPECT_EQ(screen.payloads(), (Texts{avc_header(), aac_header(), avc_key_frame("k"),
                                      aac_frame("old"), second, aac_frame("new")}));
  video(80, avc_key_frame("l"));
  send(kAudio, 80, aac_frame("newer"));
  stream->trim();
  Screen third(*stream, client());
  ASSERT_TRUE(third.begin());
  third.take();
  EXPECT_EQ(third.payloads(),
            (Texts{avc_header(), second, avc_key_frame("l"), aac_frame("newer")}));
}

TEST_F(RelayPlayer, ConfigurationsThatChangeForEverTakeUpBoundedMemory) {
  video(0, avc_header());
  video(0, avc_key_frame("k"));
  for (int i = 0; i < 1'000; ++i) {
    send(kAudio, 0, aac_header() + std::to_string(i));
    send(kAudio, 0, aac_frame(std::to_string(i)));
    stream->trim();
  }
  EXPECT_LE(stream->headers().size(), 33U);
  send(kAudio, 10, aac_frame("x"));
  Screen screen(*stream, client());
  ASSERT_TRUE(screen.begin());
  screen.take();
  const Texts got = screen.payloads();
  ASSERT_FALSE(got.empty());
  std::string config;
  for (const std::string& payload : got) {
    if (payload.starts_with(aac_header())) config = payload.substr(aac_header().size());
    if (payload.starts_with(aac_frame(""))) {
      EXPECT_TRUE(payload == aac_frame(config) || payload == aac_frame("x"));
    }
  }
}

TEST_F(RelayPlayer, ReceiveVideoAgainBeginsWithAKeyFrame) {
  video(0, avc_header());
  video(0, avc_key_frame("k"));
  Screen screen(*stream, client());
  ASSERT_TRUE(screen.begin());
  screen.take();
  screen.messages();
  screen.player.receive(Track::kVideo, false, screen.outgoing);
  screen.collect();
  video(40, avc_frame("f"));
  video(80, avc_header('2'));
  screen.take();
  screen.player.receive(Track::kVideo, true, screen.outgoing);
  screen.collect();
  video(120, avc_frame("g"));
  screen.take();
  EXPECT_TRUE(screen.messages().empty());
  video(160, avc_key_frame("l"));
  video(200, avc_frame("h"));
  screen.take();
  const auto got = screen.messages();
  ASSERT_EQ(got.size(), 3U);
  EXPECT_EQ(got[0].payload, avc_header('2')) << "which changed meanwhile";
  EXPECT_EQ(got[1].payload, avc_key_frame("l"));
  EXPECT_EQ(got[1].timestamp, 160U);
  EXPECT_EQ(got[2].timestamp, 200U);
}

TEST_F(RelayPlayer, DataAndHeadersAtZeroDoNotTouchTheTimesOfMediaInAnyMode) {
  for (const Jitter jitter : {Jitter::kFull, Jitter::kZero, Jitter::kOff}) {
    make(jitter);
    std::string data;
    amf0::write_string(data, "onTextData");
    video(10'000, avc_header());
    send(kAudio, 10'000, aac_header());
    video(10'000, avc_key_frame("k"));
    Screen screen(*stream, client());
    ASSERT_TRUE(screen.begin());
    for (std::uint32_t i = 1; i <= 10; ++i) {
      send(MessageType::kDataAmf0, 0, data);
      send(kAudio, 0, aac_header());
      video(10'000 + i * 40, avc_frame("f"));
      send(kAudio, 10'000 + i * 40, aac_frame("x"));
      screen.take();
    }
    const std::uint32_t base = jitter == Jitter::kOff ? 10'000 : 0;
    Times pictures;
    Times sound;
    for (const Received& message : screen.messages()) {
      if (message.payload == avc_frame("f")) pictures.push_back(message.timestamp - base);
      if (message.payload == aac_frame("x")) sound.push_back(message.timestamp - base);
    }
    EXPECT_EQ(pictures, (Times{40, 80, 120, 160, 200, 240, 280, 320, 360, 400}));
    EXPECT_EQ(sound, pictures);
  }
}

}  // namespace
}  // namespace mpb::rtmp
