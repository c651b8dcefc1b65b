#include "proto/rtmp/prefix.hpp"

#include <gtest/gtest.h>

#include <string>

namespace mpb::rtmp {
namespace {

using Kind = ProxyPrefix::Kind;
using Read = ProxyPrefix (*)(std::string_view);
using namespace std::string_literals;

const std::string kSignature = "\r\n\r\n\0\r\nQUIT\n"s;

/// `prefix` is read as a whole with that address, whatever follows, and wanted more before.
void expect_found(Read read, const std::string& prefix, std::string_view address) {
  for (const std::string& behind : {""s, "\x03"s, prefix}) {
    const ProxyPrefix found = read(prefix + behind);
    EXPECT_EQ(found.kind, Kind::kFound);
    EXPECT_EQ(found.size, prefix.size());
    EXPECT_EQ(found.address, address);
  }
  for (std::size_t size = 0; size < prefix.size(); ++size) {
    EXPECT_EQ(read(std::string_view(prefix).substr(0, size)).kind, Kind::kNeedMore) << size;
  }
}

TEST(RtmpPrefix, ProxyV1) {
  expect_found(read_proxy_protocol, "PROXY TCP4 192.0.2.1 192.0.2.2 1234 1935\r\n",
               "192.0.2.1:1234");
  expect_found(read_proxy_protocol, "PROXY TCP6 2001:DB8::1 ::1 65535 1935\r\n",
               "[2001:db8::1]:65535");
  expect_found(read_proxy_protocol, "PROXY TCP6 ::ffff:192.0.2.1 ::ffff:192.0.2.2 1 2\r\n",
               "192.0.2.1:1");
  expect_found(read_proxy_protocol, "PROXY UNKNOWN\r\n", "");
  expect_found(read_proxy_protocol, "PROXY UNKNOWN ffff:f...f:ffff any thing\r\n", "");
}

TEST(RtmpPrefix, MalformedProxyV1IsBad) {
  for (const std::string_view line :
       {"PROXY \r\n", "PROXY TCP4\r\n", "PROXY TCP5 192.0.2.1 192.0.2.2 1 2\r\n",
        "PROXY TCP4 192.0.2.1 192.0.2.2 1\r\n", "PROXY TCP4 192.0.2.1 192.0.2.2 1 2 3\r\n",
        "PROXY TCP4  192.0.2.1 192.0.2.2 1 2\r\n", "PROXY TCP4 192.0.2.1 192.0.2.2 1 65536\r\n",
        "PROXY TCP4 192.0.2.1 192.0.2.2 -1 2\r\n", "PROXY TCP4 ::1 ::1 1 2\r\n",
        "PROXY TCP6 192.0.2.1 192.0.2.2 1 2\r\n", "PROXY TCP4 host 192.0.2.2 1 2\r\n",
        "PROXY UNKNOWNS\r\n", "PROXY TCP4 192.0.2.1 192.0.2.2 1 2 \r\n"}) {
    EXPECT_EQ(read_proxy_protocol(line).kind, Kind::kBad) << line;
  }
}

TEST(RtmpPrefix, ProxyV1IsBounded) {
  const std::string line = "PROXY UNKNOWN " + std::string(91, 'x');
  EXPECT_EQ(read_proxy_protocol(line + "\r\n").size, 107U);
  EXPECT_EQ(read_proxy_protocol(line + "x").kind, Kind::kNeedMore);
  EXPECT_EQ(read_proxy_protocol(line + "x\r\n").kind, Kind::kBad);
  EXPECT_EQ(read_proxy_protocol(line + "xx").kind, Kind::kBad);
}

TEST(RtmpPrefix, ProxyV2) {
  const std::string v4 = "\xc0\0\x02\x01\xc0\0\x02\x02\x04\xd2\x07\x8f"s;
  expect_found(read_proxy_protocol, kSignature + "\x21\x11\0\x0c"s + v4, "192.0.2.1:1234");
  expect_found(read_proxy_protocol, kSignature + "\x21\x11\0\x0f"s + v4 + "\x04\0\0"s,
               "192.0.2.1:1234");
  const std::string v6 = "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01"s;
  expect_found(read_proxy_protocol, kSignature + "\x21\x21\0\x24"s + v6 + v6 + "\0\x01\0\x02"s,
               "[2001:db8::1]:1");
  expect_found(read_proxy_protocol, kSignature + "\x20\0\0\0"s, "");
  expect_found(read_proxy_protocol, kSignature + "\x20\x11\0\x02xx"s, "");
  expect_found(read_proxy_protocol, kSignature + "\x21\0\0\x03xyz"s, "");
  expect_found(read_proxy_protocol, kSignature + "\x21\x31\0\x02xy"s, "");
}

TEST(RtmpPrefix, MalformedProxyV2IsBad) {
  const std::string short_v4 = "\x21\x11\0\x0b"s + std::string(11, 'x');
  const std::string short_v6 = "\x21\x21\0\x23"s + std::string(35, 'x');
  for (const std::string& rest :
       {"\x11\x11\0\0"s, "\x22\x11\0\0"s, "\x21\x11\x10\x01"s, short_v4, short_v6}) {
    EXPECT_EQ(read_proxy_protocol(kSignature + rest).kind, Kind::kBad) << rest;
  }
  EXPECT_EQ(read_proxy_protocol(kSignature + "\x21\0\x10\0"s).kind, Kind::kNeedMore);
}

TEST(RtmpPrefix, OtherBytesAreNoProxyProtocol) {
  for (const std::string& bytes : {"\x03"s, "PROXX"s, "proxy "s, "\r\n\r\n\r"s,
                                   "\r\n\r\n\0\r\nQUIT "s, "GET / HTTP/1.1\r\n"s}) {
    EXPECT_EQ(read_proxy_protocol(bytes).kind, Kind::kNone) << bytes;
  }
}

TEST(RtmpPrefix, SrsRealIp) {
  expect_found(read_srs_real_ip, "\xf3\0\x04\xc0\0\x02\x01"s, "192.0.2.1");
  expect_found(read_srs_real_ip, "\xf3\0\x06\xc0\0\x02\x01xx"s, "192.0.2.1");
  expect_found(read_srs_real_ip, "\xf3\0\x03xyz"s, "");
  expect_found(read_srs_real_ip, "\xf3\0\0"s, "");
  EXPECT_EQ(read_srs_real_ip("\x03").kind, Kind::kNone);
  EXPECT_EQ(read_srs_real_ip("\xf3\x04\x01"s).kind, Kind::kBad);
  EXPECT_EQ(read_srs_real_ip("\xf3\x04\0"s).kind, Kind::kNeedMore);
}

TEST(RtmpPrefix, WhatIsWrittenIsRead) {
  for (const std::string_view client : {"192.0.2.1:1234", "[2001:db8::1]:65535"}) {
    for (const std::string_view server : {"192.0.2.2:1935", "[::1]:1935"}) {
      expect_found(read_proxy_protocol, make_proxy_v1(client, server), client);
      expect_found(read_proxy_protocol, make_proxy_v2(client, server), client);
    }
    expect_found(read_proxy_protocol, make_proxy_v1(client, "unix:/tmp/x"), "");
    expect_found(read_proxy_protocol, make_proxy_v2("", client), "");
  }
  expect_found(read_srs_real_ip, make_srs_real_ip("192.0.2.1:1234"), "192.0.2.1");
  expect_found(read_srs_real_ip, make_srs_real_ip("[::ffff:192.0.2.1]:1234"), "192.0.2.1");
}

TEST(RtmpPrefix, TheWritersWriteWhatTheSpecificationsSay) {
  EXPECT_EQ(make_proxy_v1("192.0.2.1:1234", "192.0.2.2:1935"),
            "PROXY TCP4 192.0.2.1 192.0.2.2 1234 1935\r\n");
  EXPECT_EQ(make_proxy_v1("192.0.2.1:1234", "[::1]:1935"),
            "PROXY TCP6 ::ffff:192.0.2.1 ::1 1234 1935\r\n");
  EXPECT_EQ(make_proxy_v1("", "192.0.2.2:1935"), "PROXY UNKNOWN\r\n");
  EXPECT_EQ(make_proxy_v2("192.0.2.1:1234", "192.0.2.2:1935"),
            kSignature + "\x21\x11\0\x0c\xc0\0\x02\x01\xc0\0\x02\x02\x04\xd2\x07\x8f"s);
  EXPECT_EQ(make_proxy_v2("", ""), kSignature + "\x21\0\0\0"s);
  EXPECT_EQ(make_srs_real_ip("192.0.2.1"), "\xf3\0\x04\xc0\0\x02\x01"s);
  EXPECT_EQ(make_srs_real_ip("[2001:db8::1]:1"), "");
  EXPECT_EQ(make_srs_real_ip("no address"), "");
}

}  // namespace
}  // namespace mpb::rtmp
