#include "proto/rtmp/location.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <tuple>
#include <utility>

#include "proto/rtmp/ip_address.hpp"

namespace mpb::rtmp {
namespace {

constexpr std::size_t kMaxPort = 5;           // digits
constexpr std::string_view kOldForm = "...";  // between app, "vhost" and the name
constexpr std::string_view kOldVhost = "...vhost...";
constexpr std::string_view kOldInstance = "/_definst_";  // that FMLE appends to the app

/// "a?b" gives {"a", "b"}.
std::pair<std::string_view, std::string_view> split(std::string_view text, char separator) {
  const auto at = text.find(separator);
  if (at == std::string_view::npos) return {text, {}};
  return {text.substr(0, at), text.substr(at + 1)};
}

char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

bool is_host_byte(char c) {
  return (lower(c) >= 'a' && lower(c) <= 'z') || is_digit(c) || c == '-' || c == '_' || c == '.' ||
         static_cast<unsigned char>(c) > 127;
}

bool is_port(std::string_view text) {
  return text.size() <= kMaxPort && std::all_of(text.begin(), text.end(), is_digit);
}

bool is_ipv4(std::string_view text) {
  const std::optional<IpAddress> address = parse_ip(text);
  return address && address->is_v4();
}

/// It may have a zone: "fe80::1%eth0".
bool is_ipv6(std::string_view text) {
  const auto [address, zone] = split(text, '%');
  const std::optional<IpAddress> parsed = parse_ip(address);
  return parsed && !parsed->is_v4() && std::all_of(zone.begin(), zone.end(), is_host_byte);
}

/// "[...]" or "[...]:port".
bool is_bracketed_address(std::string_view name) {
  const auto end = name.find(']');
  if (end == std::string_view::npos) return false;
  const std::string_view port = name.substr(end + 1);
  return (port.empty() || (port.front() == ':' && is_port(port.substr(1)))) &&
         is_ipv6(name.substr(1, end - 1));
}

bool has_control_byte(std::string_view text) {
  return std::any_of(text.begin(), text.end(),
                     [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; });
}

bool is_name(std::string_view text) {
  return text.size() <= kMaxName && !has_control_byte(text);
}

std::string_view trim_slashes(std::string_view text) {
  while (text.starts_with('/')) text.remove_prefix(1);
  while (text.ends_with('/')) text.remove_suffix(1);
  return text;
}

int hex_digit(char c) {
  if (is_digit(c)) return c - '0';
  return lower(c) >= 'a' && lower(c) <= 'f' ? lower(c) - 'a' + 10 : -1;
}

/// What is not "%" and two hexadecimal digits stays as it is.
std::string decode_percent(std::string_view text) {
  std::string decoded;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '%' && i + 2 < text.size() && hex_digit(text[i + 1]) >= 0 &&
        hex_digit(text[i + 2]) >= 0) {
      decoded += static_cast<char>(hex_digit(text[i + 1]) * 16 + hex_digit(text[i + 2]));
      i += 2;
    } else {
      decoded += text[i];
    }
  }
  return decoded;
}

bool names_vhost(std::string_view parameter) {
  return parameter == "vhost" || parameter == "domain";
}

std::string without_vhost(std::string_view parameters) {
  std::string kept;
  while (!parameters.empty()) {
    const auto [parameter, rest] = split(parameters, '&');
    parameters = rest;
    if (parameter.empty() || names_vhost(split(parameter, '=').first)) continue;
    if (!kept.empty()) kept += '&';
    kept += parameter;
  }
  return kept;
}

/// The vhost that parameters name; empty: none. As in SRS, "__defaultVhost__" names none.
std::string vhost_of(std::string_view parameters) {
  for (const std::string_view name : {"vhost", "domain"}) {
    std::string vhost = find_parameter(parameters, name).value_or("");
    while (vhost.ends_with('/')) vhost.pop_back();
    if (!vhost.empty() && vhost != kDefaultVhost) return vhost;
  }
  return {};
}

/// "app?parameters" or "app...vhost...NAME" taken apart.
struct Place {
  std::string_view app;
  std::string_view parameters;
  std::string vhost;           // by parameter; empty: none named
  std::string_view old_vhost;  // by the old form; likewise
};

Place read_place(std::string_view text) {
  Place place;
  std::tie(place.app, place.parameters) = split(text, '?');
  place.vhost = vhost_of(place.parameters);
  const auto old = place.app.find(kOldVhost);
  if (old != std::string_view::npos) {
    const std::string_view name = trim_slashes(place.app.substr(old + kOldVhost.size()));
    place.old_vhost = name.substr(0, name.find(kOldForm));
    place.app = place.app.substr(0, place.app.find(kOldForm));
  }
  place.app = trim_slashes(place.app);
  if (place.app.ends_with(kOldInstance)) {
    place.app = trim_slashes(place.app.substr(0, place.app.size() - kOldInstance.size()));
  }
  return place;
}

struct Url {
  std::string_view host;  // with port
  std::string_view path;  // with its first slash and parameters
};

/// "rtmp://user@host:port/path". Without "://" there is no host.
Url split_url(std::string_view url) {
  const auto scheme = url.find("://");
  if (scheme == std::string_view::npos) return {{}, url};
  url.remove_prefix(scheme + 3);
  const auto end = std::min(url.find_first_of("/?"), url.size());
  std::string_view host = url.substr(0, end);
  const auto user = host.rfind('@');
  if (user != std::string_view::npos) host.remove_prefix(user + 1);
  return {host, url.substr(end)};
}

