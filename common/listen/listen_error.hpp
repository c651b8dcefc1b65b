// Why an address cannot be listened on, and what to do about it.
#pragma once

#include "common/base/error.hpp"
#include "common/io/endpoint.hpp"

namespace mpb {

/// `error`, of listen_on(), with what is known of its cause: who has the address, which privilege
/// is missing.
Error explain_listen_error(const Endpoint& endpoint, Error error);

}  // namespace mpb
