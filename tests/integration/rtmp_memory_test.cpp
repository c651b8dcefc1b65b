// What hostile clients make a worker hold, and what becomes of it when the system gives no more.
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include <deque>
#include <memory>
#include <sstream>
#include <string>

#include <boost/json/array.hpp>

#include "proto/rtmp/command.hpp"
#include "tests/integration/harness/broker_process.hpp"
#include "tests/integration/harness/processes.hpp"
#include "tests/integration/harness/rtmp_peer.hpp"

namespace mpb::test {
namespace {

using rtmp::MessageType;

constexpr std::size_t kMegabyte = 1024UL * 1024;
constexpr std::size_t kFrame = 8 * kMegabyte;
constexpr std::uint32_t kChunk = 1U << 24;

/// Of /proc/PID/statm.
std::size_t memory_of(pid_t pid, bool resident) {
  std::istringstream fields(read_file("/proc/" + std::to_string(pid) + "/statm"));
  std::size_t size = 0;
  std::size_t in_memory = 0;
  fields >> size >> in_memory;
  return (resident ? in_memory : size) * static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
}

std::string text_argument(std::string_view text) {
  std::string bytes;
  amf0::write_string(bytes, text);
  return bytes;
}

std::string key_frame(std::uint32_t stream, std::size_t size) {
  std::string bytes;
  rtmp::append_message(
      bytes,
      {MessageType::kVideo, 6, stream, 0, std::string("\x17\1\0\0\0", 5) + std::string(size, 'k')},
      kChunk);
  return bytes;
}

class RtmpMemory : public testing::Test {
 protected:
  void start(const std::string& options = {}) {
    BrokerSetup setup;
    setup.config = "workers = 1\n" + options +
                   "[listener rtmp]\nlisten = 127.0.0.1:PORT\nprotocol = rtmp\nhandler = relay\n"
                   "[vhost a.test]\nqueue = 60s\n[vhost b.test]\n"
                   "[vhost slow.test]\nmax-bitrate = 400kbit\n";
    broker = std::make_unique<BrokerProcess>(setup);
    pid = broker->worker_pid(0);
    rest = memory_of(pid, true);
  }
  RtmpPeer& publisher(const std::string& vhost, const std::string& name, int streams = 1) {
    RtmpPeer& made = peers.emplace_back(broker->port());
    EXPECT_TRUE(made.enter_stream(vhost));
    std::string bytes;
    rtmp::append_set_chunk_size(bytes, kChunk);
    made.send(bytes);
    for (int id = 1; id <= streams; ++id) {
      made.send(rtmp_command_bytes("publish", 3, static_cast<std::uint32_t>(id),
                                   text_argument(id == 1 ? name : name + std::to_string(id))));
      EXPECT_EQ(made.status(), "NetStream.Publish.Start");
    }
    return made;
  }
  /// It may be closed meanwhile.
  static void try_to_send(RtmpPeer& peer, std::string_view bytes) {
    try {
      peer.send(bytes);
    } catch (const std::exception&) {
      // Then it was.
    }
  }
  /// Of a message of 15 MiB all but the last byte.
  static std::string part() {
    std::string bytes = key_frame(1, 15 * kMegabyte);
    bytes.pop_back();
    return bytes;
  }
  [[nodiscard]] boost::json::array streams() const {
    return broker->request({{"command", "streams"}}).at("streams").as_array();
  }
  [[nodiscard]] std::int64_t kept() const {
    std::int64_t bytes = 0;
    for (const boost::json::value& stream : streams()) bytes += stream.at("kept_bytes").as_int64();
    return bytes;
  }
  [[nodiscard]] bool told(const std::string& text) const {
    return broker->log().find(text) != std::string::npos;
  }
  /// A sanitizer keeps what was freed for a while.
  void expect_growth_below(std::size_t bytes) const {
    const std::size_t kept = slow_factor() > 1 ? 600 * kMegabyte : 0;
    EXPECT_LT(memory_of(pid, true), rest + bytes + kept);
  }
  void TearDown() override {
    if (broker == nullptr) return;  // skipped
    EXPECT_EQ(broker->worker_pid(0), pid) << "the worker lives";
  }

