// What a Registry has under a name: listeners are served by it, and what they need is told.
#pragma once

#include <string_view>

#include "common/base/error.hpp"
#include "mpbroker/worker.hpp"
#include "worker/served_listener.hpp"

namespace mpb {

/// A listener with classifier and handler. An unknown name is a usage error that lists those that
/// can be chosen. `handler` empty: the default.
Result<ServedListener> make_listener(const Registry& registry, std::string_view protocol,
                                     std::string_view handler, Environment& environment,
                                     const ListenerTraits& traits);

/// The error that make_listener() would give, if any.
Status check_listener(const Registry& registry, std::string_view protocol,
                      std::string_view handler);

/// Of one handler (empty: the protocol's default); none where make_listener() fails.
Needs needs_of(const Registry& registry, std::string_view protocol, std::string_view handler);
/// Of all handlers together.
Needs all_needs(const Registry& registry);

}  // namespace mpb
