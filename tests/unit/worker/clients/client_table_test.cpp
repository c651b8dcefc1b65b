// How many clients one source may have.
#include "worker/clients/client_table.hpp"

#include <arpa/inet.h>
#include <gtest/gtest.h>

#include <string>

namespace mpb {
namespace {

IpBytes bytes_of(const std::string& text) {
  IpBytes bytes{};
  EXPECT_EQ(::inet_pton(AF_INET6, text.c_str(), bytes.data()), 1) << text;
  return bytes;
}

class Sources : public testing::Test {
 protected:
  bool admit(const std::string& address) {
    const auto source = table_.admit_source(bytes_of(address), 2);
    if (source) latest_ = *source;
    return source.has_value();
  }
  void leave() { table_.forget_source(latest_); }

  ClientTable table_;
  IpBytes latest_{};
};

TEST_F(Sources, OneHostOfIpv6IsOneSourceWhateverItsAddresses) {
  EXPECT_TRUE(admit("2001:db8:1:2::1"));
  EXPECT_TRUE(admit("2001:db8:1:2:ffff::3"));
  EXPECT_FALSE(admit("2001:db8:1:2::3"));
  EXPECT_TRUE(admit("2001:db8:1:3::1")) << "another /64";
  EXPECT_TRUE(admit("2001:db8:1:3::2"));
  leave();
  EXPECT_TRUE(admit("2001:db8:1:3::4")) << "the place of the one that left";
}

TEST_F(Sources, AddressesOfIpv4AreEachTheirOwn) {
  for (const std::string address : {"::ffff:192.0.2.1", "64:ff9b::192.0.2.3"}) {
    EXPECT_TRUE(admit(address));
    EXPECT_TRUE(admit(address));
    EXPECT_FALSE(admit(address));
  }
  EXPECT_TRUE(admit("::ffff:192.0.2.2"));
  EXPECT_FALSE(admit("::ffff:192.0.2.3")) << "the same as the translated one";
}

}  // namespace
}  // namespace mpb
