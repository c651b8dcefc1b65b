// Programs as files: which one runs here, where another is found, and whether it can be executed.
#pragma once

#include <string>

#include "common/base/error.hpp"

namespace mpb {

/// Empty: `program` can be executed (it is searched in PATH when it has no slash). Else why not.
std::string why_not_executable(const std::string& program);

/// The path of the program `name`: in the folder of the running program, else in PATH. An error
/// says where it was looked for.
Result<std::string> find_program(const std::string& name);

}  // namespace mpb
