// mpclient: loads a server of the control protocol and checks and measures what it answers.
#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <vector>

#include "bench/load/conductor.hpp"
#include "bench/load/program.hpp"
#include "bench/mpclient/load_thread.hpp"
#include "bench/mpclient/options.hpp"
#include "bench/mpclient/report.hpp"
#include "common/process/process.hpp"

namespace {

using namespace mpb;
using namespace mpb::load;

/// Clients at once, all threads together.
Result<std::uint64_t> clients_at_once(const Settings& settings, std::uint64_t descriptors) {
  const std::uint64_t wanted =
      keeps_clients(settings.mode) ? settings.clients : settings.concurrency;
  if (auto enough =
          check_descriptors("mpclient", wanted, descriptors_needed(settings), descriptors);
      !enough) {
    return enough.error();
  }
  if (wanted > 0) return wanted;
  Settings one = settings;
  one.concurrency = 1;
  const std::uint64_t own = descriptors_needed(one);
  if (own > descriptors) return usage_error(fmt::format("{} descriptors are too few", descriptors));
  constexpr std::uint64_t kEnough = 100'000;
  return std::min(descriptors - own + 1, kEnough);
}

Plan plan_of(const Settings& settings) {
  Plan plan;
  plan.duration = settings.duration;
  plan.hold = settings.hold;
  plan.progress = true;
  if (settings.mode == Mode::kHold) plan.then = Plan::Then::kHold;
  if (settings.mode == Mode::kStorm) plan.then = Plan::Then::kHoldAndMove;
  return plan;
}

Report load_server(const Settings& settings, std::uint64_t at_once) {
  Conductor conductor(plan_of(settings));
  OwnerTable owners;
  std::vector<std::unique_ptr<LoadThread>> threads;
  std::vector<Engine*> engines;
  for (unsigned i = 0; i < settings.threads; ++i) {
    const auto share = [&](std::uint64_t all) {
      return static_cast<std::size_t>((all + settings.threads - 1 - i) / settings.threads);
    };
    threads.push_back(std::make_unique<LoadThread>(settings, conductor.state(), owners, i,
                                                   share(at_once), share(witnesses(settings))));
    engines.push_back(threads.back().get());
  }
  Report report;
  static_cast<RunTimes&>(report) = conductor.run(engines);
  report.settings = settings;
  const TimePoint start = conductor.state().start;
  TimePoint last_end = start;
  for (const auto& thread : threads) {
    report.tally.merge(thread->tally());
    last_end = std::max(last_end, thread->last_end());
  }
  report.seconds = std::chrono::duration<double>(last_end - start).count();
  return report;
}

Result<Outcome> run(const Settings& settings) {
  const auto at_once = clients_at_once(settings, raise_descriptor_limit());
  if (!at_once) return at_once.error();
  Settings adjusted = settings;
  if (adjusted.threads > *at_once) adjusted.threads = static_cast<unsigned>(*at_once);
  const Report report = load_server(adjusted, *at_once);
  return Outcome{text_report(report), json_report(report), report.passed()};
}

}  // namespace

int main(int argc, char** argv) {
  return run_program(program(), argc, argv, read_command_line, run);
}
