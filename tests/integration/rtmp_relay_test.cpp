// The relay with real programs: ffmpeg publishes, ffmpeg and rtmpdump play, several workers.
#include <gtest/gtest.h>

#include <csignal>
#include <memory>
#include <string>
#include <vector>

#include "tests/integration/harness/broker_process.hpp"
#include "tests/integration/harness/media.hpp"

namespace mpb::test {
namespace {

BrokerSetup relay_setup(int workers, const std::string& more = {}) {
  BrokerSetup setup;
  setup.config = "workers = " + std::to_string(workers) +
                 "\nping-interval = 200ms\n"
                 "[listener rtmp]\nlisten = 127.0.0.1:PORT\nprotocol = rtmp\nhandler = relay\n" +
                 more;
  return setup;
}

class RtmpRelay : public testing::Test {
 protected:
  void start(int workers, const std::string& more = {}) {
    broker = std::make_unique<BrokerProcess>(relay_setup(workers, more));
  }
  /// The vhost in the app, as SRS's users write it.
  [[nodiscard]] std::string url(const std::string& vhost, const std::string& stream = "s") const {
    return address() + "/live?vhost=" + vhost + "/" + stream;
  }
  [[nodiscard]] std::string address() const {
    return "rtmp://127.0.0.1:" + std::to_string(broker->port());
  }
  std::unique_ptr<Publisher> publish(const std::string& to, const std::string& clip) {
    auto publisher = std::make_unique<Publisher>(folder, to, clip);
    return publisher;
  }
  std::unique_ptr<Recorder> record(const std::string& from, int seconds = 2,
                                   Recorder::Program program = Recorder::Program::kFfmpeg) {
    return std::make_unique<Recorder>(folder, from, seconds, program);
  }
  /// Waits for the recording's end and looks at every packet.
  void expect_clip(Recorder& recorder, const std::string& clip, Tint tint) {
    ASSERT_TRUE(recorder.finished()) << recorder.log();
    EXPECT_EQ(difference(folder, clip, recorder.file()), "");
    EXPECT_TRUE(begins_with(folder, recorder.file(), tint)) << recorder.file();
  }

