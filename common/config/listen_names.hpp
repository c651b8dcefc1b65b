// Host names as addresses to listen on: localhost:1990 is every address that localhost has.
#pragma once

#include <string_view>
#include <vector>

#include "common/config/settings.hpp"

namespace mpb {

/// True for NAME:PORT, NAME being a host name and no address.
bool is_listen_name(std::string_view text);

/// All addresses of NAME:PORT, as getaddrinfo(3) tells them: this may take as long as name servers
/// let it wait.
Result<std::vector<Endpoint>> resolve_listen_name(std::string_view text);

inline constexpr Duration kLookupLimit{10'000};       // at the start
inline constexpr Duration kReloadLookupLimit{2'000};  // nobody is dispatched meanwhile

/// Looks the host names up that `listeners` are to listen on, if there are any; takes `limit` at
/// most. On an error nothing has changed.
Status resolve_listeners(std::vector<ListenerSettings>& listeners, Duration limit = kLookupLimit);

}  // namespace mpb
