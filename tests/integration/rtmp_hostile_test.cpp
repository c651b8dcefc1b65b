// Clients of RTMP that mean harm: refused in bounded memory and time, while a publisher and players
// beside them, in the same worker, notice nothing.
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <deque>
#include <memory>
#include <random>
#include <sstream>
#include <string>
#include <vector>

#include <boost/json/array.hpp>

#include "proto/rtmp/command.hpp"
#include "tests/integration/harness/broker_process.hpp"
#include "tests/integration/harness/processes.hpp"
#include "tests/integration/harness/rtmp_load.hpp"
#include "tests/integration/harness/rtmp_peer.hpp"

namespace mpb::test {
namespace {

using rtmp::MessageType;

constexpr const char* kVhost = "a.test";
constexpr std::size_t kMegabyte = 1024UL * 1024;

std::size_t resident_bytes(pid_t pid) {
  std::istringstream fields(read_file("/proc/" + std::to_string(pid) + "/statm"));
  std::size_t size = 0;
  std::size_t resident = 0;
  fields >> size >> resident;
  return resident * static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
}

/// A format 0 chunk header with one-, two- or three-byte basic header.
std::string chunk_header(std::uint32_t id, std::uint32_t length, MessageType type) {
  std::string bytes;
  if (id < 64) {
    bytes += static_cast<char>(id);
  } else {
    bytes += '\1';
    bytes += static_cast<char>((id - 64) & 0xff);
    bytes += static_cast<char>((id - 64) >> 8);
  }
  bytes += std::string(3, '\0');
  bytes += static_cast<char>(length >> 16);
  bytes += static_cast<char>(length >> 8);
  bytes += static_cast<char>(length);
  bytes += static_cast<char>(type);
  return bytes + std::string(4, '\0');
}

std::string string_argument(std::string_view text) {
  std::string bytes;
  amf0::write_string(bytes, text);
  return bytes;
}

std::string number_argument(double number) {
  std::string bytes;
  amf0::write_number(bytes, number);
  return bytes;
}

/// Arrays of one element within each other.
std::string deep_amf(std::size_t depth) {
  std::string bytes;
  for (std::size_t i = 0; i < depth; ++i) bytes += std::string("\x0a\0\0\0\1", 5);
  return bytes + '\5';
}

class RtmpHostile : public testing::Test {
 protected:
  void SetUp() override {
    BrokerSetup setup;
    setup.config =
        "workers = 2\nping-interval = 200ms\n"
        "header-timeout = 3s\nsend-timeout = 3s\n"
        "[listener rtmp]\nlisten = 127.0.0.1:PORT\nprotocol = rtmp\nhandler = relay\n"
        "route = a.test=0\n[vhost *.test]\nqueue = 1s\n";
    broker = std::make_unique<BrokerProcess>(setup);
    for (int slot = 0; slot < 2; ++slot) pids.push_back(broker->worker_pid(slot));
    witness = std::make_unique<RtmpLoad>(
        broker->folder(), broker->port(),
        std::vector<std::string>{"--publish", "--play", "--clients", "4", "--vhost", kVhost});
    ASSERT_TRUE(witness->settled());
    rest = memory();
  }
  /// While the attackers are there still: the workers live, and have grown by no more than
  /// `growth`.
  void expect_bounded(std::size_t growth = 32 * kMegabyte) {
    // A sanitizer keeps what was freed for a while.
    const std::size_t kept = slow_factor() > 1 ? 600 * kMegabyte : 0;
    const std::vector<std::size_t> after = memory();
    for (std::size_t i = 0; i < pids.size(); ++i) {
      EXPECT_LT(after[i], rest[i] + growth + kept) << "worker " << i;
    }
  }
  void TearDown() override {
    if (!witness) return;
    witness->stop();
    EXPECT_EQ(witness->complaint(), "");
    EXPECT_LT(witness->longest_pause(), 10s * slow_factor());
    for (int slot = 0; slot < 2; ++slot) {
      EXPECT_EQ(broker->worker_pid(slot), pids[static_cast<std::size_t>(slot)]);
    }
    EXPECT_TRUE(broker->await_held(0));
  }
  std::unique_ptr<RtmpPeer> peer() const { return std::make_unique<RtmpPeer>(broker->port()); }
  /// One that has connected, and has message stream 1.
  std::unique_ptr<RtmpPeer> guest() const {
    auto made = peer();
    EXPECT_TRUE(made->enter_stream(kVhost));
    return made;
  }
  /// The worker still serves newcomers.
  void expect_served() {
    auto fresh = guest();
    fresh->send(rtmp_command_bytes("play", 3, 1, string_argument("s")));
    EXPECT_TRUE(fresh->next(MessageType::kVideo));
  }
  std::vector<std::size_t> memory() const {
    std::vector<std::size_t> bytes;
    for (const pid_t pid : pids) bytes.push_back(resident_bytes(pid));
    return bytes;
  }
  boost::json::object stream_report(const std::string& name) const {
    const boost::json::object report = broker->request({{"command", "streams"}});
    for (const boost::json::value& stream : report.at("streams").as_array()) {
      if (stream.at("stream").as_string() == name) return stream.as_object();
    }
    return {};
  }

