// Host names to listen on.
#include "common/config/listen_names.hpp"

#include <gtest/gtest.h>

namespace mpb {
namespace {

TEST(ListenNames, AreHostNamesWithAPort) {
  for (const char* text : {"localhost:1990", "a.example.com:1", "a-b.c:0", "host_1.example:65535",
                           "1host:80", "example.com.:80"}) {
    EXPECT_TRUE(is_listen_name(text)) << text;
  }
  for (const char* text :
       {"localhost", "localhost:", "localhost:x", "localhost:65536", ":1990", "127.0.0.256:80",
        "127.1:80", "10:80", ".a:80", "-a:80", "a b:80", "[::1]:80", "a/b:80", "unix:name"}) {
    EXPECT_FALSE(is_listen_name(text)) << text;
  }
}

TEST(ListenNames, StandForTheirAddresses) {
  const auto endpoints = resolve_listen_name("localhost:1990");
  ASSERT_TRUE(endpoints) << endpoints.error().text;
  ASSERT_FALSE(endpoints->empty());
  for (const Endpoint& endpoint : *endpoints) {
    const std::string text = endpoint.to_string();
    EXPECT_TRUE(text == "127.0.0.1:1990" || text == "[::1]:1990") << text;
  }
}

TEST(ListenNames, OneThatIsNoneNamesTheListener) {
  const std::string name = "name.invalid:1";  // RFC 6761, section 6.4
  std::vector<ListenerSettings> listeners(1);
  listeners[0].name = "main";
  listeners[0].listen = name;
  const Status resolved = resolve_listeners(listeners);
  ASSERT_FALSE(resolved);
  for (const std::string& part : {std::string("listener 'main'"), name}) {
    EXPECT_NE(resolved.error().text.find(part), std::string::npos) << resolved.error().text;
  }
  EXPECT_FALSE(resolved.error().help.empty());
}

}  // namespace
}  // namespace mpb
