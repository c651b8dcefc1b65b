// mprtmp: loads an RTMP server with publishers and players, and measures what they meet.
#include "bench/common/program.hpp"
#include "bench/mprtmp/engine.hpp"
#include "bench/mprtmp/options.hpp"
#include "bench/mprtmp/report.hpp"
#include "common/process/process.hpp"

namespace {

using namespace mpb;
using namespace mpb::rtmp_load;

Result<load::Outcome> run(const Settings& settings) {
  const auto engine = Engine::create(settings, raise_descriptor_limit());
  if (!engine) return engine.error();
  const Report report = (*engine)->run();
  return load::Outcome{text_report(report), json_report(report), report.passed()};
}

}  // namespace

int main(int argc, char** argv) {
  return load::run_program(program(), argc, argv, read_command_line, run);
}
