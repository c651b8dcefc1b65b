#include "common/process/process_title.hpp"

#include <fmt/format.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <span>
#include <string>
#include <vector>

namespace mpb {
namespace {

struct TitleSpace {
  std::span<char> place;  // arguments, and behind them the environment as proc(5) shows it
  std::size_t used = 0;   // of it: by the arguments, or by the longest title
  std::string program;
  std::vector<std::string> variables;
  std::vector<char*> environment;
};

/// Never destroyed: the environment is in it until the very end.
TitleSpace& space() {
  static auto* const one = new TitleSpace;
  return *one;
}

}  // namespace

void keep_title_space(int argc, char** argv) {
  if (argc < 1 || !space().place.empty()) return;
  TitleSpace& kept = space();
  kept.program = ::program_invocation_short_name;
  // Arguments and variables lie one behind another, each with a NUL at its end.
  char* end = argv[0];
  const auto take = [&end](char* text) {
    if (text == end) end = text + std::strlen(text) + 1;
  };
  for (int i = 0; i < argc; ++i) take(argv[i]);
  kept.used = static_cast<std::size_t>(end - argv[0]);
  for (char** variable = ::environ; *variable != nullptr; ++variable) {
    kept.variables.emplace_back(*variable);
    take(*variable);
  }
  for (std::string& variable : kept.variables) kept.environment.push_back(variable.data());
  kept.environment.push_back(nullptr);
  ::environ = kept.environment.data();
  ::program_invocation_name = ::program_invocation_short_name = kept.program.data();
  kept.place = {argv[0], end};
}

void set_process_title(std::string_view what) {
  TitleSpace& kept = space();
  const std::string title = fmt::format(
      "{}: {}", kept.program.empty() ? ::program_invocation_short_name : kept.program.c_str(),
      what);
  ::prctl(PR_SET_NAME, title.c_str());
  if (kept.place.empty()) return;
  const std::size_t size = std::min(title.size(), kept.place.size() - 1);
  kept.used = std::max(kept.used, size + 1);
  std::copy_n(title.begin(), size, kept.place.begin());
  std::ranges::fill(kept.place.subspan(size, kept.used - size), '\0');
}

}  // namespace mpb
