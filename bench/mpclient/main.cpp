// mpclient: loads a server of the control protocol and checks and measures what it answers.
#include <fmt/format.h>

#include <cstdio>
#include <exception>

#include "bench/common/connector.hpp"
#include "bench/common/report_output.hpp"
#include "bench/mpclient/conductor.hpp"
#include "bench/mpclient/options.hpp"
#include "bench/mpclient/report.hpp"
#include "common/version.hpp"

namespace {

using namespace mpb;
using namespace mpb::load;

constexpr int kExitOk = 0;
constexpr int kExitFailed = 1;
constexpr int kExitUsage = 2;

int usage_failure(const std::string& text) {
  fmt::print(stderr, "mpclient: {}\n", text);
  return kExitUsage;
}

int run(const std::vector<std::string>& arguments) {
  const auto line = read_command_line(arguments);
  if (!line) return usage_failure(line.error().text);
  if (line->help) {
    fmt::print("{}", help_text());
    return kExitOk;
  }
  if (line->version) {
    fmt::print("{}", version_text("mpclient"));
    return kExitOk;
  }
  const auto json = open_json(line->settings.json_file);
  if (!json) return usage_failure(json.error().text);
  const auto conductor = Conductor::create(line->settings, raise_descriptor_limit());
  if (!conductor) return usage_failure(conductor.error().text);
  const Report report = (*conductor)->run();
  if (!write_reports(text_report(report), json_report(report), json->get())) {
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
