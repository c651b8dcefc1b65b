// Looking up a host name in a coroutine.
#pragma once

#include <cstdint>
#include <string>

#include <boost/asio/awaitable.hpp>

#include "worker/names/name_resolver.hpp"

namespace mpb {

/// What is known of `name` now, else what is found within `limit`. In the context of
/// WorkerEnvironment::asio().
boost::asio::awaitable<NameResolver::Found> resolve(NameResolver& names, std::string name,
                                                    std::uint16_t port, Duration limit);

}  // namespace mpb
