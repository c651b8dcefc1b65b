#include "proto/rtmp/handshake.hpp"

#include <gtest/gtest.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <string>

namespace mpb::rtmp {
namespace {

using namespace std::string_literals;

const std::string kServerName = "Genuine Adobe Flash Media Server 001";
const std::string kPlayerName = "Genuine Adobe Flash Player 001";
const std::string kBoth =
    "\xf0\xee\xc2\x4a\x80\x68\xbe\xe8\x2e\x00\xd0\xd1\x02\x9e\x7e\x57"
    "\x6e\xec\x5d\x2d\x29\x80\x6f\xab\x93\xb8\xe6\x36\xcf\xeb\x31\xae"s;

std::string hmac(const std::string& key, const std::string& text) {
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned size = 0;
  HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()),
       reinterpret_cast<const unsigned char*>(text.data()), text.size(), digest, &size);
  return {reinterpret_cast<const char*>(digest), size};
}

/// The digest in a C1 or S1 whose digest block begins at `base`, if it is the right one; else
/// empty.
std::string digest_in(const std::string& block, std::size_t base, const std::string& key) {
  std::size_t sum = 0;
  for (std::size_t i = base; i < base + 4; ++i) sum += static_cast<unsigned char>(block[i]);
  const std::size_t place = base + 4 + sum % 728;
  const std::string digest = block.substr(place, 32);
  return hmac(key, block.substr(0, place) + block.substr(place + 32)) == digest ? digest : "";
}

TEST(RtmpHandshake, TheDigestsAreThoseOfFlash) {
  std::mt19937_64 random(3);
  for (const auto& [scheme, base] :
       {std::pair{HandshakeScheme::kDigest0, 8U}, std::pair{HandshakeScheme::kDigest1, 772U}}) {
    const std::string hello = make_hello(scheme, random);
    const std::string c1_digest = digest_in(hello.substr(1), base, kPlayerName);
    ASSERT_NE(c1_digest, "");
    const std::string answer = answer_hello(hello, random);
    const std::string s1 = answer.substr(1, kHandshakeBlock);
    const std::string s2 = answer.substr(1 + kHandshakeBlock);
    EXPECT_NE(digest_in(s1, base, kServerName), "");
    EXPECT_NE(s1.substr(4, 4), "\0\0\0\0"s) << "clients verify digests of such a version only";
    const std::string key = hmac(kServerName + kBoth, c1_digest);
    EXPECT_EQ(s2.substr(kHandshakeBlock - 32), hmac(key, s2.substr(0, kHandshakeBlock - 32)));
  }
}

TEST(RtmpHandshake, TheSimpleFormHasNoVersion) {
  std::mt19937_64 random(4);
  const std::string hello = make_hello(HandshakeScheme::kSimple, random);
  EXPECT_EQ(hello.substr(1, 8), std::string(8, '\0'));
  const std::string answer = answer_hello(hello, random);
  EXPECT_EQ(answer.substr(1, 8), std::string(8, '\0'));
  EXPECT_NE(answer.substr(9, 1528), hello.substr(9)) << "S1 has random bytes of its own";
  EXPECT_NE(answer_hello(hello, random), answer);
}

TEST(RtmpHandshake, EachSchemeIsDetectedAndAnswered) {
  std::mt19937_64 random(1);
  for (const auto scheme :
       {HandshakeScheme::kSimple, HandshakeScheme::kDigest0, HandshakeScheme::kDigest1}) {
    for (int i = 0; i < 50; ++i) {
      const std::string hello = make_hello(scheme, random);
      ASSERT_EQ(hello.size(), kHelloSize);
      EXPECT_EQ(hello.front(), 3);
      EXPECT_EQ(detect_scheme(std::string_view(hello).substr(1)), scheme);
      const std::string answer = answer_hello(hello, random);
      ASSERT_EQ(answer.size(), kAnswerSize);
      EXPECT_EQ(answer.front(), 3);
      const std::string_view s1 = std::string_view(answer).substr(1, kHandshakeBlock);
      EXPECT_EQ(answer_server(s1), s1);
      const bool echoed = answer.substr(1 + kHandshakeBlock) == hello.substr(1);
      EXPECT_EQ(echoed, scheme == HandshakeScheme::kSimple);
    }
  }
}

TEST(RtmpHandshake, ADigestThatIsWrongInOneBitIsNone) {
  std::mt19937_64 random(2);
  const std::string hello = make_hello(HandshakeScheme::kDigest1, random);
  for (std::size_t i = 9; i < hello.size(); i += 101) {
    std::string broken = hello;
    broken[i] = static_cast<char>(broken[i] ^ 1);
    EXPECT_EQ(detect_scheme(std::string_view(broken).substr(1)), HandshakeScheme::kSimple) << i;
  }
}

}  // namespace
}  // namespace mpb::rtmp
