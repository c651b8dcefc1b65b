// mpclient: loads a server of the control protocol and checks and measures what it answers.
#include "bench/common/program.hpp"
#include "bench/mpclient/conductor.hpp"
#include "bench/mpclient/options.hpp"
#include "bench/mpclient/report.hpp"
#include "common/process/process.hpp"

namespace {

using namespace mpb;
using namespace mpb::load;

Result<Outcome> run(const Settings& settings) {
  const auto conductor = Conductor::create(settings, raise_descriptor_limit());
  if (!conductor) return conductor.error();
  const Report report = (*conductor)->run();
  return Outcome{text_report(report), json_report(report), report.passed()};
}

}  // namespace

int main(int argc, char** argv) {
  return run_program(program(), argc, argv, read_command_line, run);
}
