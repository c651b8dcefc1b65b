#include "proto/control/control.hpp"

#include <bit>

#include "proto/base/byte_order.hpp"

namespace mpb::control {
namespace {

constexpr std::size_t kClaimSize = 1 + sizeof(std::int32_t);

Command read_claim(std::string_view input) {
  if (input.size() < kClaimSize) return {};
  Command command{Command::Kind::kClaim, kClaimSize, 0, {}};
  command.id = std::bit_cast<std::int32_t>(load_le<std::uint32_t>(input.data() + 1));
  return command;
}

Command read_message(std::string_view input, std::size_t seen) {
  const std::string_view body = input.substr(1, kMaxMessage + 1);
  const auto end = body.find('\0', seen > 0 ? seen - 1 : 0);
  if (end != std::string_view::npos) {
    return {Command::Kind::kMessage, 1 + end + 1, 0, body.substr(0, end)};
  }
  if (body.size() > kMaxMessage) return {Command::Kind::kOverlong, 0, 0, {}};
  return {};
}

}  // namespace

Command first_command(std::string_view input, std::size_t seen) {
  if (input.empty()) return {};
  switch (input.front()) {
    case 'C':
      return read_claim(input);
    case 'M':
      return read_message(input, seen);
    case 'W':
      return {Command::Kind::kWho, 1, 0, {}};
    default:
      return {Command::Kind::kUnknown, 0, 0, {}};
  }
}

std::string key_of(std::int32_t id) {
  return std::to_string(id);
}

}  // namespace mpb::control