  std::unique_ptr<BrokerProcess> broker;
  std::deque<RtmpPeer> peers;
  pid_t pid = 0;
  std::size_t rest = 0;
};

TEST_F(RtmpMemory, AFrameIsThereOnceHoweverManyPlayersDoNotRead) {
  start();
  publisher("a.test", "s").send(key_frame(1, kFrame));
  ASSERT_TRUE(eventually([&] { return kept() > static_cast<std::int64_t>(kFrame); }));
  constexpr int kPlayers = 25;
  for (int i = 0; i < kPlayers; ++i) {
    RtmpPeer& player = peers.emplace_back(broker->port());
    ASSERT_TRUE(player.enter_stream("a.test"));
    player.send(rtmp_command_bytes("play", 3, 1, text_argument("s")));
  }
  ASSERT_TRUE(eventually([&] { return streams().at(0).at("players").as_int64() == kPlayers; }));
  for (RtmpPeer& player : peers) {
    player.send(rtmp_command_bytes("pause", 0, 1, std::string("\1\1\0", 3) + std::string(8, '\0')));
  }
  ASSERT_EQ(streams().at(0).at("players").as_int64(), kPlayers);
  expect_growth_below(5 * kFrame);
}

TEST_F(RtmpMemory, ManyStreamsOfOneClientKeepNoMoreThanOne) {
  start();
  constexpr int kStreams = 8;
  RtmpPeer& source = publisher("a.test", "s", kStreams);
  for (int round = 0; round < 3; ++round) {
    for (std::uint32_t id = 1; id <= kStreams; ++id) source.send(key_frame(id, kFrame));
  }
  ASSERT_TRUE(eventually([&] {
    std::int64_t given_up = 0;
    for (const auto& stream : streams()) given_up += stream.at("given_up").as_int64();
    return given_up > 0;
  }));
  EXPECT_LE(kept(), static_cast<std::int64_t>(64 * kMegabyte + 2 * kFrame));
  expect_growth_below(128 * kMegabyte);
}

TEST_F(RtmpMemory, PartsOfMessagesPushOutNeitherOthersNorTheirPictures) {
  start("media-memory = 96MiB\n");
  publisher("b.test", "witness").send(key_frame(1, kFrame));
  ASSERT_TRUE(eventually([&] { return kept() > static_cast<std::int64_t>(kFrame); }));
  for (int i = 0; i < 16; ++i) {
    try_to_send(publisher("a.test", "p" + std::to_string(i)), part());
  }
  EXPECT_TRUE(eventually([&] { return told("reason=media-memory"); }));
  EXPECT_TRUE(told("event=media_memory.full"));
  EXPECT_FALSE(peers.front().ended());
  EXPECT_GT(kept(), static_cast<std::int64_t>(kFrame)) << "the other vhost's";
  expect_growth_below(96 * kMegabyte + 64 * kMegabyte);
}

TEST_F(RtmpMemory, WhoFloodsWithCommandsHoldsLittle) {
  start();
  const std::string questions = [] {
    std::string bytes;
    for (int i = 0; i < 2'000; ++i) {
      bytes += rtmp_command_bytes("getStreamLength", 5, 0, text_argument("s"));
    }
    return bytes;
  }();
  for (int i = 0; i < 50; ++i) {
    RtmpPeer& peer = peers.emplace_back(broker->port());
    ASSERT_TRUE(peer.enter_stream("a.test"));
    for (int j = 0; j < 20 && peer.send_some(questions); ++j) continue;
  }
  ASSERT_TRUE(broker->request({{"command", "streams"}}).contains("streams"));
  expect_growth_below(32 * kMegabyte);
}

TEST_F(RtmpMemory, NoMemoryIsTheEndOfAClientAndNotOfTheWorker) {
  if (slow_factor() > 1) GTEST_SKIP() << "a sanitizer needs all addresses";
  start("media-memory = 0\n");
  publisher("b.test", "witness");
  const rlim_t most = memory_of(pid, false) + 60 * kMegabyte;
  const rlimit limit{most, most};
  ASSERT_EQ(::prlimit(pid, RLIMIT_AS, &limit, nullptr), 0);
  for (int i = 0; i < 10; ++i) {
    RtmpPeer& peer = peers.emplace_back(broker->port());
    if (!peer.enter_stream("a.test")) continue;
    std::string bytes;
    rtmp::append_set_chunk_size(bytes, kChunk);
    peer.send(bytes + rtmp_command_bytes("publish", 3, 1, text_argument("p" + std::to_string(i))));
    // Frames, which go into the stream's log, and parts of one.
    for (int j = 0; j < 3 && i % 2 == 1; ++j) try_to_send(peer, key_frame(1, kFrame));
    try_to_send(peer, part());
  }
  EXPECT_TRUE(eventually([&] { return told("reason=media-memory"); }));
  EXPECT_TRUE(eventually([&] { return told("why=\"the system gave no memory\""); }));
  RtmpPeer late(broker->port());
  ASSERT_TRUE(late.enter_stream("b.test"));
  late.send(rtmp_command_bytes("play", 3, 1, text_argument("witness")));
  EXPECT_EQ(late.status(), "NetStream.Play.Reset");
  ASSERT_FALSE(streams().empty());
}

TEST_F(RtmpMemory, MessagesWithNearlyNothingCountAsWhatPlayersGet) {
  start();
  RtmpPeer& source = publisher("slow.test", "s");
  const std::string payload = text_argument("x");
  std::string flood;
  rtmp::append_message(flood, {MessageType::kDataAmf0, 5, 1, 0, payload}, kChunk);
  for (int i = 0; i < 20'000; ++i) flood += '\xc5' + payload;
  ASSERT_TRUE(eventually([&] {
    source.send_some(flood);
    return told("event=refused slot=0 reason=max-bitrate");
  }));
  EXPECT_TRUE(source.sees_end());
}

}  // namespace
}  // namespace mpb::test
