#include "common/config/http_url.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "common/base/units.hpp"

namespace mpb {
namespace {

constexpr std::string_view kScheme = "http://";
constexpr std::size_t kMaxUrl = 2048;

bool is_host_byte(char byte, bool bracketed) {
  if ((byte >= '0' && byte <= '9') || (byte >= 'a' && byte <= 'z') ||
      (byte >= 'A' && byte <= 'Z')) {
    return true;
  }
  return byte == '.' || (bracketed ? byte == ':' : byte == '-' || byte == '_');
}

Error bad_url(std::string_view text, std::string_view why) {
  return usage_error(
      fmt::format("'{}': {}; a hook is http://HOST[:PORT]/PATH", without_credentials(text), why));
}

}  // namespace

Result<HttpUrl> parse_http_url(std::string_view text) {
  if (text.size() > kMaxUrl) return bad_url(text.substr(0, 64), "longer than 2048 bytes");
  if (text.starts_with("https://")) {
    return bad_url(text,
                   "https is not spoken here: use http, to a server on this machine or in a "
                   "network you trust");
  }
  if (!text.starts_with(kScheme)) return bad_url(text, "does not begin with http://");
  const auto is_url_byte = [](char byte) { return byte > ' ' && byte < 127 && byte != '#'; };
  if (!std::ranges::all_of(text, is_url_byte)) {
    return bad_url(text, "a byte that has to be written as %XX, or a fragment");
  }

  const std::string_view rest = text.substr(kScheme.size());
  const std::string_view authority = rest.substr(0, rest.find_first_of("/?"));
  HttpUrl url;
  url.authority = authority;
  if (authority.size() < rest.size()) {
    const std::string_view target = rest.substr(authority.size());
    url.target = target.starts_with('/') ? std::string(target) : "/" + std::string(target);
  }

  const bool bracketed = authority.starts_with('[');
  std::size_t end = 0;  // of the host
  if (bracketed) {
    end = authority.find(']');
    if (end == std::string_view::npos) return bad_url(text, "no ']' behind the address");
    url.host = authority.substr(1, end - 1);
    ++end;
  } else {
    end = std::min(authority.find(':'), authority.size());
    url.host = authority.substr(0, end);
  }
  const auto is_host = [bracketed](char byte) { return is_host_byte(byte, bracketed); };
  if (url.host.empty() || !std::ranges::all_of(url.host, is_host)) {
    return bad_url(text, "no host that can be");
  }
  if (end == authority.size()) return url;
  url.port = authority.substr(end + 1);
  if (authority[end] != ':' || !parse_integer(url.port, 1, 65'535)) {
    return bad_url(text, "the port is not a number from 1 to 65535");
  }
  return url;
}

std::string without_credentials(std::string_view url) {
  const auto end = url.find_first_of("?#");
  std::string_view shown = url.substr(0, end);
  std::string text;
  if (const auto at = shown.rfind('@'); at != std::string_view::npos) {
    const auto scheme = shown.find("://");
    if (scheme < at) text = shown.substr(0, scheme + 3);
    text += "...";
    shown.remove_prefix(at);
  }
  text += shown;
  if (end != std::string_view::npos) text.append(url.substr(end, 1)).append("...");
  return text;
}

}  // namespace mpb
