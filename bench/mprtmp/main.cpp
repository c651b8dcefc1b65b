// mprtmp: loads an RTMP server with publishers and players, and measures what they meet.
#include "bench/common/connector.hpp"
#include "bench/common/program.hpp"
#include "bench/mprtmp/engine.hpp"
#include "bench/mprtmp/options.hpp"
#include "bench/mprtmp/report.hpp"
#include "common/base/version.hpp"

namespace {

using namespace mpb;
using namespace mpb::rtmp_load;

Result<load::Outcome> run(const Settings& settings) {
  const auto engine = Engine::create(settings, load::raise_descriptor_limit());
  if (!engine) return engine.error();
  const Report report = (*engine)->run();
  return load::Outcome{text_report(report), json_report(report), report.passed()};
}

Result<load::Command> read_command(const std::vector<std::string>& arguments) {
  const auto line = read_command_line(arguments);
  if (!line) return line.error();
  if (line->help) return load::Command{help_text(), {}, {}};
  if (line->version) return load::Command{version_text("mprtmp"), {}, {}};
  const Settings& settings = line->settings;
  return load::Command{{}, settings.json_file, [settings] { return run(settings); }};
}

}  // namespace

int main(int argc, char** argv) {
  return load::run_program("mprtmp", argc, argv, read_command);
}
