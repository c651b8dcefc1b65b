// The answer to `upstreams` as a table for people.
#pragma once

#include <string>

#include <boost/json/object.hpp>

namespace mpb::ctl {

/// The upstreams as each worker sees them, then a line with their clients. Safe for a terminal.
std::string upstreams_text(const boost::json::object& answer);

}  // namespace mpb::ctl
