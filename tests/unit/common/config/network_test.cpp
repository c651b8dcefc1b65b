// Who a peer is: its address, the networks that have it, and the source that it counts as.
#include "common/config/network.hpp"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <sys/socket.h>

#include <string>

#include "common/config/vhost_values.hpp"
#include "common/io/endpoint.hpp"
#include "tests/support/socket_pair.hpp"

namespace mpb {
namespace {

IpBytes bytes_of(const std::string& text) {
  IpBytes bytes{};
  const std::string as_v6 = text.find(':') == std::string::npos ? "::ffff:" + text : text;
  EXPECT_EQ(::inet_pton(AF_INET6, as_v6.c_str(), bytes.data()), 1) << text;
  return bytes;
}

bool same_source(const std::string& a, const std::string& b) {
  return source_of(bytes_of(a)) == source_of(bytes_of(b));
}

TEST(Source, OfIpv6IsTheSlash64) {
  EXPECT_TRUE(same_source("2001:db8:1:2::1", "2001:db8:1:2:ffff:ffff:ffff:ffff"));
  EXPECT_FALSE(same_source("2001:db8:1:2::1", "2001:db8:1:3::1"));
  EXPECT_FALSE(same_source("2001:db8:1:2::1", "2001:db9:1:2::1"));
}

TEST(Source, OfIpv4IsTheAddressHoweverItIsWritten) {
  EXPECT_TRUE(same_source("192.0.2.1", "::ffff:192.0.2.1"));
  EXPECT_TRUE(same_source("192.0.2.1", "64:ff9b::192.0.2.1")) << "translated";
  EXPECT_FALSE(same_source("192.0.2.1", "192.0.2.2"));
  EXPECT_FALSE(same_source("::ffff:192.0.2.1", "::ffff:192.0.2.2"));
  EXPECT_FALSE(same_source("64:ff9b::192.0.2.1", "64:ff9b::192.0.2.2"));
  EXPECT_FALSE(same_source("::1", "::ffff:0.0.0.1"));
}

TEST(Networks, HaveTheirAddresses) {
  const auto networks = read_prefix_from("10.0.0.0/8, 2001:db8::/32,192.0.2.1").value();
  for (const char* address : {"10.1.2.3", "::ffff:10.1.2.3", "2001:db8::5", "192.0.2.1"}) {
    EXPECT_TRUE(contains(networks, bytes_of(address))) << address;
  }
  for (const char* address : {"11.1.2.3", "2001:db9::5", "192.0.2.2", "::10.1.2.3"}) {
    EXPECT_FALSE(contains(networks, bytes_of(address))) << address;
  }
  EXPECT_FALSE(contains(networks, std::nullopt)) << "a peer of a unix socket";
  EXPECT_FALSE(contains(std::vector<Network>(), bytes_of("10.1.2.3")));
}

TEST(Networks, OfIpv6HaveNoIpv4Address) {
  const auto v6 = read_networks("::/8, ::/80, ::fffe:0:0/95").value();
  EXPECT_FALSE(contains(v6, bytes_of("192.0.2.7")));
  EXPECT_TRUE(contains(v6, bytes_of("::1")));
  const auto v4 = read_networks("0.0.0.0/0").value();
  EXPECT_TRUE(contains(v4, bytes_of("192.0.2.7")));
  EXPECT_FALSE(contains(v4, bytes_of("::1")));
  EXPECT_TRUE(contains(read_networks("::/0").value(), bytes_of("192.0.2.7"))) << "all";
}

TEST(Networks, PeersOfUnixSocketsAreThoseOfUnixAndAll) {
  const auto local = read_prefix_from("unix:").value();
  EXPECT_TRUE(contains(local, std::nullopt));
  for (const char* address : {"0.0.0.0", "::", "255.255.255.255", "ffff::"}) {
    EXPECT_FALSE(contains(local, bytes_of(address))) << address;
  }
  const auto all = read_prefix_from("all").value();
  EXPECT_TRUE(contains(all, std::nullopt));
  EXPECT_TRUE(contains(all, bytes_of("192.0.2.1")));
}

TEST(Networks, AreTheSameOnTheOtherSideOfTheChannel) {
  const auto networks = read_prefix_from("10.0.0.0/8, unix:, 2001:db8::/32, all").value();
  EXPECT_EQ(unpack_networks(pack(networks)), networks);
  EXPECT_TRUE(unpack_networks("").empty());
  EXPECT_TRUE(unpack_networks(std::string(16, '\0') + "\x81").empty()) << "129 bits";
  EXPECT_TRUE(unpack_networks(std::string(16, '\1') + "\xff").empty());
}

TEST(Networks, WhatIsNoneIsTold) {
  for (const char* text : {"", "unix", "unix:/x", "10.0.0.1/8", "a.test", "10.0.0.0/33", ","}) {
    const auto read = read_prefix_from(text);
    ASSERT_FALSE(read) << text;
    EXPECT_NE(read.error().text.find("unix:"), std::string::npos) << read.error().text;
  }
  EXPECT_FALSE(read_networks("unix:")) << "it is no network of a vhost's rules";
}

TEST(PeerAddress, IsThatOfTheOtherEnd) {
  const UniqueFd alone(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  EXPECT_FALSE(peer_address(alone.get())) << "not connected";
  EXPECT_EQ(peer_address(test::tcp_pair().peer.get()), bytes_of("127.0.0.1"));
  EXPECT_FALSE(peer_address(test::SocketPair().ours.get()));
}

}  // namespace
}  // namespace mpb
