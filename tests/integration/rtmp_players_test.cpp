// What real players make of what the relay sends them: which streams they find, and when they end.
#include <gtest/gtest.h>

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "proto/rtmp/big_endian.hpp"
#include "proto/rtmp/command.hpp"
#include "tests/integration/harness/broker_process.hpp"
#include "tests/integration/harness/media.hpp"
#include "tests/integration/harness/processes.hpp"
#include "tests/integration/harness/rtmp_peer.hpp"

namespace mpb::test {
namespace {

/// A tag of an FLV file: a message.
struct Tag {
  rtmp::MessageType type{};
  std::uint32_t time = 0;  // ms
  std::string payload;
};

std::vector<Tag> tags_of(const std::string& clip) {
  constexpr std::size_t kFileHeader = 9 + 4;
  constexpr std::size_t kTagHeader = 11;
  constexpr std::size_t kTrailer = 4;
  const std::string bytes = read_file(clip);
  std::vector<Tag> tags;
  for (std::size_t at = kFileHeader; at + kTagHeader <= bytes.size();) {
    const char* const header = bytes.data() + at;
    const std::size_t length = rtmp::load_be(header + 1, 3);
    tags.push_back({static_cast<rtmp::MessageType>(header[0]), rtmp::load_be(header + 4, 3),
                    bytes.substr(at + kTagHeader, length)});
    at += kTagHeader + length + kTrailer;
  }
  return tags;
}

class RtmpPlayers : public testing::Test {
 protected:
  void start(const std::string& vhosts = {}) {
    BrokerSetup setup;
    setup.config =
        "workers = 2\n[listener rtmp]\nlisten = 127.0.0.1:PORT\nprotocol = rtmp\n"
        "handler = relay\n" +
        vhosts;
    broker = std::make_unique<BrokerProcess>(setup);
    clip = make_clip(folder, Tint::kGreen, 8);  // ffmpeg looks at 5 s before it begins
  }
  [[nodiscard]] std::string url(const std::string& vhost = "a.test") const {
    return "rtmp://127.0.0.1:" + std::to_string(broker->port()) + "/live?vhost=" + vhost + "/s";
  }
  bool await_players(std::int64_t count) {
    return eventually([&] {
      const auto report = broker->request({{"command", "streams"}});
      const auto& streams = report.at("streams").as_array();
      return !streams.empty() && streams[0].at("players").as_int64() == count;
    });
  }
  /// Publishes it as fast as the relay takes it; its metadata comes again each half second.
  void publish_with_metadata_again(RtmpPeer& to) {
    ASSERT_TRUE(to.enter_stream("a.test"));
    std::string bytes;
    rtmp::append_set_chunk_size(bytes, rtmp::kOutChunkSize);
    rtmp::append_publish(bytes, 1, "s", rtmp::kOutChunkSize);
    Tag metadata;
    std::uint32_t again = 500;
    const auto append = [&bytes](const Tag& tag, std::uint32_t time) {
      const auto chunk_stream = static_cast<std::uint32_t>(tag.type);
      rtmp::append_message(bytes, {tag.type, chunk_stream, 1, time, tag.payload},
                           rtmp::kOutChunkSize);
    };
    for (const Tag& tag : tags_of(clip)) {
      if (tag.type == rtmp::MessageType::kDataAmf0) metadata = tag;
      if (tag.time >= again) {
        append(metadata, tag.time);
        again += 500;
      }
      append(tag, tag.time);
    }
    to.send(bytes);
  }
  std::unique_ptr<ChildProcess> ffmpeg(const std::string& vhost,
                                       const std::vector<std::string>& input,
                                       const std::vector<std::string>& output) {
    ProgramStart child;
    child.program = "/usr/bin/ffmpeg";
    child.arguments = {"-hide_banner", "-nostdin", "-y"};
    child.arguments.insert(child.arguments.end(), input.begin(), input.end());
    child.arguments.insert(child.arguments.end(), {"-i", url(vhost)});
    child.arguments.insert(child.arguments.end(), output.begin(), output.end());
    child.errors = folder.file("ffmpeg" + std::to_string(++logs) + ".log");
    return std::make_unique<ChildProcess>(child);
  }
  static std::uintmax_t file_size(const std::string& path) {
    std::error_code error;
    const auto size = std::filesystem::file_size(path, error);
    return error ? 0 : size;
  }
  /// How many streams a recording has.
  int streams_in(const std::string& file) {
    int last = -1;
    for (const Packet& packet : packets_of(folder, file)) last = std::max(last, packet.stream);
    return last + 1;
  }

  TempFolder folder;
  std::unique_ptr<BrokerProcess> broker;
  std::string clip;
  int logs = 0;
};

TEST_F(RtmpPlayers, FfmpegFindsSoundAndPictureAndNothingElseHoweverOftenMetadataComes) {
  start();
  const std::string mkv = folder.file("a.mkv");
  const std::string hls = folder.file("a.m3u8");
  std::vector<std::unique_ptr<ChildProcess>> players;
  // With all streams: one without packets would be waited for for ever.
  players.push_back(ffmpeg("a.test", {}, {"-map", "0", "-t", "1", "-f", "null", "-"}));
  players.push_back(ffmpeg("a.test", {}, {"-map", "0", "-t", "1", "-c", "copy", mkv}));
  players.push_back(ffmpeg("a.test", {}, {"-t", "1", "-c", "copy", "-f", "hls", hls}));
  ASSERT_TRUE(await_players(3));
  RtmpPeer publisher(broker->port());
  publish_with_metadata_again(publisher);
  for (const auto& player : players) EXPECT_EQ(player->wait_exit(30s), "exit 0");
  EXPECT_EQ(streams_in(mkv), 2);
  EXPECT_EQ(streams_in(hls), 2);
}

TEST_F(RtmpPlayers, AreToldTheEndAndGoOnOrEndAsTheyChoose) {
  start("[vhost *.test]\npublish-notify = yes\n[vhost a.test]\n");
  const auto recording =
      std::make_unique<Recorder>(folder, url(), 10);  // longer than one publisher
  const auto told = ffmpeg("b.test", {}, {"-c", "copy", folder.file("told.flv")});
  RtmpPeer peer(broker->port());
  ASSERT_TRUE(peer.enter_stream("a.test"));
  std::string play;
  rtmp::append_play(play, 1, "s");
  peer.send(play);
  const std::string begin("\0\0\0\0\0\1", 6);
  const std::string eof("\0\1\0\0\0\1", 6);
  const auto control = [&peer] { return peer.next(rtmp::MessageType::kUserControl); };
  EXPECT_EQ(control(), begin) << "the play's";
  auto publisher = std::make_unique<Publisher>(folder, url(), clip);
  const auto other = std::make_unique<Publisher>(folder, url("b.test"), clip);
  EXPECT_EQ(control(), begin);
  ASSERT_TRUE(eventually([&] { return recording->has(10'000); }, 30s)) << recording->log();
  ASSERT_TRUE(eventually([&] { return file_size(folder.file("told.flv")) > 10'000; }, 30s));
  publisher->process().signal(SIGKILL);
  other->process().signal(SIGTERM);
  EXPECT_EQ(control(), eof);
  EXPECT_NE(told->wait_exit(30s), "running") << "UnpublishNotify";
  EXPECT_TRUE(recording->process().running());
  publisher = std::make_unique<Publisher>(folder, url(), clip);
  EXPECT_EQ(control(), begin);
  EXPECT_TRUE(recording->finished()) << recording->log();
}

}  // namespace
}  // namespace mpb::test
