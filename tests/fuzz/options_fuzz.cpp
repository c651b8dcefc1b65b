// The configuration reader: any text is settings or an error that says something.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "common/options.hpp"
#include "tests/fuzz/check.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto settings = mpb::parse_config(text, "fuzz.ini");
  if (!settings) MPB_FUZZ_REQUIRE(!settings.error().text.empty());
  return 0;
}
