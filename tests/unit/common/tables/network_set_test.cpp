#include "common/tables/network_set.hpp"

#include <gtest/gtest.h>

#include "common/config/vhost_values.hpp"

namespace mpb {
namespace {

bool has(const NetworkSet& set, const char* address) {
  return set.contains(address_in(address).value());
}

NetworkSet set_of(std::initializer_list<const char*> networks) {
  NetworkSet set;
  for (const char* network : networks) set.add(read_network(network).value());
  return set;
}

TEST(NetworkSet, HasTheAddressesOfItsNetworks) {
  const NetworkSet set = set_of({"192.0.2.0/24", "10.0.0.0/9", "203.0.113.7", "2001:db8::/33"});
  EXPECT_TRUE(has(set, "192.0.2.0"));
  EXPECT_TRUE(has(set, "192.0.2.255"));
  EXPECT_FALSE(has(set, "192.0.3.0"));
  EXPECT_TRUE(has(set, "10.127.255.255"));
  EXPECT_FALSE(has(set, "10.128.0.0"));
  EXPECT_TRUE(has(set, "203.0.113.7"));
  EXPECT_FALSE(has(set, "203.0.113.6"));
  EXPECT_TRUE(has(set, "2001:db8:7fff::1"));
  EXPECT_FALSE(has(set, "2001:db8:8000::1"));
  EXPECT_TRUE(has(set, "::ffff:192.0.2.1")) << "an IPv4 address mapped into IPv6 is that address";
}

TEST(NetworkSet, EveryIpv4AddressIsNoIpv6Address) {
  const NetworkSet set = set_of({"0.0.0.0/0"});
  EXPECT_TRUE(has(set, "127.0.0.1"));
  EXPECT_TRUE(has(set, "255.255.255.255"));
  EXPECT_FALSE(has(set, "::1"));
  EXPECT_TRUE(has(set_of({"all"}), "127.0.0.1"));
  EXPECT_TRUE(has(set_of({"all"}), "::1"));
}

TEST(NetworkSet, ANetworkOfIpv6HasNoIpv4Address) {
  for (const char* network : {"::/8", "::/1", "::/80", "::fffe:0:0/95"}) {
    EXPECT_FALSE(has(set_of({network}), "192.0.2.7")) << network;
    EXPECT_TRUE(has(set_of({network, "192.0.2.0/24"}), "192.0.2.7")) << network;
  }
  EXPECT_TRUE(has(set_of({"::/8"}), "::1"));
  EXPECT_TRUE(has(set_of({"::/0"}), "192.0.2.7")) << "which is written for \"all\"";
}

TEST(NetworkSet, WhatIsTakenOutIsNotThere) {
  NetworkSet set = set_of({"192.0.2.0/24", "192.0.2.0/25"});
  set.remove(read_network("192.0.2.0/24").value());
  set.remove(read_network("192.0.3.0/24").value());
  EXPECT_TRUE(has(set, "192.0.2.1"));
  EXPECT_FALSE(has(set, "192.0.2.128"));
  set.remove(read_network("192.0.2.0/25").value());
  EXPECT_TRUE(set.empty());
}

}  // namespace
}  // namespace mpb
