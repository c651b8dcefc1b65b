#include "bench/load/common_options.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

namespace mpb::load {

Result<Endpoint> read_target(std::string_view text) {
  constexpr std::string_view kLocalhost = "localhost:";
  if (!text.starts_with(kLocalhost)) return parse_endpoint(text);
  return parse_endpoint(fmt::format("127.0.0.1:{}", text.substr(kLocalhost.size())));
}

Result<double> read_rate(std::string_view text) {
  constexpr double kMaxRate = 10'000'000;
  double value = 0;
  const auto [end, status] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (status != std::errc() || end != text.data() + text.size() || !(value >= 0.001) ||
      value > kMaxRate) {
    return usage_error(
        fmt::format("expected a number of clients a second from 0.001 to {}", kMaxRate));
  }
  return value;
}

Status settle_target(TargetSettings& settings, const OptionLine& line,
                     std::initializer_list<std::size_t> counts, std::string_view usage) {
  const auto& words = line.arguments;
  if (line.has("connect")) {
    if (words.empty()) return {};
    return usage_error("--connect takes the place of HOST PORT: give one of them");
  }
  if (std::find(counts.begin(), counts.end(), words.size()) == counts.end()) {
    return usage_error(std::string(usage));
  }
  const std::string& host = words[0];
  const bool v6 = host.find(':') != std::string::npos && !host.starts_with('[');
  const auto target =
      read_target(fmt::format(fmt::runtime(v6 ? "[{}]:{}" : "{}:{}"), host, words[1]));
  if (!target) {
    return usage_error(fmt::format(
        "HOST PORT '{} {}': HOST is an IPv4 or IPv6 address or localhost, PORT is 1 to 65535", host,
        words[1]));
  }
  settings.target = *target;
  return {};
}

Status check_descriptors(std::string_view program, std::uint64_t clients, std::uint64_t needed,
                         std::uint64_t available) {
  if (needed <= available) return {};
  return usage_error(
      fmt::format("{} clients at once need {} descriptors, but this process may have {}: ask for "
                  "fewer, raise the hard limit (ulimit -Hn), or run several {}",
                  clients, needed, available, program));
}

Status check_sources(const TargetSettings& settings, const OptionLine& line) {
  if (!line.has("sources") || is_ipv4_loopback(settings.target)) return {};
  return usage_error("--sources goes with a target in 127.0.0.0/8 only");
}

}  // namespace mpb::load
