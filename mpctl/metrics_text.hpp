// The status answer as metrics.
#pragma once

#include <string>

#include <boost/json/object.hpp>

namespace mpb::ctl {

/// What the answer lacks is left out, so that no counter seems to begin anew.
std::string metrics_text(const boost::json::object& status);

}  // namespace mpb::ctl
