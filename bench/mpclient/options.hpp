// Reads mpclient's command line.
#pragma once

#include <string>
#include <vector>

#include "bench/mpclient/settings.hpp"
#include "common/base/error.hpp"

namespace mpb::load {

struct CommandLine {
  bool help = false;     // then nothing else is set
  bool version = false;  // likewise
  Settings settings;
};

/// `arguments` without the program's name. Every error is of kind kUsage and names the option.
Result<CommandLine> read_command_line(const std::vector<std::string>& arguments);

/// What --help prints.
std::string help_text();

}  // namespace mpb::load
