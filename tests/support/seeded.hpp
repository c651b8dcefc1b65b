// Random tests that can be repeated: MPB_SEED=<number> in the environment sets the seed, which
// every failure tells.
#pragma once

#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <random>
#include <string>

namespace mpb::test {

class SeededTest : public testing::Test {
 protected:
  /// Between `low` and `high`, both included.
  template <class T>
  T number(T low, T high) {
    // std::uniform_int_distribution knows no 8-bit types.
    return static_cast<T>(std::uniform_int_distribution<std::int64_t>(
        static_cast<std::int64_t>(low), static_cast<std::int64_t>(high))(random_));
  }
  std::uint64_t bits() { return random_(); }
  bool one_in(int n) { return number(1, n) == 1; }

  /// `size` arbitrary bytes, NUL included.
  std::string bytes(std::size_t size) {
    std::string out(size, '\0');
    for (char& c : out) c = static_cast<char>(random_());
    return out;
  }
  /// Between none and `most` bytes: often none, one or the most.
  std::string some_bytes(std::size_t most) {
    switch (number(0, 7)) {
      case 0:
        return {};
      case 1:
        return bytes(1);
      case 2:
        return bytes(most);
      default:
        return bytes(number(std::size_t{0}, most));
    }
  }

 private:
  static std::uint64_t choose_seed() {
    if (const char* given = std::getenv("MPB_SEED")) return std::strtoull(given, nullptr, 10);
    std::random_device device;
    return (std::uint64_t{device()} << 32) | device();
  }

  const std::uint64_t seed_ = choose_seed();
  std::mt19937_64 random_{seed_};
  const testing::ScopedTrace trace_{__FILE__, __LINE__, "MPB_SEED=" + std::to_string(seed_)};
};

}  // namespace mpb::test
