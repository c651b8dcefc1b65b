// How a value is written: in a file, on a command line, in a request of mpctl.
#pragma once

#include <string>
#include <string_view>

#include "common/base/error.hpp"

namespace mpb {

/// The value that `written`, which has no blanks around it, stands for: all of it; or what is
/// between its double quotes, where \" and \\ stand for " and \. Refused is what could be meant
/// otherwise: a comment behind the value, single quotes, a quote at one end only, a line that goes
/// on. The error says only why.
Result<std::string> read_ini_value(std::string_view written);

/// The inverse, quoted where that is needed. `value` has no control characters.
std::string write_ini_value(std::string_view value);

}  // namespace mpb
