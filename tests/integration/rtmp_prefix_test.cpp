// Who is believed when it tells the address of a client that it brings: prefix and prefix-from.
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include <boost/json/array.hpp>
#include <boost/json/serialize.hpp>

#include "proto/rtmp/command.hpp"
#include "proto/rtmp/prefix.hpp"
#include "tests/integration/harness/broker_process.hpp"
#include "tests/integration/harness/rtmp_peer.hpp"

namespace mpb::test {
namespace {

namespace json = boost::json;

constexpr const char* kClient = "203.0.113.7:4711";  // whom the proxy tells; alone it may publish
constexpr const char* kProxy = "127.0.0.2";
constexpr const char* kStranger = "127.0.0.3";
constexpr const char* kPublished = "NetStream.Publish.Start";
constexpr const char* kDenied = "NetStream.Publish.Denied";

std::string config(const std::string& listener) {
  return "workers = 2\n"
         "[listener rtmp]\nlisten = 127.0.0.1:PORT\nprotocol = rtmp\n" +
         listener +
         "[vhost a.test]\npublish-allow = 203.0.113.7\n[vhost b.test]\npublish-allow = " +
         kStranger + "\n";
}

class RtmpPrefix : public testing::Test {
 protected:
  void start(const std::string& listener) {
    BrokerSetup setup;
    setup.config = config(listener);
    broker = std::make_unique<BrokerProcess>(setup);
    events = std::make_unique<EventStream>(broker->control_path());
  }
  void reload(const std::string& listener) {
    std::string text = config(listener);
    text.replace(text.find("PORT"), 4, std::to_string(broker->port()));
    broker->write_config(text);
    const json::object answer = broker->request({{"command", "reload"}});
    ASSERT_TRUE(answer.at("ok").as_bool()) << json::serialize(answer);
  }
  /// Gives what the client is told; empty: it is closed before.
  static std::string publish(RtmpPeer& peer, const std::string& vhost, const std::string& before) {
    if (!before.empty()) peer.send(before);
    if (!peer.enter_stream(vhost)) return {};
    std::string bytes;
    rtmp::append_publish(bytes, 1, "s");
    peer.send(bytes);
    return peer.status();
  }
  [[nodiscard]] std::string publish_from(const std::string& source, const std::string& vhost,
                                         const std::string& before) const {
    RtmpPeer peer(broker->port(), source);
    return publish(peer, vhost, before);
  }
  void expect_refused(const std::string& source) {
    const json::object told = events->await("refused");
    ASSERT_FALSE(told.empty());
    EXPECT_EQ(told.at("reason").as_string(), "prefix");
    EXPECT_TRUE(std::string(told.at("address").as_string()).starts_with(source + ":"))
        << json::serialize(told) << ": its own address, not the one that it claims";
  }

  std::unique_ptr<BrokerProcess> broker;
  std::unique_ptr<EventStream> events;
};

TEST_F(RtmpPrefix, OfTheProxyProtocolIsTakenFromTheProxiesOnly) {
  start(std::string("prefix = proxy\nprefix-from = 10.0.0.0/8, ") + kProxy + "\n");
  for (const std::string& told : {rtmp::make_proxy_v1(kClient, "127.0.0.1:1935"),
                                  rtmp::make_proxy_v2(kClient, "127.0.0.1:1935")}) {
    EXPECT_EQ(publish_from(kProxy, "a.test", told), kPublished);
    EXPECT_EQ(publish_from(kStranger, "a.test", told), "");
    expect_refused(kStranger);
  }
  EXPECT_EQ(publish_from(kStranger, "b.test", "PROXY UNKNOWN\r\n"), "");
  expect_refused(kStranger);
  EXPECT_EQ(publish_from(kStranger, "b.test", ""), "") << "each begins with a prefix";
  EXPECT_EQ(events->await("refused").at("reason").as_string(), "protocol");
  const BrokerStatus status = broker->status();
  EXPECT_EQ(status.sum([](const WorkerStatus& worker) { return worker.rejected.input; }), 4);
}

TEST_F(RtmpPrefix, OfSrsIsTakenFromTheProxiesOnlyAndOthersAreServedByTheirOwnAddress) {
  start(std::string("prefix = srs-real-ip\nprefix-from = ") + kProxy + "\n");
  const std::string told = rtmp::make_srs_real_ip(kClient);
  EXPECT_EQ(publish_from(kProxy, "a.test", told), kPublished);
  EXPECT_EQ(publish_from(kStranger, "a.test", told), "");
  expect_refused(kStranger);
  EXPECT_EQ(publish_from(kStranger, "a.test", ""), kDenied);
  EXPECT_EQ(publish_from(kStranger, "b.test", ""), kPublished);
}

TEST_F(RtmpPrefix, AReloadChangesWhoIsBelieved) {
  start(std::string("prefix = proxy\nprefix-from = ") + kProxy + "\n");
  const std::string told = rtmp::make_proxy_v1(kClient, "127.0.0.1:1935");
  EXPECT_EQ(publish_from(kStranger, "a.test", told), "");
  reload(std::string("prefix = proxy\nprefix-from = ") + kStranger + "\n");
  EXPECT_TRUE(eventually([&] { return publish_from(kStranger, "a.test", told) == kPublished; }))
      << "once the workers have heard of it";
  EXPECT_TRUE(eventually([&] { return publish_from(kProxy, "a.test", told).empty(); }));
}

TEST_F(RtmpPrefix, PeersOfAUnixSocketAreBelievedIfUnixIsAmongThem) {
  const TempFolder folder;
  const std::string told = rtmp::make_proxy_v1(kClient, "127.0.0.1:1935");
  for (const bool believed : {true, false}) {
    const std::string path = folder.file(believed ? "a" : "b");
    BrokerSetup setup;
    setup.config = config(std::string("prefix = proxy\nprefix-from = ") + kProxy +
                          "\n[listener local]\nlisten = " + path +
                          "\nprotocol = rtmp\nprefix = proxy\nprefix-from = " +
                          (believed ? "::1, unix:" : "0.0.0.0/0") + "\n");
    const BrokerProcess relay(setup);
    RtmpPeer peer(parse_endpoint(path).value());
    EXPECT_EQ(publish(peer, "a.test", told), believed ? kPublished : "");
  }
}

TEST_F(RtmpPrefix, AClientWithHalfAPrefixIsUnderTheHeaderLimit) {
  BrokerSetup setup;
  setup.arguments = {"--header-timeout", "300ms"};
  setup.config = config(std::string("prefix = proxy\nprefix-from = ") + kProxy + "\n");
  broker = std::make_unique<BrokerProcess>(setup);
  events = std::make_unique<EventStream>(broker->control_path());
  const std::string told = rtmp::make_proxy_v1(kClient, "127.0.0.1:1935");
  for (const std::string& bytes :
       {told.substr(0, 1), told.substr(0, told.size() - 1), told, told + "\x03",
        told + rtmp_hello_bytes().substr(0, 100), told + rtmp_hello_bytes()}) {
    RtmpPeer peer(broker->port(), kProxy);
    peer.send(bytes);
    EXPECT_TRUE(peer.sees_end()) << bytes.size();
    EXPECT_EQ(events->await("refused").at("reason").as_string(), "header-timeout") << bytes.size();
  }
}

}  // namespace
}  // namespace mpb::test
