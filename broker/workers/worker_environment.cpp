#include "broker/workers/worker_environment.hpp"

#include <algorithm>
#include <array>
#include <map>
#include <string_view>

namespace mpb {
namespace {

constexpr std::array<std::string_view, 17> kNames{
    "PATH", "HOME", "USER", "LOGNAME", "SHELL", "TMPDIR", "TERM", "LANG", "LANGUAGE", "TZ",
    // Whether standard error is the journal (common/log/log.hpp).
    "JOURNAL_STREAM",
    // How programs are loaded, and what the C library and sanitizers do in them.
    "LD_LIBRARY_PATH", "LD_PRELOAD", "GLIBC_TUNABLES", "ASAN_OPTIONS", "LSAN_OPTIONS",
    "UBSAN_OPTIONS"};
constexpr std::array<std::string_view, 2> kPrefixes{"LC_", "MALLOC_"};

bool is_for_all(std::string_view name) {
  return std::find(kNames.begin(), kNames.end(), name) != kNames.end() ||
         std::any_of(kPrefixes.begin(), kPrefixes.end(),
                     [name](std::string_view prefix) { return name.starts_with(prefix); });
}

}  // namespace

std::vector<std::string> worker_environment(const char* const* own,
                                            std::span<const std::string> wanted) {
  std::map<std::string_view, std::string_view> given;
  std::map<std::string_view, std::string_view> there;
  for (; *own != nullptr; ++own) {
    const std::string_view text(*own);
    const auto equals = text.find('=');
    if (equals == std::string_view::npos) continue;
    const std::string_view name = text.substr(0, equals);
    there.emplace(name, text.substr(equals + 1));
    if (is_for_all(name)) given.emplace(name, text.substr(equals + 1));
  }
  for (const std::string_view text : wanted) {
    const auto equals = text.find('=');
    const std::string_view name = text.substr(0, equals);
    if (equals != std::string_view::npos) {
      given.insert_or_assign(name, text.substr(equals + 1));
    } else if (const auto known = there.find(name); known != there.end()) {
      given.insert_or_assign(name, known->second);
    }
  }
  std::vector<std::string> environment;
  for (const auto& [name, value] : given) {
    environment.push_back(std::string(name).append("=").append(value));
  }
  return environment;
}

}  // namespace mpb
