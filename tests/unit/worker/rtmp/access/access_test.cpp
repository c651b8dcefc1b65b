#include "worker/rtmp/access/access.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <initializer_list>
#include <string>
#include <vector>

namespace mpb::rtmp {
namespace {

Network v4(std::array<std::uint8_t, 4> address, unsigned bits) {
  Network network;
  network.address[10] = network.address[11] = 0xff;
  std::copy(address.begin(), address.end(), network.address.begin() + 12);
  network.bits = static_cast<std::uint8_t>(96 + bits);
  return network;
}

Network v6(std::initializer_list<std::uint8_t> begin, unsigned bits) {
  Network network;
  std::copy(begin.begin(), begin.end(), network.address.begin());
  network.bits = static_cast<std::uint8_t>(bits);
  return network;
}

const Network kAll;
const Network kTen = v4({10, 0, 0, 0}, 8);
const Network kOne = v4({192, 0, 2, 1}, 32);
const Network kOdd = v4({172, 16, 0, 0}, 12);
const Network kSix = v6({0x20, 0x01, 0x0d, 0xb8}, 32);

AccessRequest request_of(std::string_view address, std::string_view parameters = {}) {
  return {.right = Right::kPublish,
          .address = address,
          .vhost = "a.test",
          .app = "live",
          .stream = "s",
          .parameters = parameters,
          .unix_seconds = 1'700'000'000};
}

bool allowed(const AccessRules& rules, const AccessRequest& request) {
  return check_access(rules, request) == Reason::kNone;
}

// --- addresses -----------------------------------------------------------------------------------

TEST(Access, WithoutRulesEverybodyMay) {
  for (const std::string address : {"192.0.2.1:1", "[::1]:1", "", "unix:/x", "nonsense"}) {
    EXPECT_TRUE(allowed({}, request_of(address))) << address;
  }
}

TEST(Access, ByAddress) {
  const struct {
    std::string address;
    std::vector<Network> allow, deny;
    bool allowed;
  } cases[] = {
      {"10.1.2.3:1935", {kTen}, {}, true},
      {"10.1.2.3", {kTen}, {}, true},
      {"11.1.2.3:1935", {kTen}, {}, false},
      {"11.1.2.3:1935", {kTen, kAll}, {}, true},
      {"192.0.2.1:1", {kOne}, {}, true},
      {"192.0.2.0:1", {kOne}, {}, false},
      {"172.31.255.255:1", {kOdd}, {}, true},
      {"172.32.0.0:1", {kOdd}, {}, false},
      {"172.15.255.255:1", {kOdd}, {}, false},
      // deny wins
      {"10.1.2.3:1", {}, {kTen}, false},
      {"11.1.2.3:1", {}, {kTen}, true},
      {"10.1.2.3:1", {kAll}, {kTen}, false},
      {"192.0.2.1:1", {kOne}, {kAll}, false},
      // IPv6, and IPv4 within it
      {"[2001:db8::1]:1", {kSix}, {}, true},
      {"2001:db8::1", {kSix}, {}, true},
      {"[2001:db9::1]:1", {kSix}, {}, false},
      {"[::ffff:10.1.2.3]:1", {kTen}, {}, true},
      {"[::ffff:10.1.2.3]:1", {}, {kTen}, false},
      {"[::10.1.2.3]:1", {kTen}, {}, false},
      // unix sockets: "all" only
      {"", {kTen}, {}, false},
      {"", {kAll}, {}, true},
      {"", {}, {kTen}, true},
      {"", {}, {kAll}, false},
      {"unix:", {kAll}, {}, true},
      {"unix:/run/x", {kTen}, {}, false},
      // what is no address has no right that depends on it
      {"nonsense", {kAll}, {}, false},
      {"nonsense", {}, {kTen}, false},
      {"[::1:1", {kAll}, {}, false},
      {"10.1.2.3.4:1", {kAll}, {}, false},
      {":1", {kAll}, {}, false},
  };
  for (const auto& one : cases) {
    AccessRules rules;
    rules.allow = one.allow;
    rules.deny = one.deny;
    EXPECT_EQ(allowed(rules, request_of(one.address)), one.allowed)
        << one.address << ", case " << &one - cases;
  }
}

// --- keys ----------------------------------------------------------------------------------------

TEST(Access, ByKey) {
  AccessRules rules;
  rules.key = "s3cret&x";
  EXPECT_TRUE(allowed(rules, request_of("", "key=s3cret%26x")));
  EXPECT_TRUE(allowed(rules, request_of("", "a=b&key=s3cret%26x&c=d")));
  for (const std::string parameters :
       {"", "key=", "key", "key=s3cret", "key=s3cret%26", "key=s3cret%26xy", "key=S3cret%26x",
        "kex=s3cret%26x", "xkey=s3cret%26x", "key=s3cret%26x%00"}) {
    EXPECT_EQ(access_text(check_access(rules, request_of("", parameters))),
              "the stream key is missing or wrong (stream?key=KEY)")
        << parameters;
  }
}

// --- tokens --------------------------------------------------------------------------------------

TEST(Access, ATokenIsWhatOpensslMakes) {
  // printf %s 'publish:a.test/live/s:1700000060' | openssl dgst -sha256 -hmac SECRET
  EXPECT_EQ(make_token("SECRET", Right::kPublish, "a.test", "live", "s", "1700000060"),
            "87e4f7ba391f3dcc1c9eb96eccc41c5f6d50ca36f70e102a4e068fc2346184da");
}

TEST(Access, ByToken) {
  AccessRules rules;
  rules.secret = "SECRET";
  const auto token = [](Right right, std::string_view stream, std::string_view expires) {
    return make_token("SECRET", right, "a.test", "live", stream, expires);
  };
  const std::string good = token(Right::kPublish, "s", "1700000060");
  std::string upper = good;
  for (char& byte : upper) byte = static_cast<char>(std::toupper(byte));

  const struct {
    std::string parameters;
    std::string why;
  } cases[] = {
      {"expires=1700000060&token=" + good, ""},
      {"token=" + good + "&expires=1700000060", ""},
      {"expires=1700000000&token=" + token(Right::kPublish, "s", "1700000000"), ""},
      {"expires=1699999999&token=" + token(Right::kPublish, "s", "1699999999"),
       "the token has expired"},
      {"", "missing or malformed"},
      {"token=" + good, "missing or malformed"},
      {"expires=1700000060", "missing or malformed"},
      {"expires=&token=" + token(Right::kPublish, "s", ""), "missing or malformed"},
      {"expires=-1&token=" + token(Right::kPublish, "s", "-1"), "missing or malformed"},
      {"expires=1e10&token=" + token(Right::kPublish, "s", "1e10"), "missing or malformed"},
      {"expires=99999999999999999999&token=" + token(Right::kPublish, "s", "99999999999999999999"),
       "missing or malformed"},
      {"expires=1700000060&token=", "not one of this stream"},
      {"expires=1700000060&token=" + good.substr(1), "not one of this stream"},
      {"expires=1700000060&token=" + good + "0", "not one of this stream"},
      {"expires=1700000060&token=" + upper, "not one of this stream"},
      {"expires=1700000061&token=" + good, "not one of this stream"},
      {"expires=1700000060&token=" + token(Right::kPublish, "t", "1700000060"),
       "not one of this stream"},
      {"expires=1700000060&token=" + token(Right::kPlay, "s", "1700000060"),
       "not one of this stream"},
      {"expires=1700000060&token=" +
           make_token("secret", Right::kPublish, "a.test", "live", "s", "1700000060"),
       "not one of this stream"},
  };
  for (const auto& one : cases) {
    const std::string_view why = access_text(check_access(rules, request_of("", one.parameters)));
    EXPECT_EQ(why.empty(), one.why.empty()) << one.parameters << ": " << why;
    EXPECT_NE(why.find(one.why), std::string_view::npos) << one.parameters << ": " << why;
  }

  AccessRequest play = request_of("", cases[0].parameters);
  play.right = Right::kPlay;
  EXPECT_FALSE(allowed(rules, play));
  const std::string playable = "expires=1700000060&token=" + token(Right::kPlay, "s", "1700000060");
  play.parameters = playable;
  EXPECT_TRUE(allowed(rules, play));
  play.vhost = "b.test";
  EXPECT_FALSE(allowed(rules, play));
}

TEST(Access, AllThatIsAskedForMustBeRight) {
  AccessRules rules;
  rules.allow = {kTen};
  rules.key = "k";
  rules.secret = "SECRET";
  const std::string token =
      "expires=1700000060&token=" +
      make_token("SECRET", Right::kPublish, "a.test", "live", "s", "1700000060");
  const std::string both = "key=k&" + token;
  EXPECT_TRUE(allowed(rules, request_of("10.0.0.1:1", both)));
  EXPECT_FALSE(allowed(rules, request_of("11.0.0.1:1", both)));
  EXPECT_FALSE(allowed(rules, request_of("10.0.0.1:1", token)));
  EXPECT_FALSE(allowed(rules, request_of("10.0.0.1:1", "key=k")));
}

}  // namespace
}  // namespace mpb::rtmp
