#include <fcntl.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "common/base/version.hpp"
#include "common/config/kept_file.hpp"
#include "common/config/listen_names.hpp"
#include "common/config/options.hpp"
#include "common/config/problems.hpp"
#include "common/io/signals.hpp"
#include "common/listen/inherited_sockets.hpp"
#include "common/log/error_log.hpp"
#include "common/log/log.hpp"
#include "common/process/child.hpp"
#include "common/process/confinement.hpp"
#include "common/process/process.hpp"
#include "common/process/process_title.hpp"
#include "common/process/reaper.hpp"
#include "common/process/service_manager.hpp"
#include "common/process/worker_accounts.hpp"
#include "mpbroker/worker.hpp"
#include "worker/registry_lookup.hpp"
#include "worker/sandbox/confine.hpp"
#include "worker/worker.hpp"
#include "worker/zygote.hpp"

namespace mpb {
namespace {

constexpr int kChannelFd = 3;

bool has_broker() {
  const char* channel = std::getenv("MPBROKER_CHANNEL");
  return channel != nullptr && std::string_view(channel) == "3" &&
         ::fcntl(kChannelFd, F_GETFD) != -1;
}

/// What the broker logs at, as it told in the environment.
LogLevel broker_log_level() {
  const char* level = std::getenv("MPBROKER_LOG_LEVEL");
  const auto known = level != nullptr ? parse_log_level(level) : std::nullopt;
  return known.value_or(LogLevel::kInfo);
}

/// Whether the broker told in the environment that workers are to be confined.
bool has_sandbox() {
  const char* sandbox = std::getenv("MPBROKER_SANDBOX");
  return sandbox != nullptr && std::string_view(sandbox) == "strict";
}

ExitCode exit_code(const Error& error) {
  return error.kind == ErrorKind::kUsage ? ExitCode::kUsage : ExitCode::kFailure;
}

/// Which worker this is, as the broker told in the environment.
std::string who_of_many() {
  const char* slot = std::getenv("MPBROKER_SLOT");
  const auto known = parse_integer(slot != nullptr ? slot : "", 0, UINT16_MAX);
  return (known ? fmt::format("slot={} ", *known) : "") + fmt::format("pid={}", ::getpid());
}

int fail(const Error& error) {
  log_failed(error);
  return static_cast<int>(exit_code(error));
}

/// SIGTERM and SIGINT: drain; the second time at once.
void drain(Worker& worker) {
  worker.drain(worker.has_deadline() ? Duration{0} : worker.drain_timeout());
}

int run_under_broker(const Registry& registry, WorkerConfinement confinement) {
  EventLoop loop;
  Worker worker(loop, registry);
  if (has_sandbox()) worker.confine_when_ready(std::move(confinement));
  // A terminal that closes is the broker's business.
  const Signals signals(loop, {SIGTERM, SIGINT, SIGHUP}, [&worker](const Signal& signal) {
    if (signal.number != SIGHUP) drain(worker);
  });
  ::fcntl(kChannelFd, F_SETFD, FD_CLOEXEC);
  if (const Status joined = worker.join_broker(UniqueFd(kChannelFd)); !joined) {
    return fail(joined.error());
  }
  worker.run();
  return static_cast<int>(worker.exit_code());
}

/// What was begun before a worker was forked is not its to end.
[[noreturn]] void end_forked(int code) {
  std::fflush(nullptr);
  ::_exit(code);
}

void reload(Worker& worker, std::span<const char* const> arguments, const KeptFile& kept) {
  notify_service_manager("RELOADING=1");
  const auto options = parse_options(arguments, "mpworker", &kept);
  if (!options) {
    const auto lines = lines_of(options.error().text);
    LogLine line(LogLevel::kError, "reload");
    line("ok", false)("why", fmt::format("{}", fmt::join(lines, "; ")));
    if (!options.error().help.empty()) line("help", options.error().help);
    notify_service_manager(told_of_failed_reload(lines.size()));
    return;
  }
  log_warnings(options->warnings);
  worker.reconfigure(options->settings);
  set_log_level(options->settings.log_level);
  log_info("reload")("ok", true)("note", "listeners change only at a restart");
  notify_service_manager("READY=1\nSTATUS=Reloaded");
}

void feed_watchdog(EventLoop& loop, Duration interval) {
  notify_service_manager("WATCHDOG=1");
  loop.after(interval, [&loop, interval] { feed_watchdog(loop, interval); });
}

/// Once the listeners are open.
Status drop_privileges(const Settings& settings) {
  if (settings.user.empty() && settings.group.empty()) return {};
  const auto accounts = WorkerAccounts::find(settings.user, settings.group, 1);
  if (!accounts) return accounts.error();
  const auto credentials = accounts->of(0);
  if (!may_assume(*credentials)) {
    return usage_error(
        "user or group: only root, or who has CAP_SETUID and CAP_SETGID, can become somebody else: "
        "leave them out, or start it so");
  }
  if (!assume(*credentials)) return system_error("cannot run as user = " + settings.user);
  return {};
}

Status open_listeners(Worker& worker, Settings settings) {
  if (const Status resolved = resolve_listeners(settings.listeners); !resolved) return resolved;
  auto inherited = take_inherited_sockets();
  if (!inherited) return inherited.error();
  return worker.serve_alone(settings, *std::move(inherited));
}

/// Confined, or forked by what this process was: returns in each worker.
Result<WorkerConfinement> become_worker(const Registry& registry) {
  const auto prepare = [&registry]() -> Result<WorkerConfinement> {
    return has_sandbox() ? WorkerConfinement::make(all_needs(registry)) : WorkerConfinement{};
  };
  if (is_zygote_wanted()) {
    return be_zygote([&]() -> Result<WorkerConfinement> {
      auto confinement = prepare();
      if (!confinement || !has_sandbox() || !registry.confined_early()) return confinement;
      const Status given_up = confinement->give_up_calls_of_all(all_needs(registry));
      if (!given_up) return given_up.error();
      return confinement;
    });
  }
  auto confinement = prepare();
  if (!confinement) return confinement;
  if (const Status given_up = confinement->give_up_files(); !given_up) return given_up.error();
  return confinement;
}

Status confine(const Registry& registry, const Settings& settings) {
  log_missing_sandbox();
  Needs needs = needs_of_single_process();
  for (const ListenerSettings& listener : settings.listeners) {
    needs.add(needs_of(registry, listener.protocol, listener.handler));
  }
  const Status confined = confine_single_process(needs, settings.listeners);
  return confined ? confine_calls(needs) : confined;
}

int run_alone(const Registry& registry, const ParsedOptions& options,
              std::span<const char* const> arguments) {
  const Settings& settings = options.settings;
  const KeptFile kept(options.config_file);
  EventLoop loop;
  Worker worker(loop, registry);
  std::optional<Reaper> reaper;
  if (adopts_orphans()) reaper.emplace(loop);
  const Signals signals(loop, {SIGTERM, SIGINT, SIGHUP, SIGCHLD}, [&](const Signal& signal) {
    if (signal.number == SIGCHLD) {
      if (reaper) reaper->look_soon();
    } else if (signal.number == SIGHUP) {
      reload(worker, arguments, kept);
    } else {
      notify_service_manager("STOPPING=1\nSTATUS=Waiting for clients to leave");
      drain(worker);
    }
  });
  log_warnings(options.warnings);
  if (const Status begun = open_listeners(worker, settings); !begun) return fail(begun.error());
  if (const Status dropped = drop_privileges(settings); !dropped) return fail(dropped.error());
  if (settings.sandbox == Sandbox::kStrict) {
    if (const Status confined = confine(registry, settings); !confined) {
      return fail(confined.error());
    }
  }
  notify_service_manager("READY=1\nSTATUS=Single process");
  if (const auto interval = watchdog_interval()) feed_watchdog(loop, *interval);
  worker.run();
  return static_cast<int>(worker.exit_code());
}

int confirm(const Registry& registry, const ParsedOptions& options) {
  auto listeners = options.settings.listeners;
  bool known = true;
  for (const ListenerSettings& listener : listeners) {
    const Status checked = check_listener(registry, listener.protocol, listener.handler);
    if (checked) continue;
    tell(fmt::format("mpworker: listener {}: {}", listener.name, checked.error().text));
    known = false;
  }
  if (!known) return static_cast<int>(ExitCode::kUsage);
  if (const Status resolved = resolve_listeners(listeners); !resolved) {
    tell("mpworker: " + resolved.error().text);
    return static_cast<int>(ExitCode::kFailure);
  }
  for (const Warning& warning : options.warnings) tell("mpworker: warning: " + warning.text());
  std::puts("mpworker: the configuration is valid");
  return 0;
}

}  // namespace

int worker_main(int argc, char** argv, const Registry& registry) {
  begin_service();
  if (has_broker()) {
    keep_title_space(argc, argv);
    // Before a thread is started, which would be left out, and the first line may start one.
    const bool forked = is_zygote_wanted();
    auto confined = become_worker(registry);
    init_log("mpworker", broker_log_level(), who_of_many());
    if (!confined) return fail(confined.error());
    raise_descriptor_limit();
    const int code = run_under_broker(registry, *std::move(confined));
    if (forked) end_forked(code);
    return code;
  }
  const std::span<const char* const> arguments(argv, static_cast<std::size_t>(argc));
  const auto options = parse_options(arguments, "mpworker");
  if (!options) {
    for (const std::string& line : lines_of(options.error().text)) tell("mpworker: " + line);
    return static_cast<int>(exit_code(options.error()));
  }
  if (options->help || options->version) {
    const std::string text = options->help ? help_text("mpworker") : version_text("mpworker");
    std::fputs(text.c_str(), stdout);
    return 0;
  }
  if (options->check_config) return confirm(registry, *options);
  init_log("mpworker", options->settings.log_level, fmt::format("pid={}", ::getpid()));
  raise_and_log_descriptor_limit();
  return run_alone(registry, *options, arguments);
}

}  // namespace mpb
