// Who may publish or play: addresses, stream keys, and tokens that expire.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "common/config/vhost_settings.hpp"
#include "mpbroker/notice.hpp"

namespace mpb::rtmp {

enum class Right : std::uint8_t { kPublish, kPlay };

/// Who wants what. The names are normalised, and of the vhost that serves the client.
struct AccessRequest {
  Right right = Right::kPlay;
  /// "192.0.2.1:1234", "[::1]:1", "192.0.2.1" or "::1". Empty or "unix:...": a client of a unix
  /// socket, which only "all" matches.
  std::string_view address;
  std::string_view vhost;
  std::string_view app;
  std::string_view stream;
  std::string_view parameters;  // "key=abc&x=y"
  std::int64_t unix_seconds = 0;
};

/// Why the client is refused; kNone: it is not. Address, key and token must all be right, as far as
/// `rules` asks for them. How long it takes does not tell how much of a key or token was right.
Reason check_access(const AccessRules& rules, const AccessRequest& request);

/// The same in words for the client.
std::string_view access_text(Reason reason);

/// The token for "?expires=EXPIRES&token=TOKEN": HMAC-SHA256 with the key `secret` of
/// "publish:vhost/app/stream:EXPIRES" (or "play:..."), in lower-case hexadecimal.
std::string make_token(std::string_view secret, Right right, std::string_view vhost,
                       std::string_view app, std::string_view stream, std::string_view expires);

}  // namespace mpb::rtmp
