#include "bench/load/program.hpp"

#include <fmt/format.h>

#include <cstdio>
#include <memory>

#include "common/base/plain_text.hpp"

namespace mpb::load {
namespace {

constexpr int kExitOk = 0;
constexpr int kExitFailed = 1;
constexpr int kExitUsage = 2;

struct CloseFile {
  void operator()(std::FILE* file) const {
    if (file != stdout) std::fclose(file);
  }
};
using File = std::unique_ptr<std::FILE, CloseFile>;

/// The file of --json: none for an empty name, standard output for "-".
Result<File> open_json(const std::string& name) {
  if (name.empty()) return File();
  if (name == "-") return File(stdout);
  File file(std::fopen(name.c_str(), "we"));
  if (!file) return system_error(fmt::format("--json: cannot write '{}'", name));
  return file;
}

/// Standard output is the JSON's alone when it goes there. False: could not write.
bool write_reports(const std::string& text, const std::string& object, std::FILE* json) {
  std::FILE* people = json == stdout ? stderr : stdout;
  std::fwrite(text.data(), 1, text.size(), people);
  if (json == nullptr) return std::fflush(stdout) == 0;
  return std::fwrite(object.data(), 1, object.size(), json) == object.size() &&
         std::fflush(json) == 0;
}

}  // namespace

void say(const std::string& text) {
  std::fputs(plain_lines(text).c_str(), stderr);
}

int failure(std::string_view program, int status, std::string_view text) {
  say(fmt::format("{}: {}\n", program, text));
  return status;
}

int execute(std::string_view program, const std::string& print, const std::string& json_file,
            const std::function<Result<Outcome>()>& run) {
  if (!print.empty()) {
    fmt::print("{}", print);
    return kExitOk;
  }
  // Before the run, so that a bad path is known at once.
  const auto json = open_json(json_file);
  if (!json) return failure(program, kExitUsage, json.error().text);
  const auto outcome = run();
  if (!outcome) return failure(program, kExitUsage, outcome.error().text);
  if (!write_reports(outcome->text, outcome->json, json->get())) {
    return failure(program, kExitFailed, "cannot write the report");
  }
  return outcome->passed ? kExitOk : kExitFailed;
}

}  // namespace mpb::load
