// Many players of a stream, slow ones beside fast ones, and what befalls a worker meanwhile: no
// player misses a frame. Measured by mprtmp, whose publisher numbers its frames.
#include "tests/integration/harness/rtmp_load.hpp"

#include <gtest/gtest.h>
#include <sys/socket.h>

#include <csignal>
#include <memory>
#include <string>
#include <vector>

#include <boost/json/array.hpp>
#include <boost/json/serialize.hpp>

#include "proto/rtmp/command.hpp"
#include "tests/integration/harness/broker_process.hpp"
#include "tests/integration/harness/media.hpp"
#include "tests/integration/harness/rtmp_peer.hpp"

namespace mpb::test {
namespace {

using Arguments = std::vector<std::string>;

Arguments publish_and_play(const std::string& vhost, int players, const Arguments& more = {}) {
  Arguments all{"--publish", "--play", "--clients", std::to_string(players), "--vhost", vhost};
  all.insert(all.end(), more.begin(), more.end());
  return all;
}

class RtmpLoaded : public testing::Test {
 protected:
  /// a.test lives in worker 0, b.test in worker 1.
  void start(const std::string& vhosts = {}) {
    BrokerSetup setup;
    setup.config =
        "workers = 2\nping-interval = 200ms\nsend-timeout = 60s\n"
        "[listener rtmp]\nlisten = 127.0.0.1:PORT\nprotocol = rtmp\nhandler = relay\n"
        "route = a.test=0\nroute = b.test=1\n" +
        vhosts;
    broker = std::make_unique<BrokerProcess>(setup);
  }
  std::unique_ptr<RtmpLoad> load(const Arguments& arguments) const {
    return std::make_unique<RtmpLoad>(broker->folder(), broker->port(), arguments);
  }
  boost::json::array streams() const {
    return broker->request({{"command", "streams"}}).at("streams").as_array();
  }
  Outcome mpctl(Arguments arguments) const {
    arguments.insert(arguments.begin(), {"--control-socket", broker->control_path()});
    return run("mpctl", arguments);
  }
  /// Less than any time that one who is held up by others would have to wait here.
  static Duration longest_allowed() { return 10s * slow_factor(); }

