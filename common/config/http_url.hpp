// The URL of a web server that is asked by HTTP.
#pragma once

#include <string>
#include <string_view>

#include "common/base/error.hpp"

namespace mpb {

struct HttpUrl {
  std::string host;  // a name or an address, without brackets
  std::string port = "80";
  std::string target = "/";  // path and query
  std::string authority;     // as in the Host header: "host", "host:8085", "[::1]:8085"
};

/// Reads "http://HOST[:PORT][/PATH][?QUERY]", at most 2048 bytes. HOST is a name, an IPv4 address
/// or an IPv6 address in brackets. User names, fragments, https and bytes that no URL has are
/// refused.
Result<HttpUrl> parse_http_url(std::string_view text);

/// As messages show it, also when it is none: without user names and passwords, which stand before
/// '@', and without what stands behind '?' or '#', which may be a token.
std::string without_credentials(std::string_view url);

}  // namespace mpb
