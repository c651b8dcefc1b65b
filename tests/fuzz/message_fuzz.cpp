// The channel's codec: what decodes points into the datagram only, can be walked, and is the same
// after it was encoded again. So are the records of an Answer, whatever they are entries of.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "common/answers/record.hpp"
#include "proto/channel/message.hpp"
#include "tests/fuzz/check.hpp"
#include "tests/support/message_reencode.hpp"

namespace {

template <class Entry>
void check_records(std::string_view records) {
  std::string written;
  mpb::read_records<Entry>(records,
                           [&written](const Entry& entry) { mpb::append_record(written, entry); });
  std::string again;
  MPB_FUZZ_REQUIRE(mpb::read_records<Entry>(
      written, [&again](const Entry& entry) { mpb::append_record(again, entry); }));
  MPB_FUZZ_REQUIRE(again == written);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view datagram(reinterpret_cast<const char*>(data), size);
  const auto decoded = mpb::channel::decode(datagram);
  if (!decoded) {
    MPB_FUZZ_REQUIRE(!decoded.why().empty());
    return 0;
  }
  for (const std::string_view view : mpb::test::views_of(*decoded)) {
    MPB_FUZZ_REQUIRE(mpb::test::lies_within(view, datagram));
  }
  if (const auto* answer = std::get_if<mpb::channel::Answer>(&*decoded)) {
    check_records<mpb::StreamEntry>(answer->records);
    check_records<mpb::UpstreamEntry>(answer->records);
    check_records<mpb::HookEntry>(answer->records);
  }
  const std::string canonical = mpb::test::reencode(*decoded);
  MPB_FUZZ_REQUIRE(canonical.size() <= datagram.size());
  const auto again = mpb::channel::decode(canonical);
  MPB_FUZZ_REQUIRE(again);
  MPB_FUZZ_REQUIRE(again->index() == decoded->index());
  MPB_FUZZ_REQUIRE(mpb::test::reencode(*again) == canonical);
  MPB_FUZZ_REQUIRE(mpb::channel::carries_descriptor(*again) ==
                   mpb::channel::carries_descriptor(*decoded));
  return 0;
}
