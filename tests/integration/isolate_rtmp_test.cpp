// isolate = key with RTMP: vhosts stream from processes of their own. ffmpeg publishes and plays.
#include <gtest/gtest.h>

#include <csignal>
#include <map>
#include <memory>
#include <string>

#include "tests/integration/harness/broker_process.hpp"
#include "tests/integration/harness/media.hpp"
#include "tests/integration/harness/processes.hpp"

namespace mpb::test {
namespace {

class IsolateRtmp : public testing::Test {
 protected:
  void start(const std::string& more) {
    BrokerSetup setup;
    setup.config =
        "workers = 2\nmax-workers = 8\nkey-linger = 200ms\n"
        "[listener rtmp]\nlisten = 127.0.0.1:PORT\nprotocol = rtmp\nisolate = key\n" +
        more;
    broker = std::make_unique<BrokerProcess>(setup);
  }
  [[nodiscard]] std::string url(const std::string& vhost) const {
    return "rtmp://127.0.0.1:" + std::to_string(broker->port()) + "/live?vhost=" + vhost + "/s";
  }
  std::unique_ptr<Publisher> publish(const std::string& vhost, const std::string& clip) {
    return std::make_unique<Publisher>(folder, url(vhost), clip);
  }
  std::unique_ptr<Recorder> record(const std::string& vhost, int seconds) {
    return std::make_unique<Recorder>(folder, url(vhost), seconds);
  }
  /// Processes by the key that they serve.
  [[nodiscard]] std::map<std::string, WorkerStatus> cells() const {
    std::map<std::string, WorkerStatus> found;
    for (const WorkerStatus& cell : broker->status().of_role("cell")) found[cell.key] = cell;
    return found;
  }
  bool await_clients(const std::string& vhost, std::int64_t count) const {
    return eventually([&] {
      const auto now = cells();
      return now.contains(vhost) && now.at(vhost).clients == count;
    });
  }

  TempFolder folder;
  std::unique_ptr<BrokerProcess> broker;
};

TEST_F(IsolateRtmp, VhostsStreamFromTwoProcessesAndTheEndOfOneIsNoneOfTheOthers) {
  start("");
  const std::string red = make_clip(folder, Tint::kRed);
  const std::string green = make_clip(folder, Tint::kGreen);
  auto publisher_a = publish("a.test", red);
  auto publisher_b = publish("b.test", green);
  ASSERT_TRUE(await_clients("a.test", 1)) << broker->log();
  ASSERT_TRUE(await_clients("b.test", 1)) << broker->log();
  auto player_a = record("a.test", 30);
  auto player_b = record("b.test", 6);
  ASSERT_TRUE(await_clients("a.test", 2));
  ASSERT_TRUE(await_clients("b.test", 2));
  ASSERT_TRUE(eventually([&] { return player_a->has(50'000) && player_b->has(50'000); }));
  const pid_t a = cells().at("a.test").pid;
  const pid_t b = cells().at("b.test").pid;
  EXPECT_NE(a, b);
  ::kill(a, SIGKILL);
  ASSERT_TRUE(player_b->finished()) << player_b->log();
  EXPECT_EQ(difference(folder, green, player_b->file()), "") << "without a gap";
  EXPECT_EQ(cells().at("b.test").pid, b);

  auto again = publish("a.test", red);
  ASSERT_TRUE(await_clients("a.test", 1));
  EXPECT_NE(cells().at("a.test").pid, a);
  auto player = record("a.test", 2);
  ASSERT_TRUE(player->finished()) << player->log();
  EXPECT_EQ(difference(folder, red, player->file()), "");
}

TEST_F(IsolateRtmp, AppsOfOneVhostStreamFromTwoProcesses) {
  start("key = vhost/app\n[vhost a.test]\nnofile = 300\n");
  const std::string red = make_clip(folder, Tint::kRed);
  const std::string green = make_clip(folder, Tint::kGreen);
  const auto url_of = [this](const std::string& app) {
    return "rtmp://127.0.0.1:" + std::to_string(broker->port()) + "/" + app + "?vhost=a.test/s";
  };
  Publisher publisher_a(folder, url_of("one"), red);
  Publisher publisher_b(folder, url_of("two"), green);
  ASSERT_TRUE(await_clients("a.test/one", 1)) << broker->log();
  ASSERT_TRUE(await_clients("a.test/two", 1)) << broker->log();
  Recorder player_a(folder, url_of("one"), 2);
  Recorder player_b(folder, url_of("two"), 6);
  ASSERT_TRUE(player_a.finished()) << player_a.log();
  EXPECT_EQ(difference(folder, red, player_a.file()), "");
  const pid_t one = cells().at("a.test/one").pid;
  const pid_t two = cells().at("a.test/two").pid;
  EXPECT_NE(one, two);
  for (const pid_t pid : {one, two}) {
    const std::string limits = read_file("/proc/" + std::to_string(pid) + "/limits");
    EXPECT_NE(limits.find("Max open files            300 "), std::string::npos)
        << "as the vhost says: " << limits;
  }
  ::kill(one, SIGKILL);
  ASSERT_TRUE(player_b.finished()) << player_b.log();
  EXPECT_EQ(difference(folder, green, player_b.file()), "") << "without a gap";
}

TEST_F(IsolateRtmp, AVhostThatIsForwardedHasAProcessOfItsOwn) {
  BrokerSetup origin;
  origin.config = "[listener rtmp]\nlisten = 127.0.0.1:PORT\nprotocol = rtmp\n";
  const BrokerProcess upstream(origin);
  start(
      "handler = forward\n[vhost a.test]\nupstream = 127.0.0.1:" + std::to_string(upstream.port()) +
      "\n[vhost b.test]\nupstream = 127.0.0.1:" + std::to_string(upstream.port()) + "\n");
  const std::string clip = make_clip(folder, Tint::kBlue);
  auto publisher = publish("a.test", clip);
  ASSERT_TRUE(await_clients("a.test", 1)) << broker->log();
  auto player = record("a.test", 2);
  auto other = publish("b.test", clip);
  ASSERT_TRUE(await_clients("b.test", 1)) << broker->log();
  ASSERT_TRUE(player->finished()) << player->log();
  EXPECT_EQ(difference(folder, clip, player->file()), "");
  EXPECT_NE(cells().at("a.test").pid, cells().at("b.test").pid);
}

}  // namespace
}  // namespace mpb::test