  std::unique_ptr<BrokerProcess> broker;
  std::unique_ptr<RtmpLoad> witness;
  std::vector<pid_t> pids;
  std::vector<std::size_t> rest;
};

TEST_F(RtmpHostile, HalfHandshakesAreEndedInTime) {
  std::deque<RtmpPeer> peers;
  const std::string hello = rtmp_hello_bytes();
  for (std::size_t i = 0; i < 200; ++i) {
    peers.emplace_back(broker->port()).send(hello.substr(0, 1 + i * 7));
  }
  // These greet, and go no further: without C2, or with half of it.
  for (std::size_t i = 0; i < 50; ++i) {
    RtmpPeer& half = peers.emplace_back(broker->port());
    ASSERT_TRUE(half.greet());
    half.send(std::string(i * 30, '2'));
  }
  expect_bounded();
  for (RtmpPeer& half : peers) EXPECT_TRUE(half.sees_end());
  const BrokerStatus status = broker->status();
  EXPECT_GE(status.sum([](const WorkerStatus& w) { return w.rejected.header; }), 250);
}

TEST_F(RtmpHostile, AWrongVersionIsRefusedAtOnce) {
  for (int version = 0; version < 256; ++version) {
    if (version == 3) continue;
    auto other = peer();
    other->send(std::string(1, static_cast<char>(version)));
    ASSERT_TRUE(other->sees_end()) << version;
  }
  const BrokerStatus status = broker->status();
  EXPECT_EQ(status.sum([](const WorkerStatus& w) { return w.rejected.input; }), 255);
}

TEST_F(RtmpHostile, RandomBytesAreRefusedWhereverTheyBegin) {
  std::mt19937 random(20240607);
  const auto noise = [&random](std::size_t size) {
    std::string bytes(size, '\0');
    for (char& byte : bytes) byte = static_cast<char>(random());
    return bytes;
  };
  std::deque<RtmpPeer> peers;
  for (int i = 0; i < 60; ++i) {
    peers.emplace_back(broker->port()).send("\3" + noise(1536 + 1536 + 70'000));
    RtmpPeer& greeted = peers.emplace_back(broker->port());
    ASSERT_TRUE(greeted.greet());
    greeted.send(noise(1536 + 70'000));
  }
  for (int i = 0; i < 30; ++i) {
    RtmpPeer& entered = peers.emplace_back(broker->port());
    ASSERT_TRUE(entered.enter_stream(kVhost));
    entered.send(noise(300'000));
    // What noise claims to be a long message is a message, as long as it goes on.
    ::shutdown(entered.fd(), SHUT_WR);
  }
  expect_bounded();
  for (RtmpPeer& noisy : peers) EXPECT_TRUE(noisy.sees_end());
  expect_served();
}

TEST_F(RtmpHostile, ClaimsOfLongMessagesTakeNoMemory) {
  std::deque<RtmpPeer> peers;
  const auto bomb = [](std::uint32_t count, std::uint32_t length) {
    std::string bytes;
    for (std::uint32_t id = 3; id < 3 + count; ++id) {
      bytes += chunk_header(id, length, MessageType::kVideo) + std::string(128, 'x');
    }
    return bytes;
  };
  for (int i = 0; i < 50; ++i) {
    for (const std::uint32_t length : {0xffffffU, 65'537U, 65'000U}) {
      RtmpPeer& before = peers.emplace_back(broker->port());
      ASSERT_TRUE(before.greet());
      before.send(std::string(1536, '2') + bomb(65, length));
      RtmpPeer& behind = peers.emplace_back(broker->port());
      ASSERT_TRUE(behind.enter_stream(kVhost));
      behind.send(bomb(65, length));
    }
  }
  expect_bounded();
  for (RtmpPeer& bomber : peers) EXPECT_TRUE(bomber.sees_end());
  expect_served();
}

TEST_F(RtmpHostile, APublishersPartialMessagesAreBoundedTogether) {
  auto bomber = guest();
  bomber->send(rtmp_command_bytes("publish", 3, 1, string_argument("bomb")));
  ASSERT_EQ(bomber->status(), "NetStream.Publish.Start");
  std::string bytes;
  rtmp::append_set_chunk_size(bytes, 4 * kMegabyte);
  bomber->send(bytes);
  const std::string quarter(4 * kMegabyte, 'x');
  for (std::uint32_t id = 3; id < 63 && !bomber->ended(); ++id) {
    bomber->send(chunk_header(id, 16 * kMegabyte - 1, MessageType::kVideo) + quarter);
  }
  EXPECT_TRUE(bomber->sees_end());
  expect_bounded(100 * kMegabyte);
  expect_served();
}

TEST_F(RtmpHostile, ChunkSizesAreTakenOrRefused) {
  const auto with_size = [this](std::uint32_t size) {
    auto made = guest();
    std::string bytes;
    rtmp::append_set_chunk_size(bytes, size);
    made->send(bytes);
    return made;
  };
  for (const std::uint32_t size : {0U, 0x80000000U, 0xffffffffU}) {
    EXPECT_TRUE(with_size(size)->sees_end()) << size;
  }
  for (const std::uint32_t size : {1U, 0x7fffffffU}) {
    auto odd = with_size(size);
    std::string command;
    amf0::write_string(command, "createStream");
    amf0::write_number(command, 9);
    amf0::write_null(command);
    std::string bytes;
    rtmp::append_message(bytes, {MessageType::kCommandAmf0, 3, 0, 0, command}, size);
    odd->send(bytes);
    EXPECT_TRUE(odd->next(MessageType::kCommandAmf0)) << size;
  }
  // A message of one byte a chunk, for as long as it goes.
  auto tiny = with_size(1);
  std::string bytes = chunk_header(7, 65'536, MessageType::kDataAmf0) + "x";
  for (int i = 1; i < 65'536; ++i) bytes += "\xc7x";
  for (int i = 0; i < 16; ++i) tiny->send(bytes);
  tiny->send(chunk_header(3, 4, MessageType::kUserControl).append("\0\xc3\6\xc3\0\xc3\0", 7));
  tiny.reset();
  expect_bounded();
  expect_served();
}

TEST_F(RtmpHostile, DeepAmfIsRefused) {
  const std::string deep = deep_amf(12'000);
  std::string connect = string_argument("connect") + number_argument(1) + deep;
  std::string bytes(1536, '2');
  rtmp::append_message(bytes, {MessageType::kCommandAmf0, 3, 0, 0, connect}, 128);
  auto before = peer();
  ASSERT_TRUE(before->greet());
  before->send(bytes);
  EXPECT_TRUE(before->sees_end());
  auto behind = guest();
  behind->send(rtmp_command_bytes("play", 3, 1, deep));
  EXPECT_TRUE(behind->sees_end());
  // A publisher's data is not read for more than its metadata.
  auto publisher = guest();
  publisher->send(rtmp_command_bytes("publish", 3, 1, string_argument("deep")));
  ASSERT_EQ(publisher->status(), "NetStream.Publish.Start");
  const std::string data = string_argument("onMetaData") + deep;
  std::string message;
  rtmp::append_message(message, {MessageType::kDataAmf0, 4, 1, 0, data}, 128);
  for (int i = 0; i < 20; ++i) publisher->send(message);
  publisher->send(rtmp_command_bytes("createStream", 4, 0));
  EXPECT_TRUE(publisher->next(MessageType::kCommandAmf0));
  expect_bounded();
}

TEST_F(RtmpHostile, AMillionChunkStreamsAreRefused) {
  std::deque<RtmpPeer> peers;
  std::string bytes;
  for (std::uint32_t id = 64; id < 65'600; ++id) {
    bytes += chunk_header(id, 1, MessageType::kVideo) + "x";
  }
  for (int i = 0; i < 16; ++i) {
    RtmpPeer& many = peers.emplace_back(broker->port());
    ASSERT_TRUE(many.enter_stream(kVhost));
    many.send(bytes);
  }
  expect_bounded();
  for (RtmpPeer& many : peers) EXPECT_TRUE(many.sees_end());
  expect_served();
}

TEST_F(RtmpHostile, AConnectThatNeverEndsIsEnded) {
  std::deque<RtmpPeer> slow;
  for (int i = 0; i < 20; ++i) {
    RtmpPeer& endless = slow.emplace_back(broker->port());
    ASSERT_TRUE(endless.greet());
    endless.send(std::string(1536, '2') + chunk_header(3, 60'000, MessageType::kCommandAmf0));
  }
  EXPECT_TRUE(eventually([&] {
    return std::all_of(slow.begin(), slow.end(), [](RtmpPeer& endless) {
      return endless.ended() || !endless.send_some("x");
    });
  }));
  // One that says other things first, over and over.
  auto talker = peer();
  ASSERT_TRUE(talker->greet());
  talker->send(std::string(1536, '2'));
  std::string chatter;
  rtmp::append_set_chunk_size(chatter, 4096);
  for (int i = 0; i < 5'000 && !talker->ended(); ++i) talker->send(chatter);
  EXPECT_TRUE(talker->sees_end());
  expect_bounded();
}

TEST_F(RtmpHostile, SlowlorisIsEndedHoweverItDripsOn) {
  std::deque<RtmpPeer> slow;
  for (int i = 0; i < 100; ++i) slow.emplace_back(broker->port());
  const std::string bytes = rtmp_hello_bytes();
  std::size_t sent = 0;
  EXPECT_TRUE(eventually([&] {
    std::size_t living = 0;
    for (RtmpPeer& drip : slow) {
      if (!drip.ended() && drip.send_some(bytes.substr(sent % bytes.size(), 1))) ++living;
    }
    ++sent;
    return living == 0;
  }));
  EXPECT_LT(sent, rtmp_hello_bytes().size()) << "it ended for the time, not for what it said";
  expect_bounded();
}

TEST_F(RtmpHostile, CommandsBeforeConnectAreRefused) {
  for (const char* name :
       {"createStream", "publish", "play", "releaseStream", "deleteStream", ""}) {
    auto hasty = peer();
    ASSERT_TRUE(hasty->greet());
    hasty->send(std::string(1536, '2') + rtmp_command_bytes(name, 1, 1, string_argument("s")));
    EXPECT_TRUE(hasty->sees_end()) << name;
  }
  auto media = peer();
  ASSERT_TRUE(media->greet());
  std::string bytes(1536, '2');
  rtmp::append_message(bytes, {MessageType::kVideo, 6, 1, 0, "\x17\1x"}, 128);
  media->send(bytes);
  EXPECT_TRUE(media->sees_end());
  auto twice = guest();
  twice->send(rtmp_connect_bytes(kVhost).substr(1536));
  EXPECT_TRUE(twice->sees_end());
}

TEST_F(RtmpHostile, MessagesThatBeginBeforeConnectAreFew) {
  std::string begun(1536, '2');
  for (std::uint32_t id = 10; id < 15; ++id) {
    begun += chunk_header(id, 200, MessageType::kDataAmf0) + std::string(128, 'x');
  }
  std::deque<RtmpPeer> peers;
  for (int i = 0; i < 16; ++i) {
    RtmpPeer& many = peers.emplace_back(broker->port());
    ASSERT_TRUE(many.greet());
    many.send(begun);
  }
  for (RtmpPeer& many : peers) EXPECT_TRUE(many.sees_end());
}

TEST_F(RtmpHostile, WhoWaitsForManyStreamsIsRefusedMore) {
  constexpr std::int64_t kStreams = 32;
  constexpr std::int64_t kMayWait = 16;
  const auto wait_for_all = [&](RtmpPeer& greedy, const std::string& name) {
    std::string bytes;
    for (std::uint32_t i = 1; i <= kStreams; ++i) {
      bytes += rtmp_command_bytes("createStream", i, 0) +
               rtmp_command_bytes("play", 0, i, string_argument(name + std::to_string(i)));
    }
    greedy.send(bytes);
    std::int64_t begun = 0;
    std::int64_t failed = 0;
    while (begun + failed < kStreams) {
      const std::string code = greedy.status();
      if (code.empty()) break;
      begun += code == "NetStream.Play.Start" ? 1 : 0;
      failed += code == "NetStream.Play.Failed" ? 1 : 0;
    }
    EXPECT_EQ(begun, kMayWait) << name;
    EXPECT_EQ(failed, kStreams - kMayWait) << name;
  };
  std::deque<RtmpPeer> peers;
  constexpr int kPeers = 4;
  for (int i = 0; i < kPeers; ++i) {
    RtmpPeer& greedy = peers.emplace_back(broker->port());
    ASSERT_TRUE(greedy.enter(kVhost));
    wait_for_all(greedy, std::to_string(i) + "-");
  }
  EXPECT_TRUE(eventually([&] {
    std::int64_t refused = 0;
    const boost::json::object report = broker->request({{"command", "status"}});
    for (const boost::json::value& worker : report.at("workers").as_array()) {
      refused += worker.at("refused").at("waiting").to_number<std::int64_t>();
    }
    return refused == kPeers * (kStreams - kMayWait);
  }));
  expect_bounded();
  expect_served();
}

TEST_F(RtmpHostile, MediaAndEndsOfNoStreamAreIgnored) {
  auto stray = guest();
  std::string bytes;
  rtmp::append_message(bytes, {MessageType::kVideo, 6, 77, 0, "\x17\1x"}, 128);
  rtmp::append_message(bytes, {MessageType::kAudio, 4, 1, 0, "\xaf\1x"}, 128);
  for (double id : {0.0, 77.0, -1.0, 1e300}) {
    bytes += rtmp_command_bytes("deleteStream", 0, 0, number_argument(id));
  }
  stray->send(bytes + rtmp_command_bytes("createStream", 4, 0));
  EXPECT_TRUE(stray->next(MessageType::kCommandAmf0));
}

TEST_F(RtmpHostile, HundredsOfStreamsOnOneConnectionLeaveNothing) {
  auto busy = peer();
  ASSERT_TRUE(busy->enter(kVhost));
  constexpr int kRounds = 200;  // so many commands are soon taken, as MessagePace has it
  for (int i = 1; i <= kRounds; ++i) {
    busy->send(rtmp_command_bytes("createStream", i, 0) +
               rtmp_command_bytes("play", 0, static_cast<std::uint32_t>(i),
                                  string_argument(i % 2 == 0 ? "s" : "x" + std::to_string(i))) +
               rtmp_command_bytes("deleteStream", 0, 0, number_argument(i)));
    if (i % 100 == 0) {
      ASSERT_FALSE(busy->ended()) << i;
    }
  }
  expect_bounded();
  for (int i = 0; i < 40; ++i) busy->send(rtmp_command_bytes("createStream", 77, 0));
  int refused = 0;
  for (std::string code; refused < 8 && !(code = busy->status()).empty();) {
    if (code == "NetConnection.Call.Failed") ++refused;
  }
  EXPECT_EQ(refused, 8) << "32 at once, not more";
  const boost::json::object report = broker->request({{"command", "streams"}});
  EXPECT_EQ(report.at("streams").as_array().size(), 1U) << "the witness's";
}

TEST_F(RtmpHostile, PingsWithoutReadingTheAnswersEndInTime) {
  std::string ping;
  rtmp::append_user_control(ping, 6, 7);
  std::string flood;
  for (int i = 0; i < 1'000; ++i) flood += ping;
  std::deque<RtmpPeer> peers;
  const int small = 4096;
  for (const std::string name : {"", "nobody", "s"}) {  // does nothing, waits, plays
    RtmpPeer& deaf = peers.emplace_back(broker->port());
    ASSERT_TRUE(deaf.enter_stream(kVhost));
    ::setsockopt(deaf.fd(), SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
    if (!name.empty()) deaf.send(rtmp_command_bytes("play", 3, 1, string_argument(name)));
  }
  EXPECT_TRUE(eventually([&] {
    for (RtmpPeer& deaf : peers) {
      for (int i = 0; i < 20; ++i) deaf.send_some(flood);
    }
    return broker->status().sum([](const WorkerStatus& w) { return w.closed.slow; }) == 3;
  }));
  expect_bounded();
  expect_served();
}

TEST_F(RtmpHostile, AFloodForPlayersThatDoNotReadIsBoundedInBytes) {
  auto flood = guest();
  flood->send(rtmp_command_bytes("publish", 3, 1, string_argument("flood")));
  ASSERT_EQ(flood->status(), "NetStream.Publish.Start");
  std::string bytes;
  rtmp::append_set_chunk_size(bytes, 4 * kMegabyte);
  rtmp::append_message(bytes, {MessageType::kVideo, 6, 1, 0, "\x17\1..."}, 4 * kMegabyte);
  flood->send(bytes);
  std::deque<RtmpPeer> deaf;
  for (int i = 0; i < 3; ++i) {
    RtmpPeer& player = deaf.emplace_back(broker->port());
    ASSERT_TRUE(player.enter_stream(kVhost));
    player.send(rtmp_command_bytes("play", 3, 1, string_argument("flood")));
    ASSERT_TRUE(player.next(MessageType::kVideo));
  }
  const std::string frame = "\x27\1" + std::string(kMegabyte, 'f');
  std::size_t most = 0;
  for (std::uint32_t i = 1; i <= 400; ++i) {
    bytes.clear();
    rtmp::append_message(bytes, {MessageType::kVideo, 6, 1, i, frame}, 4 * kMegabyte);
    flood->send(bytes);
    most = std::max(most, memory()[0]);
  }
  const std::size_t kept = slow_factor() > 1 ? 600 * kMegabyte : 0;
  EXPECT_LT(most, rest[0] + 100 * kMegabyte + kept) << "of 400 MB";
  EXPECT_TRUE(eventually([&] { return stream_report("flood").at("players").as_int64() == 0; }));
  // Nor by many messages that are hardly there: of each of these as many as may come at once.
  constexpr std::uint32_t kAtOnce = 50;
  constexpr std::uint32_t kTogether = 1'000;
  std::vector<std::unique_ptr<RtmpPeer>> others;
  for (int i = 0; i < 8; ++i) {
    others.push_back(guest());
    others.back()->send(
        rtmp_command_bytes("publish", 3, 1, string_argument("flood" + std::to_string(i))));
    ASSERT_EQ(others.back()->status(), "NetStream.Publish.Start");
    bytes.clear();
    rtmp::append_set_chunk_size(bytes, 4 * kMegabyte);
    others.back()->send(bytes);
  }
  bytes.clear();
  for (std::uint32_t i = 0; i < kTogether; ++i) {
    rtmp::append_message(bytes, {MessageType::kAudio, 4, 1, i, "\xaf"}, 4 * kMegabyte);
  }
  const std::size_t before = memory()[0];
  for (std::uint32_t round = 0; round < kAtOnce; ++round) {
    for (const auto& other : others) other->send(bytes);
  }
  EXPECT_LT(memory()[0], before + 32 * kMegabyte + kept) << "80 bytes for each";
  expect_bounded(160 * kMegabyte);
}

TEST_F(RtmpHostile, APlayerThatNeverReadsIsCutAndCounted) {
  RtmpLoad fat(broker->folder(), broker->port(),
               {"--publish", "--play", "--clients", "2", "--vhost", kVhost, "--stream", "fat",
                "--bitrate", "20Mbit", "--gop", "500ms"});
  ASSERT_TRUE(fat.settled());
  const int small = 4096;
  std::deque<RtmpPeer> peers;
  for (int i = 0; i < 5; ++i) {
    RtmpPeer& deaf = peers.emplace_back(broker->port());
    ASSERT_TRUE(deaf.enter_stream(kVhost));
    ::setsockopt(deaf.fd(), SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
    deaf.send(rtmp_command_bytes("play", 3, 1, string_argument("fat")));
  }
  EXPECT_TRUE(eventually([&] { return stream_report("fat").at("players").as_int64() == 2; }));
  expect_bounded(64 * kMegabyte);
  const boost::json::object report = stream_report("fat");
  EXPECT_GT(report.at("drops").as_int64(), 0);
  EXPECT_EQ(report.at("cut").as_int64(), 5) << "by their queue, or by the send time limit";
  fat.stop();
  EXPECT_EQ(fat.complaint(), "");
}

TEST(RtmpPieces, AConnectMayComeByteByByteInChunksOfOne) {
  BrokerSetup setup;
  setup.config =
      "workers = 2\nheader-timeout = 60s\n"
      "[listener rtmp]\nlisten = 127.0.0.1:PORT\nprotocol = rtmp\nhandler = relay\n";
  BrokerProcess broker(setup);
  RtmpPeer slow(broker.port());
  const int on = 1;
  ASSERT_EQ(::setsockopt(slow.fd(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on), 0);
  ASSERT_TRUE(slow.greet());
  slow.send(std::string(1536, '2'));
  std::string bytes;
  rtmp::append_set_chunk_size(bytes, 1);
  rtmp::append_connect(bytes, "live", std::string("rtmp://") + kVhost + "/live", 1);
  for (const char byte : bytes) slow.send({&byte, 1});
  EXPECT_TRUE(slow.next(MessageType::kCommandAmf0));
}

}  // namespace
}  // namespace mpb::test
