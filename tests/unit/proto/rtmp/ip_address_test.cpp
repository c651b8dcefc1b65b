#include "proto/rtmp/ip_address.hpp"

#include <gtest/gtest.h>

#include <string>
#include <utility>

namespace mpb::rtmp {
namespace {

std::string normal(std::string_view text) {
  const auto address = parse_ip(text);
  return address ? to_text(*address) : "none";
}

std::string normal_endpoint(std::string_view text) {
  const auto endpoint = parse_endpoint(text);
  return endpoint ? to_text(*endpoint) : "none";
}

TEST(RtmpIpAddress, AddressesAreWrittenAsRfc5952Says) {
  const std::pair<std::string_view, std::string_view> cases[] = {
      {"192.0.2.1", "192.0.2.1"},
      {"0.0.0.0", "0.0.0.0"},
      {"255.255.255.255", "255.255.255.255"},
      {"::", "::"},
      {"::1", "::1"},
      {"1::", "1::"},
      {"2001:DB8:0:0:0:0:0:1", "2001:db8::1"},
      {"2001:0db8:0:0:1:0:0:1", "2001:db8::1:0:0:1"},
      {"2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"},
      {"1:2:3:4:5:6:7::", "1:2:3:4:5:6:7:0"},
      {"1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7:8"},
      {"0:0:1::", "0:0:1::"},
      {"::ffff:192.0.2.1", "::ffff:192.0.2.1"},
      {"64:ff9b::192.0.2.33", "64:ff9b::c000:221"},
      {"1:2:3:4:5:6:1.2.3.4", "1:2:3:4:5:6:102:304"},
  };
  for (const auto& [text, expected] : cases) {
    EXPECT_EQ(normal(text), expected);
    EXPECT_EQ(normal(normal(text)), expected);
  }
}

TEST(RtmpIpAddress, WhatIsNoAddressIsRefused) {
  for (const std::string_view text : {"",
                                      ".",
                                      "1.2.3",
                                      "1.2.3.4.5",
                                      "1.2.3.256",
                                      "01.2.3.4",
                                      "1.2.3.-4",
                                      "1.2.3.4 ",
                                      "+1.2.3.4",
                                      "1.2..4",
                                      "a.b.c.d",
                                      ":",
                                      ":::",
                                      "1::2::3",
                                      "1:2:3:4:5:6:7",
                                      "1:2:3:4:5:6:7:8:9",
                                      "1:2:3:4:5:6:7:8::",
                                      "12345::",
                                      "g::",
                                      "::1%eth0",
                                      "[::1]",
                                      "::1.2.3",
                                      "1.2.3.4::",
                                      ":1::",
                                      "1::2:",
                                      "1:2:3:4:5:6:7:1.2.3.4",
                                      "-1::"}) {
    EXPECT_EQ(normal(text), "none") << text;
  }
}

TEST(RtmpIpAddress, EndpointsHaveAPortOrNone) {
  EXPECT_EQ(normal_endpoint("192.0.2.1:1935"), "192.0.2.1:1935");
  EXPECT_EQ(normal_endpoint("192.0.2.1"), "192.0.2.1:0");
  EXPECT_EQ(normal_endpoint("[2001:db8::1]:65535"), "[2001:db8::1]:65535");
  EXPECT_EQ(normal_endpoint("[2001:db8::1]"), "[2001:db8::1]:0");
  EXPECT_EQ(normal_endpoint("2001:db8::1"), "[2001:db8::1]:0");
  for (const std::string_view text :
       {"", ":", "192.0.2.1:", "192.0.2.1:65536", "192.0.2.1:x", "[::1", "[::1]1935",
        "[::1]:", "[192.0.2.1]:1935", "host:1935", "unix:/tmp/x", "[]:1"}) {
    EXPECT_EQ(normal_endpoint(text), "none") << text;
  }
}

TEST(RtmpIpAddress, Ipv4IsMappedIntoIpv6AndBack) {
  const auto v4 = parse_ip("192.0.2.1");
  ASSERT_TRUE(v4);
  EXPECT_EQ(to_text(as_v6(*v4)), "::ffff:192.0.2.1");
  EXPECT_EQ(to_text(unmapped(as_v6(*v4))), "192.0.2.1");
  EXPECT_EQ(to_text(unmapped(*v4)), "192.0.2.1");
  const auto v6 = parse_ip("2001:db8::1");
  ASSERT_TRUE(v6);
  EXPECT_EQ(to_text(as_v6(*v6)), "2001:db8::1");
  EXPECT_EQ(to_text(unmapped(*v6)), "2001:db8::1");
}

}  // namespace
}  // namespace mpb::rtmp
