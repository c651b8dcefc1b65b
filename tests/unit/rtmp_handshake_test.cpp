#include "proto/rtmp/handshake.hpp"

#include <gtest/gtest.h>

#include <string>

namespace mpb::rtmp {
namespace {

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
