// mpbroker: reads its options, becomes mpworker for the single process, else runs the broker.
#include <sys/prctl.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "broker/broker.hpp"
#include "broker/stop_orders.hpp"
#include "common/base/version.hpp"
#include "common/config/listen_names.hpp"
#include "common/config/options.hpp"
#include "common/config/problems.hpp"
#include "common/io/signals.hpp"
#include "common/log/error_log.hpp"
#include "common/log/log.hpp"
#include "common/process/descriptor_store.hpp"
#include "common/process/process.hpp"
#include "common/process/program.hpp"
#include "common/process/reaper.hpp"

namespace {

constexpr int kFailure = 1;
constexpr int kUsage = 2;

// Workers of an mpbroker before live: the next try may find another configuration.
const bool follows = mpb::follows_another();

int exit_code(const mpb::Error& error) {
  return error.kind == mpb::ErrorKind::kUsage && !follows ? kUsage : kFailure;
}

int fail(const mpb::Error& error) {
  for (const std::string& line : mpb::lines_of(error.text)) mpb::tell("mpbroker: " + line);
  if (!error.help.empty()) mpb::tell("mpbroker: help: " + error.help);
  return exit_code(error);
}

int confirm(const mpb::ParsedOptions& options) {
  auto listeners = options.settings.listeners;
  if (const auto resolved = mpb::resolve_listeners(listeners); !resolved) {
    return fail(resolved.error());
  }
  for (const mpb::Warning& warning : options.warnings) {
    mpb::tell("mpbroker: warning: " + warning.text());
  }
  std::puts("mpbroker: the configuration is valid");
  return 0;
}

int become_single_process(const mpb::Settings& settings, char** arguments) {
  std::string program = settings.worker_program;
  if (program.empty()) {
    auto found = mpb::find_program("mpworker");
    if (!found) return fail(found.error());
    program = *std::move(found);
  }
  mpb::restore_signals(settings.worker_program.empty());
  return fail(mpb::execute(program, arguments));
}

/// Starts again as mpguard's child. Returns only where that cannot be had.
void become_guarded(char** arguments) {
  std::error_code error;
  std::string self = std::filesystem::read_symlink("/proc/self/exe", error).string();
  if (error) return mpb::tell("mpbroker: warning: it runs without mpguard: /proc is not there");
  const auto guard = mpb::find_program("mpguard");
  if (!guard) {
    return mpb::tell(
        "mpbroker: warning: it runs without mpguard, which is not to be found beside "
        "it; its death ends the service (see guard)");
  }
  std::vector<char*> program{self.data()};
  while (*arguments != nullptr) program.push_back(*arguments++);
  program.push_back(nullptr);
  mpb::restore_signals(true);
  (void)fail(mpb::execute(*guard, program.data()));
  mpb::prepare_signals();
}

int run(const mpb::ParsedOptions& options, std::span<const char* const> arguments) {
  const mpb::Settings& settings = options.settings;
  mpb::init_log("mpbroker", settings.log_level);
  mpb::log_warnings(options.warnings);
  mpb::raise_and_log_descriptor_limit();
  mpb::EventLoop loop;
  mpb::Broker broker(loop, settings,
                     [arguments] { return mpb::parse_options(arguments, "mpbroker"); });
  mpb::Reaper reaper(loop);
  // Again: the kernel forgets it where this program has capabilities of its file.
  if (mpb::holder() == mpb::Holder::kGuard) ::prctl(PR_SET_PDEATHSIG, SIGTERM);
  mpb::StopOrders stops(mpb::holder() == mpb::Holder::kGuard ? std::optional(::getppid())
                                                             : std::nullopt);
  const mpb::Signals signals(loop, {SIGTERM, SIGINT, SIGHUP, SIGCHLD}, [&](const auto& signal) {
    if (signal.number == SIGCHLD) {
      reaper.look_soon();
    } else if (!broker.heeds(signal)) {
      return;
    } else if (signal.number == SIGHUP) {
      (void)broker.reload();  // has told the log how it went
    } else if (stops.is_another(signal.sender, loop.now())) {
      broker.stop();
    }
  });
  if (const mpb::Status started = broker.start(); !started) {
    mpb::log_failed(started.error());
    return exit_code(started.error());
  }
  loop.run();
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  mpb::begin_service();
  mpb::hide_from_others();  // the settings have secrets
  const std::span<const char* const> arguments(argv, static_cast<std::size_t>(argc));
  const auto options = mpb::parse_options(arguments, "mpbroker");
  if (!options) return fail(options.error());
  if (options->help || options->version) {
    const std::string text =
        options->help ? mpb::help_text("mpbroker") : mpb::version_text("mpbroker");
    std::fputs(text.c_str(), stdout);
    return 0;
  }
  if (options->check_config) return confirm(*options);
  if (options->settings.workers == 0) return become_single_process(options->settings, argv + 1);
  if (options->settings.guard && !mpb::was_told_of_holder()) become_guarded(argv + 1);
  return run(*options, arguments);
}
