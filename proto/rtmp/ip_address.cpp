#include "proto/rtmp/ip_address.hpp"

#include <arpa/inet.h>

#include <algorithm>
#include <charconv>

namespace mpb::rtmp {
namespace {

using namespace std::string_view_literals;

constexpr std::string_view kMapped = "\0\0\0\0\0\0\0\0\0\0\xff\xff"sv;

}  // namespace

std::optional<IpAddress> parse_ip(std::string_view text) {
  const bool v6 = text.find(':') != std::string_view::npos;
  IpAddress address{std::string(v6 ? kIpv6Size : kIpv4Size, '\0')};
  const bool whole = text.find('\0') == std::string_view::npos;
  const std::string terminated(text);
  if (!whole ||
      ::inet_pton(v6 ? AF_INET6 : AF_INET, terminated.c_str(), address.bytes.data()) != 1) {
    return std::nullopt;
  }
  return address;
}

std::string to_text(const IpAddress& address) {
  char text[INET6_ADDRSTRLEN] = "";
  const int family = address.is_v4() ? AF_INET : AF_INET6;
  return ::inet_ntop(family, address.bytes.data(), text, sizeof text);
}

std::optional<std::uint16_t> parse_port(std::string_view text) {
  std::uint16_t value = 0;
  const char* const end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, value);
  if (text.empty() || text.size() > 5 || error != std::errc() || stop != end) return std::nullopt;
  return value;
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
