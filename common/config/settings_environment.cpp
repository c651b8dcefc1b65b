// What settings name on this machine must be there: accounts, and the worker program.
#include <fmt/format.h>

#include <fstream>
#include <optional>
#include <string>
#include <string_view>

#include "common/config/settings_builder.hpp"
#include "common/process/child.hpp"
#include "common/process/program.hpp"
#include "common/process/worker_accounts.hpp"

namespace mpb {
namespace {

constexpr std::string_view kNotAllowed =
    "only root, or who has CAP_SETUID and CAP_SETGID, can start it so";

/// As far as the kernel tells.
std::optional<int> longest_backlog() {
  std::ifstream file("/proc/sys/net/core/somaxconn");
  int most = 0;
  return file >> most ? std::optional(most) : std::nullopt;
}

}  // namespace

Status SettingsBuilder::check_environment(const Settings& settings, bool single_process) {
  const auto wrong = [this](std::string_view option, std::string_view expected,
                            std::string_view why) -> Error {
    return usage_error(
        fmt::format("{}: expected {}: {}", describe_global(option, ""), expected, why));
  };
  if (!settings.worker_program.empty() && !single_process) {
    const std::string why = why_not_executable(settings.worker_program);
    if (!why.empty()) return wrong("worker-program", "a program that can be executed", why);
  }
  const bool range = is_account_range(settings.user);
  if (!settings.user.empty() && !range && !find_credentials(settings.user, {})) {
    return wrong("user", "the name or number of an account of this machine",
                 "there is no such user");
  }
  if (!settings.group.empty() && !is_account_range(settings.group) &&
      !find_credentials({}, settings.group)) {
    return wrong("group", "the name or number of a group of this machine",
                 "there is no such group");
  }
  const auto accounts = WorkerAccounts::find(settings.user, settings.group,
                                             single_process ? 1 : settings.worker_limit());
  if (!accounts) {
    return usage_error(fmt::format("{}: {}", describe_global(range ? "user" : "group", ""),
                                   accounts.error().text));
  }
  const auto account = accounts->of(0);
  for (const std::string_view option : {"user", "group"}) {
    const Assignment* named = written({}, option);
    if (named == nullptr || !account || may_assume(*account)) continue;
    warn(*named, kNotAllowed, Gravity::kDoubtful);
  }
  Status there;
  for (const VhostSettings& vhost : settings.vhosts) {
    if (there) there = check_cell_account(OptionScope::kVhost, vhost.name, vhost.cell);
  }
  for (const KeySettings& key : settings.keys) {
    if (there) there = check_cell_account(OptionScope::kKey, key.pattern, key.cell);
  }
  if (!there) return there;
  warn_of_backlogs(settings);
  return {};
}

Status SettingsBuilder::check_cell_account(OptionScope scope, const std::string& section,
                                           const CellSettings& cell) {
  if (cell.user.empty()) return {};
  const Assignment& user = *written(scope, section, "user");
  const auto missing = [](const Assignment& option, std::string_view what) {
    return usage_error(
        fmt::format("{}: expected the name or number of {}", describe(option), what));
  };
  if (!find_credentials(cell.user, {}))
    return missing(user, "an account of this machine: there is no such user");
  const auto account = find_credentials(cell.user, cell.group);
  if (!account)
    return missing(*written(scope, section, "group"),
                   "a group of this machine: there is no such group");
  if (!may_assume(*account)) warn(user, kNotAllowed, Gravity::kDoubtful);
  return {};
}

void SettingsBuilder::warn_of_backlogs(const Settings& settings) {
  const std::optional<int> most = longest_backlog();
  for (const ListenerSettings& listener : settings.listeners) {
    const Assignment* backlog = written(listener.name, "backlog");
    if (backlog == nullptr || backlog->value == backlog->spec->default_value) continue;
    if (!most || listener.backlog <= *most) continue;
    warn(*backlog, fmt::format("the kernel cuts it to net.core.somaxconn = {}", *most),
         Gravity::kDoubtful);
  }
}

}  // namespace mpb
