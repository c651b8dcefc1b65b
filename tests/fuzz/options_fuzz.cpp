// The configuration reader: any text is settings or an error that says something. Vhosts are the
// same after their way to a worker.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "common/config/options.hpp"
#include "common/config/vhost_text.hpp"
#include "tests/fuzz/check.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto settings = mpb::parse_config(text, "fuzz.ini");
  if (!settings) {
    MPB_FUZZ_REQUIRE(!settings.error().text.empty());
    return 0;
  }
  std::string vhosts;
  for (const std::string& part : mpb::format_vhosts(settings->vhosts)) vhosts += part;
  const auto again = mpb::parse_vhosts(vhosts, "vhosts");
  MPB_FUZZ_REQUIRE(again && *again == settings->vhosts);
  return 0;
}
