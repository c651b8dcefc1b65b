// Keys as events and the status show them: clients chose them.
#pragma once

#include <string>
#include <string_view>

namespace mpb {

/// Plain text, and not more of it than fits a line.
std::string shown_key_of(std::string_view key);

}  // namespace mpb
