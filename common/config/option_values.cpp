#include "common/config/option_values.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>

#include "common/process/worker_accounts.hpp"
#include "proto/channel/message.hpp"

namespace mpb {
namespace {

constexpr std::size_t kMaxAccount = 256;

bool is_control(char c) {
  return static_cast<unsigned char>(c) < ' ' || c == 0x7f;
}

Error pin_error() {
  return usage_error(fmt::format(
      "expected KEY=SLOT[,SLOT...]: a key of 1 to {} bytes or *, and different slots from 0 to {}",
      channel::kMaxKey, kMaxWorkers - 1));
}

}  // namespace

Result<std::string> read_account(std::string_view text) {
  const auto forbidden = [](char c) { return is_control(c) || c == ' ' || c == ':' || c == '/'; };
  if (text.empty() || text.size() > kMaxAccount ||
      std::any_of(text.begin(), text.end(), forbidden)) {
    return usage_error("expected the name or number of an account");
  }
  if (is_account_range(text)) {
    if (const auto range = parse_account_range(text); !range) return range.error();
  }
  return std::string(text);
}

Result<std::string> read_one_account(std::string_view text) {
  auto account = read_account(text);
  if (account && is_account_range(text)) {
    return usage_error("expected the name or number of one account, not a range");
  }
  return account;
}

Result<std::optional<std::uint16_t>> read_acceptors(std::string_view text) {
  if (text == "auto") return std::optional<std::uint16_t>();
  const auto count = parse_integer(text, 0, kMaxWorkers);
  if (!count)
    return usage_error(fmt::format("expected auto or a number from 1 to {}", kMaxWorkers));
  return std::optional(static_cast<std::uint16_t>(*count));
}

Result<std::string> read_variable(std::string_view text) {
  constexpr std::size_t kMost = 4096;
  // Of the service manager, which is none of the workers' business; or told by the broker itself.
  constexpr std::array<std::string_view, 8> kForNone{
      "MPBROKER_",     "LISTEN_", "NOTIFY_SOCKET", "WATCHDOG_", "FDSTORE", "CREDENTIALS_DIRECTORY",
      "INVOCATION_ID", "MAINPID"};
  const std::string_view name = text.substr(0, text.find('='));
  const bool good = !name.empty() && text.size() <= kMost && (name[0] < '0' || name[0] > '9') &&
                    std::all_of(name.begin(), name.end(),
                                [](char c) { return is_letter_or_digit(c) || c == '_'; });
  if (!good) {
    return usage_error(fmt::format(
        "expected NAME or NAME=VALUE of an environment variable, at most {} bytes", kMost));
  }
  for (const std::string_view mine : kForNone) {
    if (name.starts_with(mine)) return usage_error("expected none that is for mpbroker alone");
  }
  return std::string(text);
}

Result<Pin> read_pin(std::string_view text) {
  const auto equals = text.rfind('=');
  if (equals == std::string_view::npos) return pin_error();
  Pin pin{std::string(trimmed(text.substr(0, equals))), {}};
  if (pin.key.empty() || pin.key.size() > channel::kMaxKey) return pin_error();
  std::array<bool, kMaxWorkers> seen{};
  std::string_view rest = text.substr(equals + 1);
  while (true) {
    const auto comma = rest.find(',');
    const auto slot = parse_integer(trimmed(rest.substr(0, comma)), 0, kMaxWorkers - 1);
    if (!slot || std::exchange(seen[static_cast<std::size_t>(*slot)], true)) return pin_error();
    pin.slots.push_back(static_cast<std::uint16_t>(*slot));
    if (comma == std::string_view::npos) return pin;
    rest.remove_prefix(comma + 1);
  }
}

Result<KeepAlive> read_keepalive(std::string_view text) {
  constexpr std::int64_t kMaxSeconds = 32767;  // tcp(7)
  constexpr std::int64_t kMaxProbes = 127;
  KeepAlive keepalive;
  if (text == "no") {
    keepalive.on = false;
    return keepalive;
  }
  const auto seconds = [&](std::string_view part, std::chrono::seconds& value) {
    const auto time = parse_duration(part);
    const bool whole = time && *time % std::chrono::seconds(1) == Duration{0};
    if (!whole || *time < std::chrono::seconds(1) || *time > std::chrono::seconds(kMaxSeconds)) {
      return false;
    }
    value = std::chrono::duration_cast<std::chrono::seconds>(*time);
    return true;
  };
  const auto parts = split(text, ':');
  bool good = parts.size() <= 3 && seconds(parts[0], keepalive.idle);
  if (good && parts.size() > 1) good = seconds(parts[1], keepalive.interval);
  if (good && parts.size() > 2) {
    const auto probes = parse_integer(parts[2], 1, kMaxProbes);
    good = probes.has_value();
    if (good) keepalive.probes = static_cast<int>(*probes);
  }
  if (good) return keepalive;
  return usage_error(fmt::format(
      "expected no, or IDLE[:INTERVAL[:COUNT]] such as 60s:15s:4: times of whole seconds from 1s "
      "to {}s, and a count from 1 to {}",
      kMaxSeconds, kMaxProbes));
}

Result<unsigned> read_mode(std::string_view text) {
  unsigned mode = 0;
  const auto [end, status] = std::from_chars(text.data(), text.data() + text.size(), mode, 8);
  if (status != std::errc() || end != text.data() + text.size() || mode > 0777) {
    return usage_error("expected octal permissions from 0 to 0777");
  }
  return mode;
}

}  // namespace mpb
