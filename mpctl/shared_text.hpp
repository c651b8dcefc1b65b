// The shared tables, for people.
#pragma once

#include <string>

#include <boost/json/object.hpp>

namespace mpb::ctl {

/// What `mpctl table`, `deny` and `allow` print of an answer: the tables, the entries of one, or
/// the value of one entry.
std::string shared_text(const boost::json::object& answer);

}  // namespace mpb::ctl
