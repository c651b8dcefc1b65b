#include "common/base/keyed_map.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <unordered_set>
#include <vector>

#include "common/base/keyed_flat_map.hpp"
#include "tests/support/colliding_names.hpp"

namespace mpb {
namespace {

using test::colliding_names;

template <class Set>
std::size_t longest_chain(const Set& set) {
  std::size_t longest = 0;
  for (std::size_t i = 0; i < set.bucket_count(); ++i) {
    longest = std::max(longest, set.bucket_size(i));
  }
  return longest;
}

constexpr std::size_t kNames = 4096;
constexpr std::size_t kLongChain = 20;  // by chance in one of 10^15 processes

TEST(KeyedMap, NamesThatWereChosenToCollideDoNot) {
  const std::vector<std::string> names = colliding_names(kNames);
  const std::unordered_set<std::string> known(names.begin(), names.end());
  ASSERT_EQ(known.size(), kNames);
  ASSERT_EQ(longest_chain(known), kNames) << "they no longer collide under std::hash";

  const KeyedSet<std::string> keyed(names.begin(), names.end());
  EXPECT_LT(longest_chain(keyed), kLongChain);
}

TEST(KeyedMap, NeitherDoNumbers) {
  KeyedSet<std::uint64_t> numbers;
  // All of one bucket where a number is its own hash.
  const std::uint64_t buckets = KeyedSet<std::uint64_t>(kNames).bucket_count();
  for (std::uint64_t i = 0; i < kNames; ++i) numbers.insert(i * buckets);
  EXPECT_LT(longest_chain(numbers), kLongChain);
}

constexpr const char* kTell = "MPB_TEST_TELL_HASH";

TEST(KeyedMap, WhatIsEqualHasOneHash) {
  // For the test below, which runs this one in processes of its own.
  if (std::getenv(kTell) != nullptr) std::printf("hash=%zu\n", KeyedHash{}("a"));
  const std::string text(100, 'x');
  EXPECT_EQ(KeyedHash{}(text), KeyedHash{}(std::string_view(text)));
  EXPECT_EQ(KeyedHash{}(text), KeyedHash{}(text.c_str()));
  EXPECT_NE(KeyedHash{}(text), KeyedHash{}(std::string_view(text).substr(1)));
  EXPECT_EQ(KeyedHash{}(7), KeyedHash{}(std::uint64_t{7}));
  const std::array<std::uint8_t, 16> address{1, 2, 3};
  EXPECT_EQ(KeyedHash{}(address), KeyedHash{}(std::array<std::uint8_t, 16>{1, 2, 3}));
  EXPECT_NE(KeyedHash{}(address), KeyedHash{}(std::array<std::uint8_t, 16>{1, 2, 4}));
}

TEST(KeyedMap, TextsAreLookedUpWithoutACopy) {
  KeyedMap<std::string, int> map{{"a", 1}, {"b", 2}};
  KeyedFlatMap<std::string, int> flat{{"a", 1}, {"b", 2}};
  const std::string_view wanted = std::string_view("xb").substr(1);
  EXPECT_EQ(map.find(wanted)->second, 2);
  EXPECT_EQ(flat.find(wanted)->second, 2);
  EXPECT_FALSE(map.contains("c"));
}

TEST(KeyedMap, EachProcessHasAnotherKey) {
  const auto hash_elsewhere = [] {
    std::array<char, 4096> program{};
    if (::readlink("/proc/self/exe", program.data(), program.size() - 1) < 0) return std::string();
    const std::string command = "unset GTEST_TOTAL_SHARDS GTEST_SHARD_INDEX; " +
                                std::string(kTell) + "=1 " + program.data() +
                                " --gtest_filter=KeyedMap.WhatIsEqualHasOneHash";
    const std::unique_ptr<FILE, int (*)(FILE*)> pipe(::popen(command.c_str(), "r"), ::pclose);
    std::string told;
    std::array<char, 256> line{};
    while (pipe && std::fgets(line.data(), line.size(), pipe.get()) != nullptr) {
      if (std::string_view(line.data()).starts_with("hash=")) told = line.data();
    }
    return told;
  };
  const std::string first = hash_elsewhere();
  ASSERT_NE(first, "");
  EXPECT_NE(first, hash_elsewhere());
}

}  // namespace
}  // namespace mpb
