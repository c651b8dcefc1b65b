// Players of streams that nobody publishes: how many a client, and a worker, may have.
#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "tests/support/relay_fixture.hpp"
#include "worker/rtmp/relay/waiting_streams.hpp"

namespace mpb::rtmp {
namespace {

constexpr std::size_t kMost = WaitingStreams::kMostOfClient;

TEST(WaitingStreams, AClientMayAlwaysWaitForOne) {
  WaitingStreams waiting;
  EXPECT_TRUE(waiting.admits(0, WaitingStreams::kMost + 1));
  EXPECT_TRUE(waiting.admits(kMost - 1, 1));
  EXPECT_FALSE(waiting.admits(kMost, 0));
  while (!waiting.too_many()) waiting.add(100);
  EXPECT_TRUE(waiting.admits(0, WaitingStreams::cost(100)));
  EXPECT_FALSE(waiting.admits(1, WaitingStreams::cost(100)));
  waiting.remove(100);
  EXPECT_FALSE(waiting.too_many());
  EXPECT_FALSE(waiting.admits(1, WaitingStreams::cost(100)));
  waiting.remove(100);
  EXPECT_TRUE(waiting.admits(1, WaitingStreams::cost(100)));
}

TEST(WaitingStreams, LongNamesCostMore) {
  WaitingStreams waiting;
  waiting.add(60'000);
  EXPECT_GE(waiting.used(), 120'000U);
  waiting.remove(60'000);
  EXPECT_EQ(waiting.used(), 0U);
}

class RelayWaiting : public ::testing::Test, public RelayFixture {
 protected:
  Step::Next play(RelayPeer& client, std::uint32_t stream, std::string_view name) {
    return client.command("play", stream, {amf0::Value(std::string(name))});
  }
  /// How many of the next `count` streams, each of another name, the client may wait for.
  std::size_t wait_for(RelayPeer& client, std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) {
      ++last_stream_;
      EXPECT_EQ(play(client, last_stream_, "s" + std::to_string(last_stream_)),
                Step::Next::kContinue);
    }
    turn();
    const std::vector<std::string> statuses = client.statuses();
    return static_cast<std::size_t>(std::ranges::count(statuses, "NetStream.Play.Start"));
  }
  std::uint64_t refused() {
    return environment.notices.refused()[static_cast<std::size_t>(Reason::kWaiting)];
  }
  /// Clients whose streams' names are so long that they fill what there is.
  void fill() {
    const auto each = WaitingStreams::cost(app.size());
    for (std::uint64_t filled = 0; filled < WaitingStreams::kMost; filled += kMost * each) {
      auto& client = crowd.emplace_back(peer());
      client->enter(app, "rtmp://a.test/x");
      client->statuses();
      wait_for(*client, kMost);
    }
  }

  const std::string app = std::string(60'000, 'a');
  std::uint32_t last_stream_ = 100;
  std::vector<std::unique_ptr<RelayPeer>> crowd;
};

TEST_F(RelayWaiting, AClientMayWaitForSomeAndIsToldWhyForNoMore) {
  auto client = peer();
  client->enter();
  client->statuses();
  EXPECT_EQ(wait_for(*client, kMost), kMost);
  EXPECT_EQ(play(*client, 99, "more"), Step::Next::kContinue);
  turn();
  EXPECT_EQ(client->statuses(), std::vector<std::string>{"NetStream.Play.Failed"});
  EXPECT_EQ(refused(), 1U);
  EXPECT_EQ(hub().find("a.test/live/more"), nullptr);
}

TEST_F(RelayWaiting, StreamsThatSomebodyPublishesAreNoneOfThem) {
  auto source = publisher("more");
  auto client = peer();
  client->enter();
  wait_for(*client, kMost);
  play(*client, 99, "more");
  turn();
  EXPECT_EQ(client->statuses().back(), "NetStream.Play.Start");
  // One of those it waits for comes, and leaves its place.
  auto late = publisher("s101");
  EXPECT_EQ(wait_for(*client, 2), 1U);
  EXPECT_EQ(refused(), 1U);
}

TEST_F(RelayWaiting, WhoWaitsNoMoreGivesThePlaceBack) {
  auto client = peer();
  client->enter();
  for (int round = 0; round < 3; ++round) {
    client->statuses();
    EXPECT_EQ(wait_for(*client, kMost), kMost);
    for (std::uint32_t i = 0; i < kMost; ++i) {
      client->command("deleteStream", 0, {amf0::Value(static_cast<double>(last_stream_ - i))});
    }
    turn();
  }
}

TEST_F(RelayWaiting, AFullWorkerLeavesEachClientOne) {
  fill();
  EXPECT_GT(refused(), 0U) << "the last one found the worker full";
  auto client = peer();
  client->enter(app, "rtmp://a.test/x");
  client->statuses();
  EXPECT_EQ(wait_for(*client, 2), 1U);
  // A publisher's stream does not wait, and its players do not either.
  auto source = peer();
  source->enter(app, "rtmp://a.test/x");
  source->publish("s");
  play(*client, 99, "s");
  turn();
  EXPECT_EQ(client->statuses().back(), "NetStream.Play.Start");
  crowd.clear();
  client->statuses();
  EXPECT_EQ(wait_for(*client, 1), 1U) << "they have left";
}

TEST_F(RelayWaiting, StreamsThatLoseTheirPublishersAreThinnedToo) {
  // Each client publishes and plays streams of long names, and then ends what it publishes.
  const std::size_t clients = WaitingStreams::kMost / WaitingStreams::cost(app.size()) / kMost + 2;
  for (std::size_t i = 0; i < clients; ++i) {
    RelayPeer* const source = crowd.emplace_back(peer()).get();
    RelayPeer* const sink = crowd.emplace_back(peer()).get();
    for (RelayPeer* client : {source, sink}) {
      client->enter(app, "rtmp://a.test/x");
    }
    for (std::uint32_t stream = 1; stream <= kMost; ++stream) {
      const std::string name = std::to_string(i) + "-" + std::to_string(stream);
      source->command("publish", stream, {amf0::Value(name)});
      play(*sink, stream, name);
    }
    turn();
  }
  EXPECT_EQ(refused(), 0U);
  auto few = player("none");
  few->statuses();
  for (std::size_t i = 0; i < crowd.size(); i += 2) crowd[i]->leave();
  // The hub looks once a second.
  const TimePoint limit = Clock::now() + std::chrono::seconds(40);
  while (refused() == 0 && Clock::now() < limit) loop.turn(Duration{100});
  EXPECT_GT(refused(), 0U);
  turn();
  std::size_t failed = 0;
  for (std::size_t i = 1; i < crowd.size(); i += 2) {
    const std::vector<std::string> statuses = crowd[i]->statuses();
    failed += static_cast<std::size_t>(std::ranges::count(statuses, "NetStream.Play.Failed"));
    EXPECT_FALSE(crowd[i]->finished());
  }
  EXPECT_EQ(failed, refused());
  EXPECT_TRUE(few->statuses().empty()) << "who waits for one stream keeps it";
}

}  // namespace
}  // namespace mpb::rtmp
