#include "proto/rtmp/handshake.hpp"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "proto/rtmp/big_endian.hpp"

namespace mpb::rtmp {
namespace {

constexpr std::size_t kDigestSize = 32;
constexpr std::size_t kTimeSize = 4;
constexpr std::size_t kRandomAt = 8;  // behind the time and the version

// What both ends know: the first part makes the digests of C1 and S1, all of it those of C2 and S2.
constexpr std::string_view kPlayerKey{
    "Genuine Adobe Flash Player 001"
    "\xf0\xee\xc2\x4a\x80\x68\xbe\xe8\x2e\x00\xd0\xd1\x02\x9e\x7e\x57"
    "\x6e\xec\x5d\x2d\x29\x80\x6f\xab\x93\xb8\xe6\x36\xcf\xeb\x31\xae",
    62};
constexpr std::string_view kServerKey{
    "Genuine Adobe Flash Media Server 001"
    "\xf0\xee\xc2\x4a\x80\x68\xbe\xe8\x2e\x00\xd0\xd1\x02\x9e\x7e\x57"
    "\x6e\xec\x5d\x2d\x29\x80\x6f\xab\x93\xb8\xe6\x36\xcf\xeb\x31\xae",
    68};
constexpr std::string_view kPlayerName = kPlayerKey.substr(0, 30);
constexpr std::string_view kServerName = kServerKey.substr(0, 36);

// Versions in which each end shows that it knows digests.
constexpr std::string_view kPlayerVersion{"\x80\x00\x07\x02", 4};
constexpr std::string_view kServerVersion{"\x04\x05\x00\x01", 4};

using Digest = std::array<char, kDigestSize>;

Digest hmac(std::string_view key, std::string_view first, std::string_view second = {}) {
  std::string text;
  text.reserve(first.size() + second.size());
  text.append(first).append(second);
  Digest digest{};
  unsigned size = 0;
  ::HMAC(::EVP_sha256(), key.data(), static_cast<int>(key.size()),
         reinterpret_cast<const unsigned char*>(text.data()), text.size(),
         reinterpret_cast<unsigned char*>(digest.data()), &size);
  return digest;
}

/// Where a scheme has the digest in C1 and S1: four bytes at the block's beginning say how far in.
std::size_t digest_place(std::string_view block, HandshakeScheme scheme) {
  constexpr std::size_t kOffsets = 728;  // places a digest can have
  const std::size_t base = scheme == HandshakeScheme::kDigest0 ? 8 : 772;
  std::size_t sum = 0;
  for (std::size_t i = 0; i < kTimeSize; ++i) sum += static_cast<unsigned char>(block[base + i]);
  return base + kTimeSize + sum % kOffsets;
}

Digest digest_around(std::string_view block, std::size_t place, std::string_view key) {
  return hmac(key, block.substr(0, place), block.substr(place + kDigestSize));
}

bool verifies(std::string_view c1, HandshakeScheme scheme) {
  const std::size_t place = digest_place(c1, scheme);
  const Digest digest = digest_around(c1, place, kPlayerName);
  return ::CRYPTO_memcmp(digest.data(), c1.data() + place, kDigestSize) == 0;
}

void append_random(std::string& out, std::size_t size, std::mt19937_64& random) {
  for (const std::size_t end = out.size() + size; out.size() < end;) {
    const std::uint64_t bits = random();
    char bytes[sizeof bits];
    std::memcpy(bytes, &bits, sizeof bits);
    out.append(bytes, std::min(sizeof bytes, end - out.size()));
  }
}

/// A C1 or S1.
std::string make_block(HandshakeScheme scheme, std::string_view version, std::string_view key,
                       std::mt19937_64& random) {
  const bool simple = scheme == HandshakeScheme::kSimple;
  std::string block;
  block.reserve(kHandshakeBlock);
  block.append(kTimeSize, '\0');
  block += simple ? std::string_view("\0\0\0\0", kTimeSize) : version;
  append_random(block, kHandshakeBlock - kRandomAt, random);
  if (simple) return block;
  const std::size_t place = digest_place(block, scheme);
  const Digest digest = digest_around(block, place, key);
  std::copy(digest.begin(), digest.end(), block.begin() + static_cast<std::ptrdiff_t>(place));
  return block;
}

}  // namespace

HandshakeScheme detect_scheme(std::string_view c1) {
  // A version of zero is that of clients that know no digests.
  if (load_be(c1.data() + kTimeSize, kTimeSize) == 0) return HandshakeScheme::kSimple;
  for (const auto scheme : {HandshakeScheme::kDigest0, HandshakeScheme::kDigest1}) {
    if (verifies(c1, scheme)) return scheme;
  }
  return HandshakeScheme::kSimple;
}

std::string answer_hello(std::string_view c0c1, std::mt19937_64& random) {
  const std::string_view c1 = c0c1.substr(1, kHandshakeBlock);
  const HandshakeScheme scheme = detect_scheme(c1);
  std::string answer(1, static_cast<char>(kVersion));
  answer.reserve(kAnswerSize);
  answer += make_block(scheme, kServerVersion, kServerName, random);
  if (scheme == HandshakeScheme::kSimple) {
    answer += c1;
    return answer;
  }
  // S2 is signed with a key that only who has read the client's digest can know.
  std::string s2;
  s2.reserve(kHandshakeBlock);
  append_random(s2, kHandshakeBlock - kDigestSize, random);
  const std::string_view digest = c1.substr(digest_place(c1, scheme), kDigestSize);
  const Digest key = hmac(kServerKey, digest);
  const Digest signature = hmac({key.data(), key.size()}, s2);
  answer += s2;
  answer.append(signature.data(), signature.size());
  return answer;
}

std::string make_hello(HandshakeScheme scheme, std::mt19937_64& random) {
  return std::string(1, static_cast<char>(kVersion)) +
         make_block(scheme, kPlayerVersion, kPlayerName, random);
}

std::string answer_server(std::string_view s1) {
  return std::string(s1.substr(0, kHandshakeBlock));
}

}  // namespace mpb::rtmp
