// mpbroker: reads its options, becomes mpworker for the single process, else runs the broker.
#include <csignal>
#include <cstdio>
#include <span>

#include "broker/broker.hpp"
#include "common/log.hpp"
#include "common/options.hpp"
#include "common/problems.hpp"
#include "common/process.hpp"
#include "common/signals.hpp"
#include "common/version.hpp"

namespace {

constexpr int kFailure = 1;
constexpr int kUsage = 2;

int exit_code(const mpb::Error& error) {
  return error.kind == mpb::ErrorKind::kUsage ? kUsage : kFailure;
}

int fail(const mpb::Error& error) {
  for (const std::string& line : mpb::lines_of(error.text)) {
    std::fprintf(stderr, "mpbroker: %s\n", line.c_str());
  }
  return exit_code(error);
}

int confirm(const mpb::ParsedOptions& options) {
  for (const mpb::Warning& warning : options.warnings) {
    std::fprintf(stderr, "mpbroker: warning: %s\n", warning.text().c_str());
  }
  std::puts("mpbroker: the configuration is valid");
  return 0;
}

int become_single_process(const mpb::Settings& settings, char** arguments) {
  const std::string program = settings.worker_program.empty() ? mpb::program_beside_this("mpworker")
                                                              : settings.worker_program;
  return fail(mpb::execute(program, arguments));
}

int run(const mpb::ParsedOptions& options, std::span<const char* const> arguments) {
  const mpb::Settings& settings = options.settings;
  mpb::init_log("mpbroker", settings.log_level);
  mpb::log_warnings(options.warnings);
  mpb::raise_and_log_descriptor_limit();
  mpb::EventLoop loop;
  mpb::Broker broker(loop, settings,
                     [arguments] { return mpb::parse_options(arguments, "mpbroker"); });
  const mpb::Signals signals(loop, {SIGTERM, SIGINT, SIGHUP}, [&broker](int number) {
    if (number == SIGHUP) {
      (void)broker.reload();  // has told the log how it went
    } else {
      broker.stop();
    }
  });
  if (const mpb::Status started = broker.start(); !started) {
    mpb::log_error("failed")("why", started.error().text);
    return exit_code(started.error());
  }
  loop.run();
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
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
  return run(*options, arguments);
}
