// The tables deny and allow, by mpctl: whom workers take, at their address and at the one that a
// proxy tells.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include <boost/json/array.hpp>
#include <boost/json/serialize.hpp>

#include "proto/rtmp/prefix.hpp"
#include "tests/integration/harness/broker_process.hpp"
#include "tests/integration/harness/child_process.hpp"
#include "tests/integration/harness/rtmp_peer.hpp"

namespace mpb::test {
namespace {

namespace json = boost::json;

constexpr int kWorkers = 8;

class AddressLists : public testing::Test {
 protected:
  static BrokerSetup eight() {
    BrokerSetup setup;
    setup.arguments = {"--workers", std::to_string(kWorkers), "--acceptors",
                       std::to_string(kWorkers)};
    return setup;
  }
  static json::object list(const BrokerProcess& broker, const std::string& name, const char* action,
                           const std::string& network) {
    return broker.request({{"command", "table"}, {"name", name}, {action, network}});
  }
  static bool is_served(const BrokerProcess& broker, const std::string& source = {}) {
    return Client(loopback(broker.port()), source).claim(1) == kHello;
  }
  static std::int64_t refused(const BrokerProcess& broker) {
    const auto status = broker.request({{"command", "status"}});
    return status.at("listeners").at(0).at("rejected").at("address").to_number<std::int64_t>();
  }
};

TEST_F(AddressLists, ADeniedNetworkIsRefusedByAllWorkersAndWhoIsHereStays) {
  const BrokerProcess broker(eight());
  Client before(broker.port());
  ASSERT_EQ(before.claim(1), kHello);
  ASSERT_TRUE(list(broker, "deny", "put", "127.0.0.2/31").at("ok").as_bool());
  // Whichever worker accepts: as many in a row as would find one that does not know yet.
  int in_a_row = 0;
  EXPECT_TRUE(eventually([&] {
    in_a_row = is_served(broker, "127.0.0.2") ? 0 : in_a_row + 1;
    return in_a_row == 20 * kWorkers;
  }));
  EXPECT_FALSE(is_served(broker, "127.0.0.3"));
  EXPECT_TRUE(is_served(broker, "127.0.0.4"));
  EXPECT_EQ(before.message(), kHello);
  EXPECT_GE(refused(broker), 20 * kWorkers);
  ASSERT_TRUE(list(broker, "deny", "erase", "127.0.0.2/31").at("ok").as_bool());
  EXPECT_TRUE(eventually([&] { return is_served(broker, "127.0.0.2"); }));
}

TEST_F(AddressLists, IfAnybodyIsAllowedNobodyElseIsServed) {
  const BrokerProcess broker(eight());
  EventStream events(broker.control_path());
  ASSERT_TRUE(list(broker, "allow", "put", "127.0.0.5").at("ok").as_bool());
  EXPECT_TRUE(eventually([&] { return !is_served(broker, "127.0.0.1"); }));
  const json::object event = events.await("refused");
  EXPECT_EQ(event.at("reason").as_string(), "address");
  EXPECT_TRUE(is_served(broker, "127.0.0.5"));
  ASSERT_TRUE(list(broker, "deny", "put", "127.0.0.0/24").at("ok").as_bool());
  EXPECT_TRUE(eventually([&] { return !is_served(broker, "127.0.0.5"); })) << "denied wins";
}

TEST_F(AddressLists, EverybodyCanBeDeniedAndTheOperatorStillSpeaks) {
  const BrokerProcess broker(eight());
  ASSERT_TRUE(list(broker, "deny", "put", "0.0.0.0/0").at("ok").as_bool());
  EXPECT_TRUE(eventually([&] { return !is_served(broker); }));
  ASSERT_TRUE(list(broker, "deny", "erase", "0.0.0.0/0").at("ok").as_bool());
  EXPECT_TRUE(eventually([&] { return is_served(broker); }));
}

TEST_F(AddressLists, MpctlPutsListsAndTakesAway) {
  const BrokerProcess broker(eight());
  const auto mpctl = [&](const std::vector<std::string>& words) {
    std::vector<std::string> arguments{"--control-socket", broker.control_path()};
    arguments.insert(arguments.end(), words.begin(), words.end());
    return run("mpctl", arguments);
  };
  EXPECT_EQ(mpctl({"deny", "192.0.2.0/24", "--for", "1h"}).exit, "exit 0");
  EXPECT_EQ(mpctl({"deny", "2001:db8::1/128"}).exit, "exit 0");
  const std::string listed = mpctl({"deny"}).out;
  EXPECT_NE(listed.find("192.0.2.0/24"), std::string::npos) << listed;
  EXPECT_NE(listed.find("2001:db8::1 "), std::string::npos) << listed;
  EXPECT_EQ(mpctl({"deny", "--remove", "192.0.2.0/24"}).exit, "exit 0");
  EXPECT_EQ(mpctl({"deny", "--remove", "192.0.2.0/24"}).exit, "exit 1");
  EXPECT_EQ(mpctl({"deny", "192.0.2.1/24"}).exit, "exit 1") << "bits behind its length";
  EXPECT_EQ(mpctl({"deny", "a", "b"}).exit, "exit 2");
  EXPECT_EQ(mpctl({"table", "sessions", "put", "id 1", "user \xc3\xa4"}).exit, "exit 0");
  EXPECT_EQ(mpctl({"table", "sessions", "get", "id 1"}).out, "user \xc3\xa4\n");
  EXPECT_EQ(mpctl({"table", "sessions", "get", "id 2"}).exit, "exit 1");
  const std::string tables = mpctl({"table"}).out;
  EXPECT_NE(tables.find("sessions"), std::string::npos) << tables;
  EXPECT_EQ(mpctl({"table", "sessions", "del", "id 1"}).exit, "exit 0");
  EXPECT_EQ(mpctl({"table", "sessions", "put", "k", std::string(5000, 'v')}).exit, "exit 1");
  EXPECT_EQ(mpctl({"table", "sessions", "move"}).exit, "exit 2");
}

TEST_F(AddressLists, WhoWatchesATableHearsItsChangesAlone) {
  const BrokerProcess broker(eight());
  ControlLink watcher(broker.control_path());
  EXPECT_TRUE(watcher.request({{"command", "events"}, {"table", "sessions"}}).at("ok").as_bool());
  list(broker, "deny", "put", "192.0.2.0/24");
  broker.request({{"command", "table"}, {"name", "sessions"}, {"put", "a"}, {"value", "b"}});
  EXPECT_EQ(watcher.read_line(),
            R"({"event":"put","table":"sessions","key":"a","value":"b","version":2})");
  list(broker, "sessions", "erase", "a");
  EXPECT_EQ(watcher.read_line(), R"({"event":"erase","table":"sessions","key":"a","version":3})");
}

TEST_F(AddressLists, TheAddressCountsThatAProxyTells) {
  BrokerSetup setup;
  setup.config =
      "workers = 2\n[listener rtmp]\nlisten = 127.0.0.1:PORT\nprotocol = rtmp\nprefix = proxy\n"
      "prefix-from = 127.0.0.2\n[vhost a.test]\n";
  const BrokerProcess broker(setup);
  const auto is_served_for = [&](const std::string& client) {
    RtmpPeer peer(broker.port(), "127.0.0.2");
    peer.send(rtmp::make_proxy_v1(client, "192.0.2.99:1935"));
    return peer.enter_stream("a.test");
  };
  ASSERT_TRUE(list(broker, "deny", "put", "203.0.113.0/24").at("ok").as_bool());
  EXPECT_TRUE(eventually([&] { return !is_served_for("203.0.113.7:4711"); }));
  EXPECT_TRUE(is_served_for("203.0.114.7:4711"));
  ASSERT_TRUE(list(broker, "allow", "put", "198.51.100.0/24").at("ok").as_bool());
  EXPECT_TRUE(eventually([&] { return !is_served_for("203.0.114.7:4711"); }));
  EXPECT_TRUE(is_served_for("198.51.100.1:4711")) << "though its proxy is not allowed itself";
  ASSERT_TRUE(list(broker, "deny", "put", "127.0.0.2").at("ok").as_bool());
  EXPECT_TRUE(is_served_for("198.51.100.1:4711")) << "nor denied";
}

}  // namespace
}  // namespace mpb::test
