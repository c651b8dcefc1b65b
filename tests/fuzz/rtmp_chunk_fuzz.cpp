// The chunk stream: any pieces and any change of reader give the same messages and the same end;
// and a saved state is taken only as it can have been saved. The first byte says which of the two,
// the second seeds the pieces.
#include <cstddef>
#include <cstdint>
#include <random>
#include <string>
#include <string_view>

#include "proto/rtmp/chunk.hpp"
#include "tests/fuzz/check.hpp"
#include "tests/support/chunk_reading.hpp"

namespace {

constexpr std::size_t kLimit = 1024;  // within reach of the fuzzer's inputs

void check_stream(std::uint32_t seed, std::string_view wire) {
  bool moved = false;
  const auto whole = mpb::test::read_in_pieces(
      wire, kLimit, [](std::size_t left) { return left; }, [] { return false; }, moved);
  for (const auto& message : whole.messages) MPB_FUZZ_REQUIRE(message.payload.size() <= kLimit);
  MPB_FUZZ_REQUIRE(whole.left.size() <= 18);
  std::minstd_rand random(seed + 1);
  const std::size_t longest = 1 + random() % 64;
  const auto piece_size = [&](std::size_t) { return std::size_t{1 + random() % longest}; };
  const auto pieces = mpb::test::read_in_pieces(
      wire, kLimit, piece_size, [] { return false; }, moved);
  MPB_FUZZ_REQUIRE(pieces == whole);
  const auto elsewhere = mpb::test::read_in_pieces(
      wire, kLimit, piece_size, [] { return true; }, moved);
  MPB_FUZZ_REQUIRE(moved);
  MPB_FUZZ_REQUIRE(elsewhere == whole);
}

void check_state(std::size_t size, std::string_view bytes) {
  const std::string_view state = bytes.substr(0, size);
  std::string_view rest = bytes.substr(state.size());
  mpb::rtmp::ChunkReader reader(kLimit);
  if (!reader.restore(state)) return;
  std::string again;
  reader.save(again);
  MPB_FUZZ_REQUIRE(again == state);
  mpb::rtmp::Message message;
  while (reader.read(rest, message) == mpb::rtmp::ChunkReader::Result::kMessage) {
    MPB_FUZZ_REQUIRE(message.payload.size() <= kLimit);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  const std::string_view rest(reinterpret_cast<const char*>(data) + 2, size - 2);
  if (data[0] % 2 == 0) {
    check_stream(data[1], rest);
  } else {
    check_state(data[1], rest);
  }
  return 0;
}
