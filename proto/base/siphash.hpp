// SipHash-1-3: a hash of bytes under a key. Who does not know the key cannot choose texts that have
// the same hash.
// Source: Aumasson and Bernstein, "SipHash: a fast short-input PRF", 2012; one round for each block
// and three at the end, as hash tables of Rust and CPython have it.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "proto/base/byte_order.hpp"

namespace mpb {

struct SipKey {
  std::uint64_t low = 0;   // the first eight bytes, little-endian
  std::uint64_t high = 0;  // the others
};

class SipState {
 public:
  explicit SipState(SipKey key)
      : v0_(key.low ^ 0x736f6d6570736575),
        v1_(key.high ^ 0x646f72616e646f6d),
        v2_(key.low ^ 0x6c7967656e657261),
        v3_(key.high ^ 0x7465646279746573) {}

  void block(std::uint64_t word) {
    v3_ ^= word;
    round();
    v0_ ^= word;
  }
  [[nodiscard]] std::uint64_t finish() {
    v2_ ^= 0xff;
    for (int i = 0; i < 3; ++i) round();
    return v0_ ^ v1_ ^ v2_ ^ v3_;
  }

 private:
  void round() {
    v0_ += v1_;
    v1_ = std::rotl(v1_, 13) ^ v0_;
    v0_ = std::rotl(v0_, 32);
    v2_ += v3_;
    v3_ = std::rotl(v3_, 16) ^ v2_;
    v0_ += v3_;
    v3_ = std::rotl(v3_, 21) ^ v0_;
    v2_ += v1_;
    v1_ = std::rotl(v1_, 17) ^ v2_;
    v2_ = std::rotl(v2_, 32);
  }

  std::uint64_t v0_;
  std::uint64_t v1_;
  std::uint64_t v2_;
  std::uint64_t v3_;
};

inline std::uint64_t siphash13(SipKey key, std::string_view bytes) {
  SipState state(key);
  std::uint64_t last = std::uint64_t{bytes.size()} << 56;  // modulo 256, and what is no whole block
  constexpr std::size_t kBlock = sizeof(std::uint64_t);
  for (; bytes.size() >= kBlock; bytes.remove_prefix(kBlock)) {
    state.block(load_le<std::uint64_t>(bytes.data()));
  }
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    last |= std::uint64_t{static_cast<unsigned char>(bytes[i])} << (8 * i);
  }
  state.block(last);
  return state.finish();
}

}  // namespace mpb
