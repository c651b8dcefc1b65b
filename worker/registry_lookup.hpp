// What a Registry has under a name: services are made of it, and what they need is told.
#pragma once

#include <string_view>

#include "common/base/error.hpp"
#include "mpbroker/worker.hpp"
#include "worker/service.hpp"

namespace mpb {

/// A service with classifier and handler. An unknown name is a usage error that lists those that
/// can be chosen. `handler` empty: the default.
Result<Service> make_service(const Registry& registry, std::string_view protocol,
                             std::string_view handler, Environment& environment,
                             const ListenerTraits& traits);

/// The error that make_service() would give, if any.
Status check_service(const Registry& registry, std::string_view protocol, std::string_view handler);

/// Of one handler (empty: the protocol's default); none where make_service() fails.
Needs needs_of(const Registry& registry, std::string_view protocol, std::string_view handler);
/// Of all handlers together.
Needs all_needs(const Registry& registry);

}  // namespace mpb
