// The live view: the workers now, and what happened per second since the last look.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include <boost/json/object.hpp>

namespace mpb::ctl {

/// Rates are "-" at the first look (`before` is null) and for a worker that has been started since,
/// whose counters began anew.
std::string watch_text(const boost::json::object& now, const boost::json::object* before,
                       double seconds);

/// `text` cut to a terminal's size, with the control sequences that draw it over what was there.
std::string redraw_text(std::string_view text, std::size_t columns, std::size_t rows);

}  // namespace mpb::ctl
