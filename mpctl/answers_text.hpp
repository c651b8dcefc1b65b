// What workers answered to mpctl ask.
#pragma once

#include <string>

#include <boost/json/object.hpp>

namespace mpb::ctl {

/// A line for each worker that answered: "0.1: text".
std::string answers_text(const boost::json::object& answer);
/// A line for each that did not, with why; empty: all did.
std::string missing_answers_text(const boost::json::object& answer);

}  // namespace mpb::ctl
