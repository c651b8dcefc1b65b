#include "common/io/host_name.hpp"

#include <gtest/gtest.h>

namespace mpb {
namespace {

TEST(HostName, IsWhatANameServerMayKnow) {
  for (const std::string& name :
       {std::string("localhost"), std::string("origin.example.com"), std::string("a_b-c.Test."),
        std::string("3com.com"), std::string("1.2.3.4a"), std::string(63, 'a')}) {
    EXPECT_TRUE(is_host_name(name)) << name;
  }
  for (const std::string& text :
       {std::string(), std::string("."), std::string("a..b"), std::string(".a"), std::string("-a"),
        std::string("a-.b"), std::string("a b"), std::string("a/b"), std::string("a:1"),
        std::string("[::1]"), std::string("192.0.2.1"), std::string("192.0.2"),
        std::string("0x7f000001"), std::string("256.1.1.1"), std::string("h\xc3\xa9"),
        std::string(64, 'a'), std::string(251, 'a') + ".bc"}) {
    EXPECT_FALSE(is_host_name(text)) << text;
  }
}

TEST(HostAndPort, NeedsBoth) {
  const auto both = parse_host_and_port("origin.test:1935");
  ASSERT_TRUE(both);
  EXPECT_EQ(both->host, "origin.test");
  EXPECT_EQ(both->port, 1935);
  for (const char* text : {"origin.test", "origin.test:", "origin.test:0", "origin.test:65536",
                           ":1935", "192.0.2.1:1935", "[::1]:1935", "origin.test:1935 "}) {
    EXPECT_FALSE(parse_host_and_port(text)) << text;
  }
}

}  // namespace
}  // namespace mpb
