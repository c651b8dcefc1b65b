// An event of the broker as a logfmt line.
#pragma once

#include <string>

#include <boost/json/object.hpp>

namespace mpb::ctl {

/// time=2026-01-31T12:00:00.000Z event=online slot=1 ...: the members in their order, no newline.
/// Safe for a terminal.
std::string event_text(const boost::json::object& event);

}  // namespace mpb::ctl
