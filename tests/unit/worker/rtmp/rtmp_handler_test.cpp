// Which handler gets a client of an rtmp listener.
#include "worker/rtmp/rtmp_handler.hpp"

#include <gtest/gtest.h>

#include "tests/support/relay_fixture.hpp"
#include "worker/rtmp/relay/relay_client.hpp"

namespace mpb::rtmp {
namespace {

class RtmpHandlerTest : public ::testing::Test {
 protected:
  /// A listener's handler; relay.test and forward.test have their own, plain.test has none.
  RtmpHandler& listener(bool forwards) {
    VhostSettings relayed;
    relayed.name = "relay.test";
    relayed.handler = VhostHandler::kRelay;
    VhostSettings forwarded;
    forwarded.name = "forward.test";
    forwarded.handler = VhostHandler::kForward;
    forwarded.upstreams = {{"192.0.2.1:1935"}};
    VhostSettings plain;
    plain.name = "plain.test";
    plain.upstreams = {{"192.0.2.1:1935"}};
    environment.vhosts.replace({relayed, forwarded, plain});
    ListenerTraits traits;
    traits.forwards = forwards;
    handlers.push_back(std::make_unique<RtmpHandler>(environment, traits));
    return *handlers.back();
  }
  static bool is_forwarded(RtmpHandler& handler, const std::string& vhost) {
    RelayPeer peer(handler, vhost);
    peer.enter("live", "rtmp://" + vhost + "/live");
    return Forward::has(peer.client);
  }

  EventLoop loop;
  WorkerEnvironment environment{loop};
  std::vector<std::unique_ptr<RtmpHandler>> handlers;
};

TEST_F(RtmpHandlerTest, TheVhostsOwnWinsOverTheListeners) {
  for (const bool forwards : {false, true}) {
    RtmpHandler& handler = listener(forwards);
    EXPECT_FALSE(is_forwarded(handler, "relay.test"));
    EXPECT_TRUE(is_forwarded(handler, "forward.test"));
    EXPECT_EQ(is_forwarded(handler, "plain.test"), forwards);
  }
}

TEST_F(RtmpHandlerTest, WithoutAnyOfTheirOwnTheListenersHoldsForAll) {
  for (const bool forwards : {false, true}) {
    RtmpHandler& handler = listener(forwards);
    VhostSettings vhost;
    vhost.name = "a.test";
    vhost.upstreams = {{"192.0.2.1:1935"}};
    environment.vhosts.replace({vhost});
    EXPECT_EQ(is_forwarded(handler, "a.test"), forwards);
  }
}

TEST_F(RtmpHandlerTest, WhatAProxyToldIsKeptUntilItIsDecided) {
  RtmpHandler& handler = listener(false);
  for (const std::string vhost : {"relay.test", "forward.test"}) {
    RelayPeer peer(handler, vhost);
    ASSERT_TRUE(handler.import_state(peer.client, "A192.0.2.7:5"));
    EXPECT_EQ(handler.export_state(peer.client), "A192.0.2.7:5");
    peer.enter("live", "rtmp://" + vhost + "/live");
    ASSERT_EQ(Forward::has(peer.client), vhost == "forward.test");
    if (vhost == "relay.test") {
      EXPECT_EQ(peer.relay_client().address(), "192.0.2.7:5");
    }
  }
  RelayPeer odd(handler, "relay.test");
  EXPECT_FALSE(handler.import_state(odd.client, "?"));
}

/// Another worker may say what it likes: only where the peer is a proxy can it know more than the
/// socket does.
TEST_F(RtmpHandlerTest, AnAddressThatComesAlongCountsOnlyIfThePeersWordDoes) {
  RtmpHandler& handler = listener(false);
  for (const std::string vhost : {"relay.test", "forward.test"}) {
    RelayPeer peer(handler, vhost);
    peer.believed = false;
    ASSERT_TRUE(handler.import_state(peer.client, "A192.0.2.7:5"));
    Notice undecided;
    handler.describe(peer.client, undecided);
    EXPECT_EQ(undecided.address, "");
    peer.enter("live", "rtmp://" + vhost + "/live");
    Notice decided;
    handler.describe(peer.client, decided);
    EXPECT_EQ(decided.address, "");
  }
}

TEST_F(RtmpHandlerTest, AClientThatNamesNoVhostIsAskedForItByTheRelay) {
  RtmpHandler& handler = listener(true);
  RelayPeer peer(handler, "");
  peer.enter("live", "rtmp://192.0.2.9/live");
  EXPECT_FALSE(Forward::has(peer.client));
  peer.received();
  EXPECT_EQ(peer.publish("s?vhost=relay.test"), Step::Next::kMove);
}

TEST_F(RtmpHandlerTest, AForwardedVhostMustBeNamedInConnect) {
  RtmpHandler& handler = listener(false);
  RelayPeer peer(handler, "relay.test");
  peer.enter("live", "rtmp://relay.test/live");
  peer.received();
  EXPECT_EQ(peer.publish("s?vhost=forward.test"), Step::Next::kClose);
  EXPECT_EQ(peer.statuses(), std::vector<std::string>{"NetStream.Publish.BadName"});
}

TEST_F(RtmpHandlerTest, AConnectMayComeInPieces) {
  RtmpHandler& handler = listener(false);
  RelayPeer peer(handler, "forward.test");
  std::string bytes(kHandshakeBlock, '2');
  append_connect(bytes, "live", "rtmp://forward.test/live");
  peer.say(bytes.substr(0, 10));
  peer.say(bytes.substr(10, kHandshakeBlock + 50));
  EXPECT_FALSE(Forward::has(peer.client));
  peer.say(bytes.substr(kHandshakeBlock + 60));
  EXPECT_TRUE(Forward::has(peer.client));
}

TEST(ConnectSearch, EachByteIsReadOnce) {
  std::string bytes;
  append_set_chunk_size(bytes, 1);
  append_connect(bytes, "live", "rtmp://a.test/live?x=" + std::string(2'000, 'x'), 1);
  ConnectSearch search;
  constexpr std::size_t kLongestHeader = 18;  // of which part may be looked at again
  std::string pending(kHandshakeBlock, '2');
  for (const char byte : bytes) {
    ASSERT_EQ(search.look(pending), ConnectSearch::Result::kNeedMore);
    pending += byte;
    pending[pending.size() - kLongestHeader - 1] = '\xff';
  }
  EXPECT_EQ(search.look(pending), ConnectSearch::Result::kConnect);
  EXPECT_EQ(search.target().vhost, "a.test");
  EXPECT_EQ(search.look(pending + "more"), ConnectSearch::Result::kConnect);
}

}  // namespace
}  // namespace mpb::rtmp
