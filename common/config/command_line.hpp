// A command line taken apart, before its values are looked at.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "common/base/error.hpp"
#include "common/config/option_table.hpp"

namespace mpb {

struct CommandLineOption {
  const OptionSpec* spec = nullptr;
  std::string value;
};

struct CommandLine {
  std::vector<CommandLineOption> settings;  // in their order
  std::string config_file;
  bool check_config = false;
  bool help = false;
  bool version = false;
};

/// `args` begin with the program's name.
Result<CommandLine> read_command_line(std::span<const char* const> args);

}  // namespace mpb
