#include "common/config/http_url.hpp"

#include <gtest/gtest.h>

#include <string>

namespace mpb {
namespace {

TEST(HttpUrl, IsTakenApart) {
  const struct {
    std::string text, host, port, target, authority;
  } cases[] = {
      {"http://127.0.0.1", "127.0.0.1", "80", "/", "127.0.0.1"},
      {"http://127.0.0.1:8085/api/v1/clients", "127.0.0.1", "8085", "/api/v1/clients",
       "127.0.0.1:8085"},
      {"http://auth.example-1.test:1/?a=b&c=http://x:2/", "auth.example-1.test", "1",
       "/?a=b&c=http://x:2/", "auth.example-1.test:1"},
      {"http://host?a=b", "host", "80", "/?a=b", "host"},
      {"http://[::1]:65535/x", "::1", "65535", "/x", "[::1]:65535"},
      {"http://[2001:db8::1]", "2001:db8::1", "80", "/", "[2001:db8::1]"},
  };
  for (const auto& one : cases) {
    const Result<HttpUrl> url = parse_http_url(one.text);
    ASSERT_TRUE(url) << one.text << ": " << url.error().text;
    EXPECT_EQ(url->host, one.host) << one.text;
    EXPECT_EQ(url->port, one.port) << one.text;
    EXPECT_EQ(url->target, one.target) << one.text;
    EXPECT_EQ(url->authority, one.authority) << one.text;
  }
}

TEST(HttpUrl, WhatIsNoneIsRefusedWithItsReason) {
  const struct {
    std::string text, why;
  } cases[] = {
      {"", "does not begin"},           {"127.0.0.1:8085/api", "does not begin"},
      {"https://127.0.0.1/", "https"},  {"http://", "no host"},
      {"http:///path", "no host"},      {"http://:80/", "no host"},
      {"http://user@host/", "no host"}, {"http://user:pass@host/", "port"},
      {"http://host:/", "port"},        {"http://host:0/", "port"},
      {"http://host:65536/", "port"},   {"http://host:80x/", "port"},
      {"http://[::1/", "no ']'"},       {"http://[]/", "no host"},
      {"http://[::1]80/", "port"},      {"http://host/a b", "%XX"},
      {"http://host/a\r\nX: y", "%XX"}, {"http://host/#part", "fragment"},
      {"http://host/\xc3\xa4", "%XX"},  {"http://host/" + std::string(2048, 'a'), "longer"},
  };
  for (const auto& one : cases) {
    const Result<HttpUrl> url = parse_http_url(one.text);
    ASSERT_FALSE(url) << one.text;
    EXPECT_EQ(url.error().kind, ErrorKind::kUsage);
    EXPECT_NE(url.error().text.find(one.why), std::string::npos) << url.error().text;
  }
}

TEST(HttpUrl, IsShownWithoutWhatMayBeAToken) {
  EXPECT_EQ(without_credentials("http://a.test/x"), "http://a.test/x");
  EXPECT_EQ(without_credentials("http://a.test/x?token=s3cret"), "http://a.test/x?...");
  EXPECT_EQ(without_credentials("http://a.test/x#s3cret"), "http://a.test/x#...");
  EXPECT_EQ(without_credentials("http://me:s3cret@a.test/x?s3cret"), "http://...@a.test/x?...");
  EXPECT_EQ(without_credentials("http://me:s3c@ret@a.test/x"), "http://...@a.test/x");
  EXPECT_EQ(without_credentials("me:s3cret@a.test"), "...@a.test");
}

}  // namespace
}  // namespace mpb
