// The state that one broker leaves to the next: any bytes are read or refused, and what is read is
// written as it was.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "broker/succession/state.hpp"
#include "tests/fuzz/check.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const auto state = mpb::decode_state(bytes);
  if (!state) {
    MPB_FUZZ_REQUIRE(!state.why().empty());
    return 0;
  }
  MPB_FUZZ_REQUIRE(mpb::encode(*state) == bytes);
  return 0;
}