/// The vhost of a URL's host. Whatever stands there has led to this server, so what is no name
/// counts as an address, and its port is nobody's business.
std::string vhost_of_host(std::string_view host) {
  if (const auto whole = normalize_vhost(host)) return *whole;
  const auto name = normalize_vhost(host.substr(0, host.find(':')));
  return name.value_or(std::string(kDefaultVhost));
}

bool tells_capabilities(const amf0::Object& connect) {
  for (const std::string_view name :
       {"fourCcList", "videoFourCcInfoMap", "audioFourCcInfoMap", "capsEx"}) {
    if (amf0::find(connect, name) != nullptr) return true;
  }
  return false;
}

}  // namespace

std::optional<std::string> normalize_vhost(std::string_view name) {
  if (name.starts_with('[')) {
    if (!is_bracketed_address(name)) return std::nullopt;
    return std::string(kDefaultVhost);
  }
  if (is_ipv6(name)) return std::string(kDefaultVhost);
  const auto [host_and_dot, port] = split(name, ':');
  if (!is_port(port)) return std::nullopt;
  std::string_view host = host_and_dot;
  while (host.ends_with('.')) host.remove_suffix(1);
  if (host.size() > kMaxVhost || !std::all_of(host.begin(), host.end(), is_host_byte)) {
    return std::nullopt;
  }
  const bool is_default =
      std::equal(host.begin(), host.end(), kDefaultVhost.begin(), kDefaultVhost.end(),
                 [](char a, char b) { return lower(a) == lower(b); });
  if (host.empty() || is_default || is_ipv4(host)) return std::string(kDefaultVhost);
  std::string normal(host);
  std::transform(normal.begin(), normal.end(), normal.begin(), lower);
  return normal;
}

std::optional<ConnectTarget> read_connect(const Command& command) {
  if (command.name != "connect" || command.arguments.empty()) return std::nullopt;
  const amf0::Object* object = command.arguments.front().object();
  if (object == nullptr) return std::nullopt;
  const std::string_view tc_url = amf0::text(*object, "tcUrl");
  const std::string_view sent_app = amf0::text(*object, "app");
  if (tc_url.size() > kMaxName || sent_app.size() > kMaxName) return std::nullopt;

  const Url url = split_url(tc_url);
  const Place by_url = read_place(url.path);
  const Place by_app = read_place(sent_app);
  std::string_view vhost;
  for (const std::string_view named :
       {std::string_view(by_url.vhost), std::string_view(by_app.vhost), by_url.old_vhost,
        by_app.old_vhost}) {
    if (!named.empty()) vhost = named;
  }
  const std::string_view app = by_app.app.empty() ? by_url.app : by_app.app;
  std::optional<std::string> normal =
      vhost.empty() ? vhost_of_host(url.host) : normalize_vhost(vhost);
  if (!normal || app.empty() || !is_name(app)) return std::nullopt;

  ConnectTarget target;
  target.vhost = std::move(*normal);
  target.names_vhost = !vhost.empty();
  target.app = app;
  target.tc_url = tc_url;
  target.parameters =
      without_vhost(by_app.parameters.empty() ? by_url.parameters : by_app.parameters);
  target.transaction = command.transaction;
  const amf0::Value* encoding = amf0::find(*object, "objectEncoding");
  const double* number = encoding == nullptr ? nullptr : encoding->number();
  target.object_encoding = number != nullptr && *number == 3 ? 3 : 0;
  target.enhanced = tells_capabilities(*object);
  return target;
}

std::optional<StreamTarget> read_stream_name(std::string_view name) {
  if (name.size() > kMaxName) return std::nullopt;
  const auto [path, parameters] = split(name, '?');
  const std::string_view stream = trim_slashes(path);
  if (!is_name(stream)) return std::nullopt;
  StreamTarget target{std::string(stream), {}, without_vhost(parameters)};
  const std::string vhost = vhost_of(parameters);
  if (vhost.empty()) return target;
  std::optional<std::string> normal = normalize_vhost(vhost);
  if (!normal) return std::nullopt;
  target.vhost = std::move(*normal);
  return target;
}

std::optional<std::string> find_parameter(std::string_view parameters, std::string_view name) {
  while (!parameters.empty()) {
    const auto [parameter, rest] = split(parameters, '&');
    parameters = rest;
    const auto [own, value] = split(parameter, '=');
    if (own == name) return decode_percent(value);
  }
  return std::nullopt;
}

bool names_stream(std::string_view command) {
  constexpr std::array<std::string_view, 6> kCommands{"releaseStream",   "FCPublish", "FCSubscribe",
                                                      "getStreamLength", "play",      "publish"};
  return std::find(kCommands.begin(), kCommands.end(), command) != kCommands.end();
}

bool ends_opening(std::string_view command) {
  constexpr std::array<std::string_view, 4> kCommands{"connect", "createStream", "deleteStream",
                                                      "closeStream"};
  return names_stream(command) ||
         std::find(kCommands.begin(), kCommands.end(), command) != kCommands.end();
}

std::string stream_path(std::string_view vhost, std::string_view app, std::string_view stream) {
  std::string path;
  path.reserve(vhost.size() + app.size() + stream.size() + 2);
  return path.append(vhost).append(1, '/').append(app).append(1, '/').append(stream);
}

std::string path_key(std::string path) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  if (path.size() <= kMaxPathKey) return path;
  std::uint64_t hash = 0xcbf29ce484222325;
  for (const char c : path) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3;
  std::string mark = "#";
  for (int shift = 60; shift >= 0; shift -= 4) mark += kDigits[(hash >> shift) & 0xf];
  path.resize(kMaxPathKey - mark.size());
  return path + mark;
}

std::string app_key(std::string_view vhost, std::string_view app) {
  return path_key(std::string(vhost).append(1, '/').append(app));
}

}  // namespace mpb::rtmp
