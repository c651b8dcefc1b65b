// Where a client wants to go: vhost, app and stream, out of connect and of stream names, in all the
// forms that SRS accepts. Names are normalised and bounded.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "proto/rtmp/command.hpp"

namespace mpb::rtmp {

inline constexpr std::size_t kMaxVhost = 255;    // bytes of a vhost's name
inline constexpr std::size_t kMaxName = 65'535;  // of an app or stream, and of a tcUrl: a string
                                                 // of AMF0 has no more
inline constexpr std::string_view kDefaultVhost = "__defaultVhost__";

/// Lower case, without port, trailing dot or brackets. An address literal (IPv4, IPv6), an empty
/// name or "__defaultVhost__" gives kDefaultVhost. Nothing: too long, or a byte that no host name
/// has (letters, digits, '-', '_', '.' and bytes above 127 are allowed).
std::optional<std::string> normalize_vhost(std::string_view name);

/// What connect says.
struct ConnectTarget {
  std::string vhost;         // normalised
  bool names_vhost = false;  // by more than tcUrl's host, which may be any name of the server's
  std::string app;           // without parameters
  std::string tc_url;        // as sent; at most kMaxName bytes
  std::string parameters;    // of app or tcUrl: "key=a&x=y", without vhost/domain
  double transaction = 0;
  double object_encoding = 0;
  bool enhanced = false;  // it tells what of Enhanced RTMP it can do
};

/// In SRS's order of precedence (later wins): host of tcUrl; "?vhost=" / "?domain=" in tcUrl; the
/// same in app; "app...vhost...NAME" in either. A host that is no name names no vhost. Nothing: not
/// a connect, no app name that can be, a vhost by name that normalize_vhost refuses.
std::optional<ConnectTarget> read_connect(const Command& command);

/// What a stream name says: "s?vhost=b.test&key=abc".
struct StreamTarget {
  std::string stream;      // without parameters; may be empty
  std::string vhost;       // normalised; empty: none named
  std::string parameters;  // without vhost/domain
};
/// Nothing: too long, or a vhost that normalize_vhost refuses.
std::optional<StreamTarget> read_stream_name(std::string_view name);

/// The value of `name` in "a=1&b=2", percent-decoded; nothing when it is not there.
std::optional<std::string> find_parameter(std::string_view parameters, std::string_view name);

/// True for the commands whose first string argument names a stream that the client is about to
/// use: releaseStream, FCPublish, FCSubscribe, getStreamLength, play, publish.
bool names_stream(std::string_view command);

/// True for connect, and for the commands that can only come behind it. Whatever else a client says
/// before its connect is passed over.
bool ends_opening(std::string_view command);

/// "vhost/app/stream".
std::string stream_path(std::string_view vhost, std::string_view app, std::string_view stream);

/// No key is longer.
inline constexpr std::size_t kMaxPathKey = 1024;
/// A path as a key: one that is too long is its beginning, and a hash (FNV-1a) of all of it. Paths
/// that agree in both share an owner.
std::string path_key(std::string path);
/// "vhost/app" as a key.
std::string app_key(std::string_view vhost, std::string_view app);

}  // namespace mpb::rtmp
