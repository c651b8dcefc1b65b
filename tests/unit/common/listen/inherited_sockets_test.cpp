// Which listener a socket is for that a service manager has passed.
#include "common/listen/inherited_sockets.hpp"

#include <gtest/gtest.h>

namespace mpb {
namespace {

InheritedSocket passed(const std::string& name, const std::string& address, bool both = false) {
  InheritedSocket socket;
  socket.name = name;
  socket.address = parse_endpoint(address).value();
  socket.takes_ipv4 = both;
  return socket;
}

SocketWish wish(const std::string& name, const std::vector<std::string>& addresses) {
  SocketWish made{name, {}};
  for (const std::string& address : addresses) {
    made.endpoints.push_back(parse_endpoint(address).value());
  }
  return made;
}

/// "0:1 -": the first socket is for wish 0 and its address 1, the second for nobody; "0:*" by name.
std::string claims(const std::vector<InheritedSocket>& sockets,
                   const std::vector<SocketWish>& wishes) {
  std::string text;
  for (const auto& claim : claim_sockets(sockets, wishes)) {
    if (!text.empty()) text += ' ';
    if (!claim) {
      text += '-';
    } else {
      text += std::to_string(claim->wish) + ':';
      text += claim->endpoint ? std::to_string(*claim->endpoint) : "*";
    }
  }
  return text;
}

template <class... Sockets>
std::vector<InheritedSocket> sockets(Sockets... list) {
  std::vector<InheritedSocket> made;
  (made.push_back(std::move(list)), ...);
  return made;
}

TEST(InheritedSockets, GoToTheListenerOfTheirAddress) {
  const std::vector wishes{wish("a", {"127.0.0.1:1"}), wish("b", {"127.0.0.1:2", "[::1]:2"})};
  EXPECT_EQ(claims(sockets(passed("", "[::1]:2"), passed("x", "127.0.0.1:1")), wishes), "1:1 0:0");
  EXPECT_EQ(claims(sockets(passed("", "127.0.0.1:3"), passed("", "0.0.0.0:1")), wishes), "- -");
}

TEST(InheritedSockets, TheirNameComesFirst) {
  const std::vector wishes{wish("a", {"127.0.0.1:1"}), wish("b", {"127.0.0.1:2"})};
  EXPECT_EQ(claims(sockets(passed("b", "127.0.0.1:1")), wishes), "1:*");
  EXPECT_EQ(claims(sockets(passed("b", "127.0.0.1:2")), wishes), "1:0");
}

TEST(InheritedSockets, SeveralOfOneNameAreAllTheListeners) {
  const std::vector wishes{wish("rtmp", {"0.0.0.0:1935"})};
  EXPECT_EQ(claims(sockets(passed("rtmp", "0.0.0.0:1935"), passed("rtmp", "[::]:1935")), wishes),
            "0:0 0:*");
}

TEST(InheritedSockets, OneForBothFamiliesServesAListenerOfEveryIpv4Address) {
  const std::vector wishes{wish("a", {"0.0.0.0:1"})};
  EXPECT_EQ(claims(sockets(passed("", "[::]:1", true)), wishes), "0:0");
  EXPECT_EQ(claims(sockets(passed("", "[::]:1", false)), wishes), "-");
  EXPECT_EQ(claims(sockets(passed("", "[::]:2", true)), wishes), "-");
  const std::vector both{wish("a", {"0.0.0.0:1"}), wish("b", {"[::]:1"})};
  EXPECT_EQ(claims(sockets(passed("", "[::]:1", true)), both), "1:0");
  const std::vector one{wish("a", {"127.0.0.1:1"})};
  EXPECT_EQ(claims(sockets(passed("", "[::]:1", true)), one), "-")
      << "a listener of one address is not opened to all";
}

TEST(InheritedSockets, UnixPathsAndAbstractNamesAreAddressesToo) {
  const std::vector wishes{wish("a", {"unix:/run/a"}), wish("b", {"unix:@b"})};
  EXPECT_EQ(
      claims(sockets(passed("", "unix:@b"), passed("", "unix:/run/a"), passed("", "unix:/run/b")),
             wishes),
      "1:0 0:0 -");
}

}  // namespace
}  // namespace mpb
