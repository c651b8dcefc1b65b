// mpclient: loads a server of the control protocol and checks and measures what it answers.
#include <fmt/format.h>

#include <cstdio>
#include <exception>
#include <memory>

#include "bench/mpclient/conductor.hpp"
#include "bench/mpclient/options.hpp"
#include "bench/mpclient/report.hpp"

namespace {

using namespace mpb;
using namespace mpb::load;

constexpr int kExitOk = 0;
constexpr int kExitFailed = 1;
constexpr int kExitUsage = 2;

struct CloseFile {
  void operator()(std::FILE* file) const {
    if (file != stdout) std::fclose(file);
  }
};
using File = std::unique_ptr<std::FILE, CloseFile>;

int usage_failure(const std::string& text) {
  fmt::print(stderr, "mpclient: {}\n", text);
  return kExitUsage;
}

/// Opened before the run, so that a bad path is known at once.
Result<File> open_json(const std::string& name) {
  if (name.empty()) return File();
  if (name == "-") return File(stdout);
  File file(std::fopen(name.c_str(), "we"));
  if (!file) return system_error(fmt::format("--json: cannot write '{}'", name));
  return file;
}

/// Standard output is the JSON's alone when it goes there.
bool write_reports(const Report& report, std::FILE* json) {
  std::FILE* people = json == stdout ? stderr : stdout;
  const std::string text = text_report(report);
  std::fwrite(text.data(), 1, text.size(), people);
  if (json == nullptr) return std::fflush(stdout) == 0;
  const std::string object = json_report(report);
  return std::fwrite(object.data(), 1, object.size(), json) == object.size() &&
         std::fflush(json) == 0;
}

int run(const std::vector<std::string>& arguments) {
  const auto line = read_command_line(arguments);
  if (!line) return usage_failure(line.error().text);
  if (line->help) {
    fmt::print("{}", help_text());
    return kExitOk;
  }
  const auto json = open_json(line->settings.json_file);
  if (!json) return usage_failure(json.error().text);
  const auto conductor = Conductor::create(line->settings, raise_descriptor_limit());
  if (!conductor) return usage_failure(conductor.error().text);
  const Report report = (*conductor)->run();
  if (!write_reports(report, json->get())) {
    fmt::print(stderr, "mpclient: cannot write the report\n");
    return kExitFailed;
  }
  return report.passed() ? kExitOk : kExitFailed;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return run({argv + 1, argv + argc});
  } catch (const std::exception& error) {
    fmt::print(stderr, "mpclient: {}\n", error.what());
    return kExitFailed;
  }
}
