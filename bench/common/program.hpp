// The life of a load client's process, from its command line to its exit status.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/error.hpp"

namespace mpb::load {

/// To standard error; that it cannot be written breaks no run off.
void say(const std::string& text);

/// A run's reports.
struct Outcome {
  std::string text;
  std::string json;
  bool passed = false;
};

/// What a command line asks for.
struct Command {
  std::string print;      // of --help or --version: then nothing else is set
  std::string json_file;  // see open_json
  /// An error: the settings do not suit this machine.
  std::function<Result<Outcome>()> run;
};

/// Does what `read_command` makes of the arguments of main, and returns the exit status: 0 when the
/// run passed, 1 when it did not or broke off, 2 for an error of `read_command`, of the JSON file
/// or of Command::run. Says on standard error, behind the name `program`, what went wrong.
int run_program(std::string_view program, int argc, char** argv,
                Result<Command> (*read_command)(const std::vector<std::string>& arguments));

}  // namespace mpb::load
