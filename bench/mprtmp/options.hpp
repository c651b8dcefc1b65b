// Reads mprtmp's command line.
#pragma once

#include <string>
#include <vector>

#include <boost/program_options/options_description.hpp>

#include "bench/mprtmp/settings.hpp"
#include "common/base/error.hpp"

namespace mpb::rtmp_load {

struct CommandLine {
  bool help = false;     // then nothing else is set
  bool version = false;  // likewise
  Settings settings;
};

/// `arguments` without the program's name. Every error is of kind kUsage and names the option.
Result<CommandLine> read_command_line(const std::vector<std::string>& arguments);

/// All but the arguments without a name. Values are texts or flags.
boost::program_options::options_description visible_options();
/// What --help prints.
std::string help_text();

}  // namespace mpb::rtmp_load
