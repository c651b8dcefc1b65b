// The control protocol: commands never reach beyond the input, and a command that was whole is the
// same whatever follows it.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "proto/control/control.hpp"
#include "tests/fuzz/check.hpp"

using mpb::control::Command;
using mpb::control::first_command;

namespace {

void check_first(std::string_view input, const Command& command) {
  using Kind = Command::Kind;
  const bool has_size =
      command.kind == Kind::kClaim || command.kind == Kind::kMessage || command.kind == Kind::kWho;
  MPB_FUZZ_REQUIRE((command.size > 0) == has_size);
  MPB_FUZZ_REQUIRE(command.size <= input.size());
  MPB_FUZZ_REQUIRE(command.text.size() <= mpb::control::kMaxMessage);
  if (command.kind == Kind::kMessage) {
    MPB_FUZZ_REQUIRE(command.text.data() == input.data() + 1);
    MPB_FUZZ_REQUIRE(command.size == command.text.size() + 2);
  }
  if (command.kind == Kind::kIncomplete) {
    MPB_FUZZ_REQUIRE(input.size() <= mpb::control::kMaxMessage + 1);
  }
  if (!has_size) return;
  const Command alone = first_command(input.substr(0, command.size));
  MPB_FUZZ_REQUIRE(alone.kind == command.kind && alone.size == command.size);
  MPB_FUZZ_REQUIRE(alone.id == command.id && alone.text == command.text);
  MPB_FUZZ_REQUIRE(first_command(input.substr(0, command.size - 1)).kind == Kind::kIncomplete);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view rest(reinterpret_cast<const char*>(data), size);
  while (true) {
    const Command command = first_command(rest);
    check_first(rest, command);
    if (command.size == 0) return 0;
    rest.remove_prefix(command.size);
  }
}
