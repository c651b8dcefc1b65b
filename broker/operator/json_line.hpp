// What goes out of the control socket: JSON, one object a line.
#pragma once

#include <string>

#include <boost/json/object.hpp>

namespace mpb {

/// With its newline. Valid whatever bytes the texts in it have (Boost.JSON writes them as they
/// are), and harmless for a terminal (common/base/plain_text.hpp).
std::string json_line(const boost::json::object& object);

}  // namespace mpb
