#include "bench/common/option_reader.hpp"

#include <charconv>

namespace mpb::load {
namespace {

constexpr double kMaxRate = 10'000'000;

}  // namespace

bool OptionReader::given(const char* option) const {
  return values_.count(option) > 0 && !values_[option].defaulted();
}

void OptionReader::read_duration(const char* option, Duration& value) {
  read(option, value, [](std::string_view text) -> Result<Duration> {
    const auto duration = parse_duration(text);
    if (duration && duration->count() == 0) return usage_error("must be more than 0");
    return duration;
  });
}

void OptionReader::forbid(std::string_view with, std::initializer_list<const char*> options) {
  for (const char* option : options) {
    if (has(option) && given(option)) {
      fail(usage_error(fmt::format("--{} does not go with {}", option, with)));
    }
  }
}

Result<double> parse_rate(std::string_view text) {
  double value = 0;
  const auto [end, status] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (status != std::errc() || end != text.data() + text.size() || !(value >= 0.001) ||
      value > kMaxRate) {
    return usage_error(
        fmt::format("'{}' is not a number of clients a second from 0.001 to {}", text, kMaxRate));
  }
  return value;
}

/// parse_endpoint, which knows no names, with the one name that needs no look-up.
Result<Endpoint> parse_target(std::string_view text) {
  constexpr std::string_view kLocalhost = "localhost:";
  if (!text.starts_with(kLocalhost)) return parse_endpoint(text);
  return parse_endpoint(fmt::format("127.0.0.1:{}", text.substr(kLocalhost.size())));
}

Result<Endpoint> parse_host_port(const std::string& host, const std::string& port) {
  const bool v6 = host.find(':') != std::string::npos && !host.starts_with('[');
  auto target =
      parse_target(v6 ? fmt::format("[{}]:{}", host, port) : fmt::format("{}:{}", host, port));
  if (!target) {
    return usage_error(fmt::format(
        "HOST PORT '{} {}': HOST is an IPv4 or IPv6 address or localhost, PORT is 1 to 65535", host,
        port));
  }
  return target;
}

}  // namespace mpb::load
