// Reads mpclient's command line.
#pragma once

#include <string>
#include <vector>

#include "bench/mpclient/settings.hpp"
#include "common/base/error.hpp"
#include "common/config/option_line.hpp"

namespace mpb::load {

/// The table of options.
const Program<Settings>& program();

/// `arguments` without the program's name. Every error is of kind kUsage and names the option.
Result<ProgramLine<Settings>> read_command_line(const std::vector<std::string>& arguments);

}  // namespace mpb::load
