#include "proto/base/siphash.hpp"

#include <gtest/gtest.h>

#include <string>

namespace mpb {
namespace {

/// Bytes 0, 1, 2 and so on.
std::string counting(std::size_t size) {
  std::string bytes;
  for (std::size_t i = 0; i < size; ++i) bytes += static_cast<char>(i);
  return bytes;
}

// As CPython (which has it for its strings) and Rust's standard library give them.
TEST(SipHash, VectorsOfOthers) {
  const SipKey counting_key{0x0706050403020100, 0x0f0e0d0c0b0a0908};
  EXPECT_EQ(siphash13(counting_key, {}), 0xabac0158050fc4dcU);
  EXPECT_EQ(siphash13(counting_key, counting(1)), 0xc9f49bf37d57ca93U);
  EXPECT_EQ(siphash13(counting_key, counting(7)), 0xd3927d989bb11140U);
  EXPECT_EQ(siphash13(counting_key, counting(8)), 0x369095118d299a8eU);
  EXPECT_EQ(siphash13(counting_key, counting(9)), 0x25a48eb36c063de4U);
  EXPECT_EQ(siphash13(counting_key, counting(15)), 0xd320d86d2a519956U);
  EXPECT_EQ(siphash13(counting_key, counting(16)), 0xcc4fdd1a7d908b66U);
  EXPECT_EQ(siphash13(counting_key, counting(63)), 0x9d199062b7bbb3a8U);
  EXPECT_EQ(siphash13({}, "mpbroker"), 0x9d94a5d5149096ebU);
  EXPECT_EQ(siphash13({}, "a longer text than one block"), 0x8da2c619d119f8c7U);
}

}  // namespace
}  // namespace mpb
