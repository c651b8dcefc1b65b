// What settings name on this machine must be there: accounts, and the worker program.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <string>
#include <string_view>

#include "common/child.hpp"
#include "common/program.hpp"
#include "common/settings_builder.hpp"

namespace mpb {

Status SettingsBuilder::check_environment(const Settings& settings, bool single_process) const {
  const auto wrong = [this](std::string_view option, std::string_view expected,
                            std::string_view why) -> Error {
    return usage_error(
        fmt::format("{}: expected {}: {}", describe_global(option, ""), expected, why));
  };
  if (!settings.worker_program.empty() && !single_process) {
    const std::string why = why_not_executable(settings.worker_program);
    if (!why.empty()) return wrong("worker-program", "a program that can be executed", why);
  }
  if (!settings.user.empty() && !find_credentials(settings.user, {})) {
    return wrong("user", "the name or number of an account of this machine",
                 "there is no such user");
  }
  if (!settings.group.empty() && !find_credentials({}, settings.group)) {
    return wrong("group", "the name or number of a group of this machine",
                 "there is no such group");
  }
  return {};
}

std::vector<std::string> SettingsBuilder::meaningless_alone() const {
  constexpr std::array<std::string_view, 16> kOfManyWorkers{
      "max-workers",   "acceptors", "grow-at", "linger",        "key-linger", "max-keys",
      "start-timeout", "policy",    "sticky",  "ping-interval", "ping-limit", "answer-timeout",
      "route-timeout", "overflow",  "route",   "control-socket"};
  std::vector<std::string> texts;
  for (const auto& [key, assignment] : written_) {
    const std::string_view name = assignment.spec->name;
    const bool several = name == "workers" && assignment.value != "0";
    const bool of_many =
        std::find(kOfManyWorkers.begin(), kOfManyWorkers.end(), name) != kOfManyWorkers.end();
    if (several || (of_many && !assignment.value.empty())) texts.push_back(describe(assignment));
  }
  return texts;
}

}  // namespace mpb
