#include "common/config/vhost_values.hpp"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>

#include <algorithm>
#include <cstring>

#include "common/config/http_url.hpp"
#include "common/config/network.hpp"
#include "common/config/option_values.hpp"
#include "common/config/secret_reference.hpp"
#include "common/io/host_name.hpp"

namespace mpb {
namespace {

constexpr Duration kLongestMerge{10'000};
constexpr std::string_view kRealtime = "realtime";
constexpr std::string_view kMerge = "merge:";
constexpr std::string_view kFirst = "first";
constexpr std::string_view kSilent = "silent:";
constexpr std::string_view kLast = "last";
constexpr std::string_view kAll = "all";
constexpr std::string_view kUnix = "unix:";
constexpr std::string_view kBackup = "backup";
constexpr std::size_t kMappedBits = 96;  // of the prefix that maps IPv4 into IPv6

char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

bool is_visible(char c) {
  return c > ' ' && c < 0x7f;
}

bool is_ipv4(const std::string& text) {
  in_addr address{};
  return ::inet_pton(AF_INET, text.c_str(), &address) == 1;
}

bool is_ipv6(const std::string& text) {
  in6_addr address{};
  return ::inet_pton(AF_INET6, text.c_str(), &address) == 1;
}

Error networks_error() {
  return usage_error(fmt::format(
      "expected at most {} addresses or networks such as 192.0.2.1, 10.0.0.0/8, ::1, "
      "2001:db8::/32 or all, with commas between them and no bits set behind a network's own",
      kMaxNetworks));
}

bool is_mapped(const Network& network) {
  constexpr std::array<std::uint8_t, 12> kPrefix{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
  return network.bits >= kMappedBits &&
         std::equal(kPrefix.begin(), kPrefix.end(), network.address.begin());
}

/// False: it is neither an IPv4 nor an IPv6 address. `bits` are those of its family before it.
bool read_address(const std::string& text, Network& network, std::size_t& bits) {
  in_addr v4{};
  if (::inet_pton(AF_INET, text.c_str(), &v4) == 1) {
    network.address[10] = network.address[11] = 0xff;
    std::memcpy(&network.address[12], &v4, sizeof v4);
    bits = kMappedBits;
    return true;
  }
  bits = 0;
  return ::inet_pton(AF_INET6, text.c_str(), network.address.data()) == 1;
}

/// True when no bit behind the first `bits` is set.
bool ends_with_its_bits(const Network& network) {
  for (std::size_t bit = network.bits; bit < 128; ++bit) {
    if ((network.address[bit / 8] & (0x80U >> (bit % 8))) != 0) return false;
  }
  return true;
}

Result<std::vector<Network>> read_list(std::string_view text,
                                       Result<Network> (*read)(std::string_view)) {
  std::vector<Network> networks;
  while (true) {
    const auto comma = text.find(',');
    const auto network = read(trimmed(text.substr(0, comma)));
    if (!network) return network.error();
    if (networks.size() == kMaxNetworks) return networks_error();
    networks.push_back(*network);
    if (comma == std::string_view::npos) return networks;
    text.remove_prefix(comma + 1);
  }
}

/// What an error about a secret begins with.
std::string_view where_of(std::string_view value) {
  return is_secret_reference(value) ? "in the file that it names: " : "";
}

}  // namespace

Result<std::string> read_vhost_name(std::string_view text) {
  std::string name(text);
  std::transform(name.begin(), name.end(), name.begin(), lower);
  if (name.ends_with('.')) name.pop_back();
  std::string wanted(kDefaultVhost);
  std::transform(wanted.begin(), wanted.end(), wanted.begin(), lower);
  if (name == wanted) return std::string(kDefaultVhost);
  std::string_view host = name;
  if (host.starts_with("*.")) host.remove_prefix(2);
  if (name.size() <= kMaxOptionName && is_name(host) && !host.starts_with('.') &&
      host.find("..") == std::string_view::npos && !host.ends_with('.') && !is_ipv4(name)) {
    return name;
  }
  return usage_error(fmt::format(
      "expected a host name of at most {} letters, digits, '-', '_' and '.', *.NAME for all names "
      "below it, or {}, which also has the clients that name an address",
      kMaxOptionName, kDefaultVhost));
}

Result<Duration> read_latency(std::string_view text) {
  if (text == kRealtime) return Duration{0};
  if (text.starts_with(kMerge)) {
    const auto merge = parse_duration(text.substr(kMerge.size()));
    if (merge && merge->count() > 0 && *merge <= kLongestMerge) return *merge;
  }
  return usage_error(fmt::format("expected realtime, or merge:TIME with a TIME from 1ms to {}",
                                 format_duration(kLongestMerge)));
}

Result<std::optional<Duration>> read_publisher(std::string_view text) {
  if (text == kFirst) return std::optional<Duration>();
  if (text == kLast) return std::optional(Duration{0});
  if (text.starts_with(kSilent)) {
    const auto time = read_duration(text.substr(kSilent.size()), false);
    if (time) return std::optional(*time);
  }
  return usage_error("expected first, last, or silent:TIME with a TIME above 0 such as silent:3s");
}

Result<Network> read_network(std::string_view text) {
  Network network;
  if (text == kAll) return network;
  const auto slash = text.find('/');
  std::size_t before = 0;
  if (!read_address(std::string(text.substr(0, slash)), network, before)) return networks_error();
  const auto most = static_cast<std::int64_t>(128 - before);
  std::int64_t bits = most;
  if (slash != std::string_view::npos) {
    const auto given = parse_integer(text.substr(slash + 1), 0, most);
    if (!given) return networks_error();
    bits = *given;
  }
  network.bits = static_cast<std::uint8_t>(before + static_cast<std::size_t>(bits));
  if (!ends_with_its_bits(network)) return networks_error();
  return network;
}

Result<std::vector<Network>> read_networks(std::string_view text) {
  return read_list(text, read_network);
}

Result<std::vector<Network>> read_prefix_from(std::string_view text) {
  const auto read_peers = [](std::string_view one) -> Result<Network> {
    return one == kUnix ? Result<Network>(kUnixPeers) : read_network(one);
  };
  auto networks = read_list(text, read_peers);
  if (networks) return networks;
  return usage_error(networks.error().text + "; or unix:, for clients of a unix socket");
}

Result<std::string> read_key(std::string_view text) {
  const auto fits = [](char c) { return is_visible(c) && c != '&'; };
  auto key = read_secret_reference(text, kMaxSecret);
  if (!key) return key;
  if (!key->empty() && key->size() <= kMaxSecret && std::all_of(key->begin(), key->end(), fits)) {
    return key;
  }
  return usage_error(fmt::format(
      "{}expected 1 to {} visible ASCII characters, no '&' among them: it stands in a URL",
      where_of(text), kMaxSecret));
}

Result<std::string> read_secret(std::string_view text) {
  const auto fits = [](char c) { return static_cast<unsigned char>(c) >= ' ' && c != 0x7f; };
  auto secret = read_secret_reference(text, kMaxSecret);
  if (!secret) return secret;
  if (!secret->empty() && secret->size() <= kMaxSecret &&
      std::all_of(secret->begin(), secret->end(), fits)) {
    return secret;
  }
  return usage_error(
      fmt::format("{}expected 1 to {} bytes of text, no control characters among them",
                  where_of(text), kMaxSecret));
}

Result<std::string> read_hook_url(std::string_view value) {
  auto read = read_secret_reference(value, kMaxHookUrl);
  if (!read) return read;
  const std::string& text = *read;
  if (text.starts_with("https://")) {
    return usage_error(
        fmt::format("{}there is no TLS: expected http://HOST[:PORT]/PATH", where_of(value)));
  }
  const auto url = parse_http_url(text);
  // RFC 3986 has neither, and a file would need twice the room for them.
  const bool odd = text.find_first_of("\"\\") != std::string::npos;
  if (url && !odd && text.size() <= kMaxHookUrl) {
    const bool bracketed = url->authority.starts_with('[');
    if (bracketed ? is_ipv6(url->host) : is_ipv4(url->host) || is_host_name(url->host)) {
      return read;
    }
  }
  return usage_error(fmt::format(
      "{}expected http://HOST[:PORT]/PATH of at most {} visible ASCII characters, no '#', '\"' or "
      "'\\' among them, HOST being a name or an address such as 127.0.0.1 or [::1]",
      where_of(value), kMaxHookUrl));
}

Result<std::uint64_t> read_bitrate(std::string_view text) {
  const auto bitrate = parse_bitrate(text);
  if (bitrate) return bitrate;
  return usage_error(
      "expected a bitrate such as 800kbit, 6Mbit or 1Gbit, whole and with its unit, at most "
      "1000Gbit, or 0");
}

Result<Upstream> read_upstream(std::string_view text) {
  Upstream upstream{std::string(text), false};
  const auto blank = text.find_last_of(" \t");
  if (blank != std::string_view::npos && text.substr(blank + 1) == kBackup) {
    upstream = {std::string(trimmed(text.substr(0, blank))), true};
  }
  const std::string& address = upstream.address;
  const auto fits = [](char c) { return is_visible(c) && c != '#'; };
  const auto endpoint = parse_endpoint(address);
  const bool reachable =
      endpoint && (endpoint->family() == AF_UNIX
                       ? address.starts_with("unix:")
                       : !address.starts_with(':') && !endpoint->to_string().ends_with(":0"));
  if (parse_host_and_port(address)) return upstream;
  if (reachable && std::all_of(address.begin(), address.end(), fits)) return upstream;
  return usage_error(
      "expected an address such as 192.0.2.1:1935, [2001:db8::1]:1935, origin.example.com:1935 or "
      "unix:/path, and then perhaps the word backup");
}

std::string format_latency(Duration latency) {
  if (latency.count() == 0) return std::string(kRealtime);
  return fmt::format("{}{}", kMerge, format_duration(latency));
}

std::string format_publisher(std::optional<Duration> yields) {
  if (!yields) return std::string(kFirst);
  if (yields->count() == 0) return std::string(kLast);
  return fmt::format("{}{}", kSilent, format_duration(*yields));
}

std::string format_network(const Network& network) {
  if (network.bits == 0) return std::string(kAll);
  char text[INET6_ADDRSTRLEN] = "";
  const bool v4 = is_mapped(network);
  ::inet_ntop(v4 ? AF_INET : AF_INET6, &network.address[v4 ? 12 : 0], text, sizeof text);
  if (network.bits == 128) return text;
  return fmt::format("{}/{}", text, network.bits - (v4 ? kMappedBits : 0));
}

std::string format_networks(const std::vector<Network>& networks) {
  std::string text;
  for (const Network& network : networks) {
    text.append(text.empty() ? "" : ",").append(format_network(network));
  }
  return text;
}

std::string format_upstream(const Upstream& upstream) {
  return upstream.backup ? fmt::format("{} {}", upstream.address, kBackup) : upstream.address;
}

}  // namespace mpb
