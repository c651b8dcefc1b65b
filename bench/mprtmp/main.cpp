// mprtmp: loads an RTMP server with publishers and players, and measures what they meet.
#include <optional>
#include <utility>

#include "bench/load/conductor.hpp"
#include "bench/load/program.hpp"
#include "bench/mprtmp/crowd.hpp"
#include "bench/mprtmp/options.hpp"
#include "bench/mprtmp/report.hpp"
#include "common/process/process.hpp"

namespace {

using namespace mpb;
using namespace mpb::rtmp_load;

Result<load::Outcome> run(const Settings& settings) {
  if (auto enough = load::check_descriptors("mprtmp", settings.at_once(),
                                            descriptors_needed(settings), raise_descriptor_limit());
      !enough) {
    return enough.error();
  }
  std::optional<SyntheticStream> stream;
  if (settings.publish) {
    auto made = SyntheticStream::create(settings.shape);
    if (!made) return made.error();
    stream = std::move(*made);
  }
  load::Plan plan;
  plan.duration = settings.duration;
  plan.hold = settings.hold;
  if (settings.hold.count() > 0) plan.then = load::Plan::Then::kHold;
  load::Conductor conductor(plan);
  Crowd crowd(settings, conductor.state(), stream ? &*stream : nullptr);
  const Report report = crowd.report(conductor.run({&crowd}));
  return load::Outcome{text_report(report), json_report(report), report.passed()};
}

}  // namespace

int main(int argc, char** argv) {
  return load::run_program(program(), argc, argv, read_command_line, run);
}
