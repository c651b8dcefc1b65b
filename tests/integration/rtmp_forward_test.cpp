// Forwarding with real programs: ffmpeg publishes and plays through mpbroker, nginx serves.
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include <boost/json/array.hpp>

#include "tests/integration/harness/broker_process.hpp"
#include "tests/integration/harness/media.hpp"
#include "tests/integration/harness/nginx_rtmp.hpp"

namespace mpb::test {
namespace {

class RtmpForward : public testing::Test {
 protected:
  /// Two workers that forward a.test as the lines of its section say; `general`: lines before all
  /// sections.
  void start(const std::string& section, const std::string& general = {}) {
    BrokerSetup setup;
    setup.config = general +
                   "workers = 2\n"
                   "[listener rtmp]\nlisten = 127.0.0.1:PORT\nprotocol = rtmp\nhandler = forward\n"
                   "[vhost a.test]\n" +
                   section;
    broker = std::make_unique<BrokerProcess>(setup);
  }
  [[nodiscard]] std::string url(const std::string& stream = "s") const {
    return "rtmp://127.0.0.1:" + std::to_string(broker->port()) + "/live?vhost=a.test/" + stream;
  }
  /// A publisher that has sent pictures: nginx tells players that come earlier no headers, so that
  /// ffmpeg may make nothing of what comes.
  [[nodiscard]] std::unique_ptr<Publisher> publish() const {
    auto publisher = std::make_unique<Publisher>(folder, url(), clip);
    EXPECT_TRUE(eventually([&] { return publisher->log().find("frame=") != std::string::npos; }))
        << publisher->log();
    return publisher;
  }
  /// What nginx calls the stream: it takes the parameters off the application's name.
  static std::string url_at(const NginxRtmp& nginx) {
    return "rtmp://" + nginx.address() + "/live/s";
  }
  void expect_clip(Recorder& recorder) const {
    ASSERT_TRUE(recorder.finished()) << recorder.log();
    EXPECT_EQ(difference(folder, clip, recorder.file()), "");
    EXPECT_TRUE(begins_with(folder, recorder.file(), Tint::kGreen)) << recorder.file();
  }
  /// Whether ffmpeg is told that nobody serves it.
  [[nodiscard]] bool is_refused_with(const std::string& text) const {
    Recorder player(folder, url(), 1);
    return player.process().wait_exit(kPatience) != "running" &&
           player.log().find(text) != std::string::npos;
  }

  [[nodiscard]] boost::json::array upstreams() const {
    return broker->request({{"command", "upstreams"}}).at("upstreams").as_array();
  }

