// The life of a load client's process, from its command line to its exit status.
#pragma once

#include <exception>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/error.hpp"
#include "common/config/option_line.hpp"
#include "common/process/process.hpp"

namespace mpb::load {

/// To standard error; that it cannot be written breaks no run off.
void say(const std::string& text);

/// A run's reports.
struct Outcome {
  std::string text;
  std::string json;
  bool passed = false;
};

/// Prints `text`, or runs, and returns the exit status; see run_program.
int execute(std::string_view program, const std::string& print, const std::string& json_file,
            const std::function<Result<Outcome>()>& run);
/// The same for what was thrown, or is wrong with the command line.
int failure(std::string_view program, int status, std::string_view text);

/// Does what `read` makes of the arguments of main, and returns the exit status: 0 when the run
/// passed, 1 when it did not or broke off, 2 for an error of `read`, of the JSON file or of `run`:
/// the settings do not suit this machine. Says on standard error what went wrong.
template <class Settings>
int run_program(const Program<Settings>& program, int argc, char** argv,
                Result<ProgramLine<Settings>> (*read)(const std::vector<std::string>& arguments),
                Result<Outcome> (*run)(const Settings& settings)) {
  secure_standard_descriptors();
  try {
    const auto line = read({argv + 1, argv + argc});
    if (!line) return failure(program.name, 2, line.error().text);
    return execute(program.name, line->print, line->settings.json_file,
                   [&] { return run(line->settings); });
  } catch (const std::exception& error) {
    return failure(program.name, 1, error.what());
  }
}

}  // namespace mpb::load
