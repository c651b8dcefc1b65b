// The answer to `hooks` as a table for people.
#pragma once

#include <string>

#include <boost/json/object.hpp>

namespace mpb::ctl {

/// A line for each worker that has had to do with a hook.
std::string hooks_text(const boost::json::object& answer);

}  // namespace mpb::ctl