  TempFolder folder;
  std::string clip = make_clip(folder, Tint::kGreen);
  std::unique_ptr<BrokerProcess> broker;
};

TEST_F(RtmpForward, PublishersAndPlayersMeetAtTheUpstreamAndLoseNothing) {
  const NginxRtmp nginx;
  start("upstream = " + nginx.address() + "\n");
  const auto publisher = publish();
  Recorder direct(folder, url_at(nginx), 2);
  Recorder forwarded(folder, url(), 2);
  Recorder other_program(folder, url(), 2, Recorder::Program::kRtmpdump);
  expect_clip(direct);
  expect_clip(forwarded);
  ASSERT_TRUE(other_program.finished()) << other_program.log();
  EXPECT_TRUE(begins_with(folder, other_program.file(), Tint::kGreen));
}

TEST_F(RtmpForward, AStoppedUpstreamIsSaidToClientsAndUsedAgainWhenItIsBack) {
  auto nginx = std::make_unique<NginxRtmp>();
  const std::uint16_t port = nginx->port();
  start("upstream = " + nginx->address() + "\nupstream-fails = 1\nupstream-pause = 100ms\n",
        "key-linger = 1m\n");  // one worker sees all of it
  {
    const auto publisher = publish();
    Recorder player(folder, url(), 1);
    expect_clip(player);
    nginx->stop();
    EXPECT_NE(publisher->process().wait_exit(kPatience), "running") << publisher->log();
  }
  EXPECT_TRUE(broker->await_held(0));
  EXPECT_TRUE(is_refused_with("No upstream server of vhost a.test answers"));
  EXPECT_NE(broker->log().find("event=upstream.out"), std::string::npos);
  nginx = std::make_unique<NginxRtmp>(port);
  ASSERT_TRUE(eventually([&] { return !upstreams().at(0).at("out").as_bool(); }));
  const auto publisher = publish();
  Recorder player(folder, url(), 1);
  expect_clip(player);
  EXPECT_NE(broker->log().find("event=upstream.back"), std::string::npos);
}

TEST_F(RtmpForward, AnotherUpstreamTakesOverBeforeTheClientNotices) {
  const NginxRtmp nginx;
  start("upstream = 127.0.0.1:" + std::to_string(free_port()) + "\nupstream = " + nginx.address() +
        " backup\n");
  for (int i = 0; i < 5; ++i) {
    const auto publisher = publish();
    Recorder player(folder, url(), 1);
    expect_clip(player);
  }
}

TEST_F(RtmpForward, AnotherMpbrokerServesBehindTheProxyProtocol) {
  BrokerSetup setup;
  setup.config =
      "workers = 2\n"
      "[listener rtmp]\nlisten = 127.0.0.1:PORT\nprotocol = rtmp\nhandler = relay\n"
      "prefix = proxy\nprefix-from = 127.0.0.1\n";
  const BrokerProcess relay(setup);
  start("upstream = 127.0.0.1:" + std::to_string(relay.port()) + "\nupstream-prefix = proxy-v2\n");
  const auto publisher = publish();
  for (int i = 0; i < 3; ++i) {
    Recorder player(folder, url(), 1);
    expect_clip(player);
  }
}

TEST_F(RtmpForward, WhereBothSidesAreSilentTheClientIsClosedAndOthersStay) {
  const NginxRtmp nginx;
  start("upstream = " + nginx.address() + "\n", "idle-timeout = 3s\n");
  const auto closed = [this] {
    return broker->status().sum([](const WorkerStatus& worker) { return worker.closed.idle; });
  };
  const auto publisher = publish();
  Recorder waits(folder, url("nobody"), 1);
  Recorder player(folder, url(), 3);
  EXPECT_TRUE(eventually([&] { return closed() == 1; }));
  EXPECT_NE(waits.process().wait_exit(kPatience), "running");
  expect_clip(player);
  EXPECT_EQ(closed(), 1);
}

TEST_F(RtmpForward, TheOperatorSeesHowTheUpstreamsAre) {
  const NginxRtmp nginx;
  const std::string dead = "127.0.0.1:" + std::to_string(free_port());
  start("upstream = " + dead + "\nupstream = " + nginx.address() +
            " backup\nupstream-fails = 1\n"
            "upstream-pause = 5m\n",
        "key-linger = 1m\n");
  const auto publisher = publish();
  Recorder player(folder, url(), 1);
  expect_clip(player);
  EXPECT_TRUE(broker->await_held(1));
  const boost::json::object report = broker->request({{"command", "upstreams"}});
  EXPECT_EQ(report.at("clients").as_int64(), 1);
  EXPECT_EQ(report.at("unserved").as_int64(), 0);
  const boost::json::array& upstreams = report.at("upstreams").as_array();
  ASSERT_EQ(upstreams.size(), 2U);
  for (const boost::json::value& upstream : upstreams) {
    const bool serves = upstream.at("address").as_string() == nginx.address();
    EXPECT_EQ(upstream.at("vhost").as_string(), "a.test");
    EXPECT_EQ(upstream.at("backup").as_bool(), serves);
    EXPECT_EQ(upstream.at("out").as_bool(), !serves);
    EXPECT_EQ(upstream.at("clients").as_int64(), serves ? 1 : 0);
    EXPECT_EQ(upstream.at("served").as_int64(), serves ? 2 : 0);
    EXPECT_EQ(upstream.at("failed").as_int64() > 0, !serves);
  }
  const Outcome table = run("mpctl", {"--control-socket", broker->control_path(), "upstreams"});
  EXPECT_EQ(table.exit, "exit 0") << table.err;
  for (const std::string& part :
       {dead, nginx.address(), std::string("backup"), std::string("1 clients; 0 could not")}) {
    EXPECT_NE(table.out.find(part), std::string::npos) << part << "\n" << table.out;
  }
}

TEST_F(RtmpForward, OnePortRelaysOneVhostAndForwardsAnother) {
  const NginxRtmp nginx;
  for (const bool by_default : {false, true}) {
    BrokerSetup setup;
    setup.config = std::string("workers = 3\n[listener rtmp]\nlisten = 127.0.0.1:PORT\n") +
                   "protocol = rtmp\nhandler = " + (by_default ? "forward" : "relay") +
                   "\n[vhost a.test]\nupstream = " + nginx.address() + "\n" +
                   (by_default ? "" : "handler = forward\n") + "[vhost b.test]\n" +
                   (by_default ? "handler = relay\n" : "");
    broker = std::make_unique<BrokerProcess>(setup);
    const std::string relayed =
        "rtmp://127.0.0.1:" + std::to_string(broker->port()) + "/live?vhost=b.test/s";
    const std::string red = make_clip(folder, Tint::kRed);
    const auto forwarded_publisher = publish();
    Publisher relayed_publisher(folder, relayed, red);
    Recorder forwarded(folder, url(), 1);
    Recorder direct(folder, url_at(nginx), 1);
    Recorder here(folder, relayed, 1);
    expect_clip(forwarded);
    expect_clip(direct);
    ASSERT_TRUE(here.finished()) << here.log();
    EXPECT_TRUE(begins_with(folder, here.file(), Tint::kRed));
    const auto streams = broker->request({{"command", "streams"}}).at("streams").as_array();
    ASSERT_EQ(streams.size(), 1U);
    EXPECT_EQ(streams.at(0).at("vhost").as_string(), "b.test");
    EXPECT_EQ(broker->request({{"command", "upstreams"}}).at("clients").as_int64(), 1);
  }
}

TEST_F(RtmpForward, AnotherHandlerHoldsForNewClients) {
  const NginxRtmp nginx;
  BrokerSetup setup;
  setup.config =
      "workers = 2\n[listener rtmp]\nlisten = 127.0.0.1:PORT\nprotocol = rtmp\n[vhost a.test]\n";
  broker = std::make_unique<BrokerProcess>(setup);
  Publisher stays(folder, url("first"), clip);
  Recorder before(folder, url("first"), 1);
  expect_clip(before);
  const auto set = [this](std::vector<std::string> assignments) {
    assignments.insert(assignments.begin(),
                       {"--control-socket", broker->control_path(), "vhost", "a.test"});
    return run("mpctl", assignments);
  };
  EXPECT_NE(set({"handler=forward"}).exit, "exit 0") << "it has no upstream";
  const Outcome outcome = set({"handler=forward", "upstream=" + nginx.address()});
  ASSERT_EQ(outcome.exit, "exit 0") << outcome.err;
  const auto publisher = publish();
  Recorder player(folder, url_at(nginx), 1);
  expect_clip(player);
  EXPECT_TRUE(stays.process().running()) << stays.log();
}

TEST_F(RtmpForward, AVhostWithoutUpstreamsSaysSo) {
  start("[vhost b.test]\nupstream = 127.0.0.1:1935\n");
  EXPECT_TRUE(is_refused_with("Vhost a.test has no upstream server configured"));
}

}  // namespace
}  // namespace mpb::test
