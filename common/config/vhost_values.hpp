// How the values of a [vhost NAME] section are read, and how they are written so that they are read
// back as the same. Errors say what is expected and nothing else, as in
// common/config/option_values.hpp.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/error.hpp"
#include "common/config/vhost_settings.hpp"

namespace mpb {

// With these bounds the largest section has less than kMaxVhostText bytes
// (common/config/vhost_text.hpp).
inline constexpr std::size_t kMaxNetworks = 256;  // of one rule
inline constexpr std::size_t kMaxUpstreams = 32;
inline constexpr std::size_t kMaxHookUrl = 1024;
inline constexpr std::size_t kMaxSecret = 255;

/// A name, normalised: lower case and without a dot at its end. "*.example.com" and
/// "__defaultVhost__" are names, too.
Result<std::string> read_vhost_name(std::string_view text);

/// 0: realtime.
Result<Duration> read_latency(std::string_view text);
/// "first", "silent:TIME" or "last"; see VhostSettings::publisher_yields.
Result<std::optional<Duration>> read_publisher(std::string_view text);
/// "ADDRESS[/BITS]", or "all".
Result<Network> read_network(std::string_view text);
/// "ADDRESS[/BITS],...".
Result<std::vector<Network>> read_networks(std::string_view text);
/// The same, with "unix:" for peers of unix sockets (kUnixPeers).
Result<std::vector<Network>> read_prefix_from(std::string_view text);
/// What can stand in a URL as the value of a parameter.
Result<std::string> read_key(std::string_view text);
/// Any text: it makes tokens, and stands in no URL itself.
Result<std::string> read_secret(std::string_view text);
/// "http://HOST[:PORT]/PATH".
Result<std::string> read_hook_url(std::string_view text);
Result<std::uint64_t> read_bitrate(std::string_view text);
/// "ADDRESS[ backup]".
Result<Upstream> read_upstream(std::string_view text);

std::string format_latency(Duration latency);
std::string format_publisher(std::optional<Duration> yields);
std::string format_network(const Network& network);
std::string format_networks(const std::vector<Network>& networks);
std::string format_upstream(const Upstream& upstream);

}  // namespace mpb
