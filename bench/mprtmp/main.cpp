// mprtmp: loads an RTMP server with publishers and players, and measures what they meet.
#include <fmt/format.h>

#include <cstdio>
#include <exception>

#include "bench/common/connector.hpp"
#include "bench/common/report_output.hpp"
#include "bench/mprtmp/engine.hpp"
#include "bench/mprtmp/options.hpp"
#include "bench/mprtmp/report.hpp"
#include "common/version.hpp"

namespace {

using namespace mpb;
using namespace mpb::rtmp_load;

constexpr int kExitOk = 0;
constexpr int kExitFailed = 1;
constexpr int kExitUsage = 2;

int usage_failure(const std::string& text) {
  fmt::print(stderr, "mprtmp: {}\n", text);
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
    fmt::print("{}", version_text("mprtmp"));
    return kExitOk;
  }
  const auto json = load::open_json(line->settings.json_file);
  if (!json) return usage_failure(json.error().text);
  const auto engine = Engine::create(line->settings, load::raise_descriptor_limit());
  if (!engine) return usage_failure(engine.error().text);
  const Report report = (*engine)->run();
  if (!load::write_reports(text_report(report), json_report(report), json->get())) {
    fmt::print(stderr, "mprtmp: cannot write the report\n");
    return kExitFailed;
  }
  return report.passed() ? kExitOk : kExitFailed;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return run({argv + 1, argv + argc});
  } catch (const std::exception& error) {
    fmt::print(stderr, "mprtmp: {}\n", error.what());
    return kExitFailed;
  }
}