  TempFolder folder;
  std::unique_ptr<BrokerProcess> broker;
};

TEST_F(RtmpRelay, EveryPlayerGetsThePicturesOfItsVhostWhicheverWorkerAcceptedIt) {
  constexpr int kPlayers = 20;
  start(4);
  const std::vector<std::pair<std::string, Tint>> vhosts{
      {"a.test", Tint::kRed}, {"b.test", Tint::kGreen}, {"c.test", Tint::kBlue}};
  std::vector<std::string> clips;
  std::vector<std::unique_ptr<Publisher>> publishers;
  for (const auto& [vhost, tint] : vhosts) {
    clips.push_back(make_clip(folder, tint));
    publishers.push_back(publish(url(vhost), clips.back()));
  }
  std::vector<std::vector<std::unique_ptr<Recorder>>> players(vhosts.size());
  for (int i = 0; i < kPlayers; ++i) {
    for (std::size_t v = 0; v < vhosts.size(); ++v) {
      players[v].push_back(
          record(url(vhosts[v].first), 2,
                 i % 2 == 0 ? Recorder::Program::kFfmpeg : Recorder::Program::kRtmpdump));
    }
  }
  for (std::size_t v = 0; v < vhosts.size(); ++v) {
    for (const auto& player : players[v]) expect_clip(*player, clips[v], vhosts[v].second);
  }
  const BrokerStatus status = broker->status();
  EXPECT_GT(status.sum([](const WorkerStatus& worker) { return worker.handoffs.in; }), 0);
}

TEST_F(RtmpRelay, AllFormsOfAVhostMeet) {
  start(4);
  const std::string clip = make_clip(folder, Tint::kGreen);
  const auto publisher = publish(url("Forms.Test"), clip);
  const auto plain = address() + "/live";
  for (const std::string& from :
       {plain + "?vhost=forms.test/s", plain + "?domain=forms.test/s",
        plain + "/s?vhost=forms.test", plain + "...vhost...forms.test/s"}) {
    const auto player = record(from, 1);
    expect_clip(*player, clip, Tint::kGreen);
  }
}

TEST_F(RtmpRelay, AVhostInThePublishedStreamsNameMeetsItsPlayers) {
  start(4);
  const std::string clip = make_clip(folder, Tint::kBlue);
  const auto publisher = publish(address() + "/live/s?vhost=late.test", clip);
  const auto player = record(url("late.test"));
  expect_clip(*player, clip, Tint::kBlue);
}

TEST_F(RtmpRelay, KeysOfStreamsSpreadAVhostOverWorkers) {
  start(4, "key = vhost/app/stream\npolicy = hash\n");
  const std::vector<Tint> tints{Tint::kRed, Tint::kGreen, Tint::kBlue};
  std::vector<std::string> clips;
  std::vector<std::unique_ptr<Publisher>> publishers;
  std::vector<std::unique_ptr<Recorder>> players;
  for (std::size_t i = 0; i < tints.size(); ++i) {
    clips.push_back(make_clip(folder, tints[i]));
    publishers.push_back(publish(url("hot.test", "s" + std::to_string(i)), clips[i]));
    for (int copy = 0; copy < 3; ++copy) {
      players.push_back(record(url("hot.test", "s" + std::to_string(i))));
    }
  }
  for (std::size_t i = 0; i < players.size(); ++i) {
    expect_clip(*players[i], clips[i / 3], tints[i / 3]);
  }
}

TEST_F(RtmpRelay, PlayersThatComeFirstSeeThePublisherFromItsFirstKeyFrame) {
  start(2);
  const std::string clip = make_clip(folder, Tint::kRed);
  const auto early = record(url("a.test"));
  ASSERT_TRUE(broker->await_held(1));
  const auto publisher = publish(url("a.test"), clip);
  expect_clip(*early, clip, Tint::kRed);
  const auto first_picture = [this](const std::string& file) {
    for (const Packet& packet : packets_of(folder, file)) {
      if (packet.stream == 0) return packet.hash;
    }
    return std::string("none");
  };
  EXPECT_EQ(first_picture(early->file()), first_picture(clip));
}

TEST_F(RtmpRelay, PlayersStayWhileThePublisherIsGone) {
  start(2);
  const std::string red = make_clip(folder, Tint::kRed);
  auto publisher = publish(url("a.test"), red);
  // Longer than the clip's first part, so that it ends only with the second publisher's media.
  const auto player = record(url("a.test"), 4);
  ASSERT_TRUE(eventually([&] { return player->has(20'000); }));
  publisher->process().signal(SIGKILL);
  publisher->process().wait_exit(kPatience);
  ASSERT_TRUE(broker->await_held(1));
  publisher = publish(url("a.test"), red);
  ASSERT_TRUE(player->finished()) << player->log();
  EXPECT_TRUE(begins_with(folder, player->file(), Tint::kRed));
}

TEST_F(RtmpRelay, ASecondPublisherIsRefusedWhicheverWorkerAcceptsIt) {
  start(4);
  const std::string red = make_clip(folder, Tint::kRed);
  const std::string blue = make_clip(folder, Tint::kBlue);
  const auto first = publish(url("a.test"), red);
  const auto player = record(url("a.test"), 1);
  expect_clip(*player, red, Tint::kRed);
  for (int i = 0; i < 6; ++i) {
    Publisher second(folder, url("a.test"), blue);
    const std::string exit = second.process().wait_exit(kPatience);
    EXPECT_NE(exit, "running");
    EXPECT_NE(exit, "exit 0");
  }
  const auto again = record(url("a.test"), 1);
  expect_clip(*again, red, Tint::kRed);
}

TEST_F(RtmpRelay, AnEncoderThatFellSilentIsReplacedByTheNextWhicheverWorkerAcceptsThat) {
  start(3, "key = vhost/app/stream\n[vhost a.test]\npublisher = silent:500ms\n");
  const std::string red = make_clip(folder, Tint::kRed);
  const auto first = publish(url("a.test"), red);
  // Longer than what the first one sends.
  const auto player = record(url("a.test"), 5);
  ASSERT_TRUE(eventually([&] { return player->has(20'000); }));
  first->process().signal(SIGSTOP);  // as good as a network that is gone
  std::unique_ptr<Publisher> second;
  ASSERT_TRUE(eventually([&] {
    if (!second || !second->process().running()) second = publish(url("a.test"), red);
    return second->log().find("frame=") != std::string::npos;
  }));
  ASSERT_TRUE(player->finished()) << player->log();
  EXPECT_TRUE(begins_with(folder, player->file(), Tint::kRed));
  EXPECT_TRUE(second->process().running()) << second->log();
  first->process().signal(SIGCONT);
  EXPECT_NE(first->process().wait_exit(20s), "running") << "its connection was ended";
}

TEST_F(RtmpRelay, AKilledWorkerTakesOnlyItsOwnVhosts) {
  start(2, "route = a.test=0\nroute = b.test=1\n");
  const std::string red = make_clip(folder, Tint::kRed);
  const std::string blue = make_clip(folder, Tint::kBlue);
  const auto lost = publish(url("a.test"), red);
  const auto kept = publish(url("b.test"), blue);
  const auto witness = record(url("b.test"), 4);
  ASSERT_TRUE(eventually([&] { return witness->has(20'000); }));
  ::kill(broker->worker_pid(0), SIGKILL);
  expect_clip(*witness, blue, Tint::kBlue);
  EXPECT_NE(lost->process().wait_exit(kPatience), "running");
  const auto back = publish(url("a.test"), red);
  const auto again = record(url("a.test"), 1);
  expect_clip(*again, red, Tint::kRed);
  EXPECT_TRUE(kept->process().running());
}

TEST_F(RtmpRelay, ReloadCutsNobody) {
  start(2);
  const std::string clip = make_clip(folder, Tint::kGreen);
  const auto publisher = publish(url("a.test"), clip);
  const auto player = record(url("a.test"), 5);
  ASSERT_TRUE(eventually([&] { return player->has(20'000); }));
  for (int i = 0; i < 5; ++i) {
    const boost::json::object answer = broker->request({{"command", "reload"}});
    ASSERT_TRUE(answer.at("ok").as_bool());
  }
  expect_clip(*player, clip, Tint::kGreen);
  EXPECT_TRUE(publisher->process().running());
}

TEST_F(RtmpRelay, NoDescriptorIsLeft) {
  start(2);
  const auto before = broker->fd_counts();
  const std::string clip = make_clip(folder, Tint::kRed);
  {
    const auto publisher = publish(url("a.test"), clip);
    std::vector<std::unique_ptr<Recorder>> players;
    for (int i = 0; i < 8; ++i) players.push_back(record(url("a.test"), 1));
    for (const auto& player : players) expect_clip(*player, clip, Tint::kRed);
  }
  EXPECT_TRUE(broker->await_held(0));
  EXPECT_TRUE(broker->await_fd_counts(before));
}

}  // namespace
}  // namespace mpb::test
