// The answer to `streams` as a table for people.
#pragma once

#include <string>

#include <boost/json/object.hpp>

namespace mpb::ctl {

/// The streams, then a line with their number and sums. Safe for a terminal.
std::string streams_text(const boost::json::object& answer);

}  // namespace mpb::ctl
