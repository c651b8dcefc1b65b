#include "bench/common/program.hpp"

#include <fmt/format.h>

#include <cstdio>
#include <exception>

#include "bench/common/report_output.hpp"
#include "common/base/plain_text.hpp"
#include "common/process/process.hpp"

namespace mpb::load {
namespace {

constexpr int kExitOk = 0;
constexpr int kExitFailed = 1;
constexpr int kExitUsage = 2;

int failure(std::string_view program, int status, std::string_view text) {
  say(fmt::format("{}: {}\n", program, text));
  return status;
}

int execute(std::string_view program, const Command& command) {
  if (!command.print.empty()) {
    fmt::print("{}", command.print);
    return kExitOk;
  }
  const auto json = open_json(command.json_file);
  if (!json) return failure(program, kExitUsage, json.error().text);
  const auto outcome = command.run();
  if (!outcome) return failure(program, kExitUsage, outcome.error().text);
  if (!write_reports(outcome->text, outcome->json, json->get())) {
    return failure(program, kExitFailed, "cannot write the report");
  }
  return outcome->passed ? kExitOk : kExitFailed;
}

}  // namespace

void say(const std::string& text) {
  std::fputs(plain_lines(text).c_str(), stderr);
}

int run_program(std::string_view program, int argc, char** argv,
                Result<Command> (*read_command)(const std::vector<std::string>& arguments)) {
  secure_standard_descriptors();
  try {
    const auto command = read_command({argv + 1, argv + argc});
    if (!command) return failure(program, kExitUsage, command.error().text);
    return execute(program, *command);
  } catch (const std::exception& error) {
    return failure(program, kExitFailed, error.what());
  }
}

}  // namespace mpb::load
