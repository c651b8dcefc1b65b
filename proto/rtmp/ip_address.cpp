#include "proto/rtmp/ip_address.hpp"

#include <algorithm>
#include <charconv>

#include "proto/rtmp/big_endian.hpp"

namespace mpb::rtmp {
namespace {

using namespace std::string_view_literals;

constexpr std::string_view kMapped = "\0\0\0\0\0\0\0\0\0\0\xff\xff"sv;
constexpr std::size_t kGroups = kIpv6Size / 2;

template <class T>
std::optional<T> number(std::string_view text, std::size_t most_digits, int base) {
  T value = 0;
  const char* const end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, value, base);
  if (text.empty() || text.size() > most_digits || error != std::errc() || stop != end) return {};
  return value;
}

std::optional<IpAddress> parse_v4(std::string_view text) {
  IpAddress address;
  for (std::size_t part = 0; part < kIpv4Size; ++part) {
    const bool last = part + 1 == kIpv4Size;
    const std::size_t dot = last ? text.size() : text.find('.');
    if (dot == std::string_view::npos) return std::nullopt;
    const std::string_view digits = text.substr(0, dot);
    const auto byte = number<std::uint8_t>(digits, 3, 10);
    // A leading zero would be octal to some.
    if (!byte || (digits.size() > 1 && digits.front() == '0')) return std::nullopt;
    address.bytes.push_back(static_cast<char>(*byte));
    text.remove_prefix(last ? dot : dot + 1);
  }
  return address;
}

/// Groups between single colons, the last of them perhaps in IPv4 form; empty `text`: none.
/// False: malformed, or too many bytes for an address.
bool parse_groups(std::string_view text, bool may_end_in_v4, std::string& bytes) {
  while (!text.empty()) {
    const std::size_t colon = text.find(':');
    const std::string_view group = text.substr(0, colon);
    const bool last = colon == std::string_view::npos;
    if (last && may_end_in_v4 && group.find('.') != std::string_view::npos) {
      const auto v4 = parse_v4(group);
      if (!v4) return false;
      bytes += v4->bytes;
    } else {
      const auto value = number<std::uint16_t>(group, 4, 16);
      if (!value) return false;
      append_be(bytes, *value, 2);
    }
    if (bytes.size() > kIpv6Size) return false;
    if (last) return true;
    text.remove_prefix(colon + 1);
    if (text.empty()) return false;
  }
  return true;
}

std::optional<IpAddress> parse_v6(std::string_view text) {
  IpAddress address;
  const std::size_t gap = text.find("::");
  if (gap == std::string_view::npos) {
    if (!parse_groups(text, true, address.bytes) || address.bytes.size() != kIpv6Size) return {};
    return address;
  }
  std::string behind;
  if (!parse_groups(text.substr(0, gap), false, address.bytes) ||
      !parse_groups(text.substr(gap + 2), true, behind) ||
      address.bytes.size() + behind.size() > kIpv6Size - 2) {
    return std::nullopt;
  }
  address.bytes.resize(kIpv6Size - behind.size(), '\0');
  address.bytes += behind;
  return address;
}

std::string v4_text(std::string_view bytes) {
  std::string out;
  for (const char byte : bytes) {
    if (!out.empty()) out += '.';
    out += std::to_string(static_cast<unsigned char>(byte));
  }
  return out;
}

struct Run {
  std::size_t begin = 0;
  std::size_t size = 0;
};

/// The first of the longest runs of zero groups.
Run longest_zeros(std::string_view bytes) {
  Run best;
  Run run;
  for (std::size_t i = 0; i < kGroups; ++i) {
    if (load_be(bytes.data() + 2 * i, 2) != 0) {
      run.size = 0;
      continue;
    }
    if (run.size == 0) run.begin = i;
    if (++run.size > best.size) best = run;
  }
  return best;
}

std::string v6_text(std::string_view bytes) {
  if (bytes.substr(0, kMapped.size()) == kMapped) {
    return "::ffff:" + v4_text(bytes.substr(kMapped.size()));
  }
  const Run zeros = longest_zeros(bytes);
  const bool shortened = zeros.size >= 2;
  std::string out;
  for (std::size_t i = 0; i < kGroups; ++i) {
    if (shortened && i == zeros.begin) {
      out += "::";
      i += zeros.size - 1;
      continue;
    }
    if (!out.empty() && out.back() != ':') out += ':';
    char digits[4];
    const auto end =
        std::to_chars(digits, digits + sizeof digits, load_be(bytes.data() + 2 * i, 2), 16);
    out.append(digits, end.ptr);
  }
  return out;
}

}  // namespace

std::optional<IpAddress> parse_ip(std::string_view text) {
  return text.find(':') == std::string_view::npos ? parse_v4(text) : parse_v6(text);
}

std::string to_text(const IpAddress& address) {
  return address.is_v4() ? v4_text(address.bytes) : v6_text(address.bytes);
}

std::optional<std::uint16_t> parse_port(std::string_view text) {
  return number<std::uint16_t>(text, 5, 10);
}

std::optional<IpEndpoint> parse_endpoint(std::string_view text) {
  std::string_view host = text;
  std::string_view port;
  bool has_port = false;
  if (!text.empty() && text.front() == '[') {
    const std::size_t end = text.find(']');
    if (end == std::string_view::npos) return std::nullopt;
    host = text.substr(1, end - 1);
    port = text.substr(end + 1);
    has_port = !port.empty();
    if (has_port && port.front() != ':') return std::nullopt;
    if (host.find(':') == std::string_view::npos) return std::nullopt;
  } else if (std::count(text.begin(), text.end(), ':') == 1) {
    host = text.substr(0, text.find(':'));
    port = text.substr(host.size());
    has_port = true;
  }
  auto address = parse_ip(host);
  if (!address) return std::nullopt;
  IpEndpoint endpoint{std::move(*address), 0};
  if (has_port) {
    const auto value = parse_port(port.substr(1));
    if (!value) return std::nullopt;
    endpoint.port = *value;
  }
  return endpoint;
}

std::string to_text(const IpEndpoint& endpoint) {
  const std::string port = ":" + std::to_string(endpoint.port);
  const std::string host = to_text(endpoint.address);
  return endpoint.address.is_v4() ? host + port : "[" + host + "]" + port;
}

IpAddress as_v6(const IpAddress& address) {
  if (!address.is_v4()) return address;
  return {std::string(kMapped) + address.bytes};
}

IpAddress unmapped(const IpAddress& address) {
  if (address.is_v4() || address.bytes.compare(0, kMapped.size(), kMapped) != 0) return address;
  return {address.bytes.substr(kMapped.size())};
}

}  // namespace mpb::rtmp
