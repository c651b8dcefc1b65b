// The RTMP handshake, both ends. Pure: randomness comes from the caller.
// Source: Adobe's RTMP Specification 1.0, 5.2; the digest ("complex") form as Flash Player 9 and
// librtmp speak it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <random>
#include <string>
#include <string_view>

namespace mpb::rtmp {

inline constexpr std::uint8_t kVersion = 3;
inline constexpr std::size_t kHandshakeBlock = 1536;                 // C1, C2, S1 and S2
inline constexpr std::size_t kHelloSize = 1 + kHandshakeBlock;       // C0C1
inline constexpr std::size_t kAnswerSize = 1 + 2 * kHandshakeBlock;  // S0S1S2

enum class HandshakeScheme : std::uint8_t {
  kSimple,
  kDigest0,  // digest in the block that begins at byte 8
  kDigest1,  // digest in the block that begins at byte 772
};

/// Which scheme C1 is made in: a digest that verifies, else simple.
HandshakeScheme detect_scheme(std::string_view c1);

/// S0S1S2 for `c0c1` (kHelloSize bytes whose first is kVersion), in the client's scheme.
std::string answer_hello(std::string_view c0c1, std::mt19937_64& random);

/// The client's ends: C0C1, and C2 for the server's `s1` (kHandshakeBlock bytes; the simple echo,
/// which every server takes).
std::string make_hello(HandshakeScheme scheme, std::mt19937_64& random);
std::string answer_server(std::string_view s1);

}  // namespace mpb::rtmp
