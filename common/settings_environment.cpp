// What settings name on this machine must be there: accounts, and the worker program.
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>

#include "common/child.hpp"
#include "common/settings_builder.hpp"

namespace mpb {
namespace {

/// 0, or the errno that says why it cannot be executed.
int check_executable(const std::string& path) {
  struct stat info {};
  if (::stat(path.c_str(), &info) != 0) return errno;
  if (!S_ISREG(info.st_mode)) return EACCES;
  return ::access(path.c_str(), X_OK) == 0 ? 0 : errno;
}

bool is_in_path(std::string_view name) {
  const char* variable = std::getenv("PATH");
  std::string_view rest = variable == nullptr ? "" : variable;
  while (!rest.empty()) {
    const auto colon = rest.find(':');
    if (check_executable(fmt::format("{}/{}", rest.substr(0, colon), name)) == 0) return true;
    rest.remove_prefix(colon == std::string_view::npos ? rest.size() : colon + 1);
  }
  return false;
}

/// Empty: it can be executed.
std::string why_not_executable(const std::string& program) {
  if (program.find('/') == std::string::npos) {
    return is_in_path(program) ? "" : "there is none of this name in PATH";
  }
  const int code = check_executable(program);
  return code == 0 ? "" : std::strerror(code);
}

}  // namespace

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
