// mpclient: loads a server of the control protocol and checks and measures what it answers.
#include "bench/common/connector.hpp"
#include "bench/common/program.hpp"
#include "bench/mpclient/conductor.hpp"
#include "bench/mpclient/options.hpp"
#include "bench/mpclient/report.hpp"
#include "common/base/version.hpp"

namespace {

using namespace mpb;
using namespace mpb::load;

Result<Outcome> run(const Settings& settings) {
  const auto conductor = Conductor::create(settings, raise_descriptor_limit());
  if (!conductor) return conductor.error();
  const Report report = (*conductor)->run();
  return Outcome{text_report(report), json_report(report), report.passed()};
}

Result<Command> read_command(const std::vector<std::string>& arguments) {
  const auto line = read_command_line(arguments);
  if (!line) return line.error();
  if (line->help) return Command{help_text(), {}, {}};
  if (line->version) return Command{version_text("mpclient"), {}, {}};
  const Settings& settings = line->settings;
  return Command{{}, settings.json_file, [settings] { return run(settings); }};
}

}  // namespace

int main(int argc, char** argv) {
  return run_program("mpclient", argc, argv, read_command);
}