  std::unique_ptr<BrokerProcess> broker;
};

class RtmpCrowd : public RtmpLoaded {};

TEST_F(RtmpCrowd, AThousandPlayersMissNothing) {
  start();
  const int players = 1'000 / slow_factor();
  // A bitrate that a test machine can give to all of them and still count.
  const auto crowd = load(publish_and_play(
      "a.test", players, {"--bitrate", "200kbit", "--audio", "32kbit", "--gop", "1s"}));
  ASSERT_TRUE(crowd->settled(60s));
  const BrokerStatus full = broker->status();
  EXPECT_EQ(full.worker(0).held, players + 1) << "all are where the stream is";
  EXPECT_GT(full.worker(1).accepted, 0);
  EXPECT_GT(full.worker(1).handoffs.out, 0) << "also those that the other worker accepted";
  const boost::json::array listed = streams();
  ASSERT_EQ(listed.size(), 1U);
  EXPECT_EQ(listed[0].at("players").as_int64(), players);
  // Some seconds of it: until every player must have had two more key frames.
  const std::int64_t age = listed[0].at("age_s").as_int64();
  ASSERT_TRUE(eventually([&] { return streams()[0].at("age_s").as_int64() >= age + 3; }, 60s));
  EXPECT_EQ(streams()[0].at("drops").as_int64(), 0);
  crowd->stop();
  EXPECT_EQ(crowd->complaint(), "");
  EXPECT_EQ(crowd->number("players.served"), players);
  EXPECT_TRUE(broker->await_held(0));
}

TEST_F(RtmpLoaded, ASlowPlayerDelaysNoOther) {
  start("[vhost *.test]\nqueue = 1s\n");
  const auto fast = load(publish_and_play("a.test", 20, {"--bitrate", "8Mbit", "--gop", "500ms"}));
  ASSERT_TRUE(fast->settled());
  // They read a little now and then: too little.
  std::vector<std::unique_ptr<RtmpPeer>> slow;
  const int small = 4096;
  for (int i = 0; i < 5; ++i) {
    slow.push_back(std::make_unique<RtmpPeer>(broker->port()));
    ASSERT_TRUE(slow.back()->enter_stream("a.test"));
    ::setsockopt(slow.back()->fd(), SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
    std::string name;
    amf0::write_string(name, "s");
    slow.back()->send(rtmp_command_bytes("play", 3, 1, name));
  }
  std::string sip(16'384, '\0');
  EXPECT_TRUE(eventually(
      [&] {
        for (const auto& player : slow) ::recv(player->fd(), sip.data(), sip.size(), MSG_DONTWAIT);
        return streams()[0].at("drops").as_int64() > 0;
      },
      60s));
  EXPECT_EQ(broker->status().sum([](const WorkerStatus& w) { return w.closed.slow; }),
            streams()[0].at("cut").as_int64());
  fast->stop();
  EXPECT_EQ(fast->complaint(), "");
  EXPECT_LT(fast->longest_pause(), longest_allowed());
}

TEST_F(RtmpLoaded, PlayersThatWereDroppedGoOnFromAKeyFrameInTheirOwnTime) {
  start("[vhost *.test]\nqueue = 3s\n");
  const auto fast = load(publish_and_play("a.test", 1, {"--bitrate", "8Mbit", "--gop", "500ms"}));
  ASSERT_TRUE(fast->settled());
  const auto held_up = load({"--play", "--clients", "3", "--vhost", "a.test"});
  ASSERT_TRUE(held_up->settled());
  held_up->signal(SIGSTOP);
  EXPECT_TRUE(eventually([&] { return streams()[0].at("drops").as_int64() > 0; }, 60s));
  held_up->signal(SIGCONT);
  const std::int64_t age = streams()[0].at("age_s").as_int64();
  ASSERT_TRUE(eventually([&] { return streams()[0].at("age_s").as_int64() >= age + 3; }));
  held_up->stop();
  EXPECT_EQ(held_up->number("players.served"), 3);
  EXPECT_GT(held_up->number("video.lost"), 0);
  for (const char* path : {"video.duplicated", "video.out_of_order", "audio.duplicated",
                           "backward_timestamps", "began_without_key"}) {
    EXPECT_EQ(held_up->number(path), 0) << path;
  }
  fast->stop();
  EXPECT_EQ(fast->complaint(), "");
}

TEST_F(RtmpLoaded, AKilledWorkerLeavesNoGapInOtherVhosts) {
  start();
  const auto lost = load(publish_and_play("b.test", 20));
  const auto kept = load(publish_and_play("a.test", 20));
  ASSERT_TRUE(lost->settled());
  ASSERT_TRUE(kept->settled());
  for (int i = 0; i < 3; ++i) {
    const pid_t victim = broker->worker_pid(1);
    ::kill(victim, SIGKILL);
    ASSERT_TRUE(eventually([&] {
      const WorkerStatus worker = broker->worker(1);
      return worker.state == "online" && worker.pid != victim;
    }));
    // Its vhost is served again, by the replacement.
    const auto again = load(publish_and_play("b.test", 2));
    EXPECT_TRUE(again->settled());
    again->stop();
    EXPECT_EQ(again->complaint(), "");
  }
  kept->stop();
  EXPECT_EQ(kept->complaint(), "");
  EXPECT_LT(kept->longest_pause(), longest_allowed());
  lost->stop();
  EXPECT_EQ(lost->number("players.lost"), 20);
}

TEST_F(RtmpLoaded, ReloadsWithLiveStreamsSilenceNobody) {
  const std::string config =
      "workers = 2\nping-interval = 200ms\n"
      "[listener rtmp]\nlisten = 127.0.0.1:PORT\nprotocol = rtmp\nhandler = relay\n";
  BrokerSetup setup;
  setup.config = config;
  broker = std::make_unique<BrokerProcess>(setup);
  const auto live = load({"--publish", "--play", "--clients", "20", "--vhosts", "4"});
  ASSERT_TRUE(live->settled());
  const std::string port = std::to_string(broker->port());
  std::string there = config;
  there.replace(there.find("PORT"), 4, port);
  for (const std::string vhosts :
       {"[vhost *.test]\nlatency = merge:100ms\n", "[vhost *.test]\ngop-cache = no\nqueue = 2s\n",
        "[vhost v0.test]\n[vhost v1.test]\n[vhost *.test]\njitter = off\n", "",
        "[vhost *.test]\nlatency = realtime\nmax-players = 1000\n"}) {
    broker->write_config(there + vhosts);
    const boost::json::object answer = broker->request({{"command", "reload"}});
    ASSERT_TRUE(answer.at("ok").as_bool()) << boost::json::serialize(answer);
    // Newcomers are served under the settings of then.
    const auto newcomers =
        load({"--publish", "--play", "--clients", "4", "--vhosts", "2", "--stream", "new"});
    EXPECT_TRUE(newcomers->settled()) << vhosts;
    newcomers->stop();
    EXPECT_EQ(newcomers->complaint(), "") << vhosts;
  }
  live->stop();
  EXPECT_EQ(live->complaint(), "");
  EXPECT_LT(live->longest_pause(), longest_allowed());
}

TEST_F(RtmpLoaded, StreamsAreListedAndKickedByTheOperator) {
  start();
  const TempFolder& folder = broker->folder();
  const std::string clip = make_clip(folder, Tint::kGreen, 2);
  const std::string address = "rtmp://127.0.0.1:" + std::to_string(broker->port()) + "/live";
  Publisher first(folder, address + "?vhost=a.test/s", clip);
  Publisher second(folder, address + "?vhost=b.test/s", clip);
  Recorder player(folder, address + "?vhost=a.test/s", 60);
  const auto find = [&](const std::string& vhost) {
    for (const boost::json::value& stream : streams()) {
      if (stream.at("vhost").as_string() == vhost) return stream.as_object();
    }
    return boost::json::object{};
  };
  ASSERT_TRUE(eventually([&] {
    const auto a = find("a.test");
    return !find("b.test").empty() && !a.empty() && a.at("players").as_int64() == 1 &&
           a.at("kbps_in").to_number<double>() > 0 && a.at("kbps_out").to_number<double>() > 0;
  }));
  const boost::json::object a = find("a.test");
  EXPECT_EQ(a.at("app").as_string(), "live");
  EXPECT_EQ(a.at("stream").as_string(), "s");
  EXPECT_EQ(a.at("video").as_string(), "avc1");
  EXPECT_EQ(a.at("audio").as_string(), "mp4a");
  EXPECT_EQ(a.at("width").as_int64(), 192);
  EXPECT_EQ(a.at("height").as_int64(), 144);
  EXPECT_EQ(a.at("fps").to_number<double>(), 25);
  EXPECT_EQ(a.at("slot").as_int64(), 0);
  EXPECT_EQ(find("b.test").at("slot").as_int64(), 1);
  EXPECT_TRUE(a.at("publisher").as_string().starts_with("127.0.0.1:"));
  const Outcome table = mpctl({"streams"});
  for (const char* part : {"a.test", "b.test", "192x144", "avc1+mp4a", "2 streams, 1 players"}) {
    EXPECT_NE(table.out.find(part), std::string::npos) << part << "\n" << table.out;
  }
  ASSERT_TRUE(eventually([&] { return player.has(1); }));

  const Outcome kicked = mpctl({"kick", "a.test/live/s"});
  EXPECT_EQ(kicked.exit, "exit 0") << kicked.err;
  EXPECT_NE(first.process().wait_exit(kPatience), "running");
  EXPECT_NE(player.process().wait_exit(kPatience), "running");
  EXPECT_TRUE(find("a.test").empty());
  EXPECT_TRUE(second.process().running()) << second.log();
  EXPECT_FALSE(find("b.test").empty());
  EXPECT_EQ(mpctl({"kick", "a.test/live/s"}).exit, "exit 1") << "nobody is there";
  // The name is free again.
  const auto after = load({"--publish", "--play", "--clients", "1", "--vhost", "a.test"});
  EXPECT_TRUE(after->settled());
  after->stop();
  EXPECT_EQ(after->complaint(), "");
}

}  // namespace
}  // namespace mpb::test
