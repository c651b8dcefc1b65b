#include "bench/common/program.hpp"

#include <fmt/format.h>

#include <cstdio>

#include "bench/common/report_output.hpp"
#include "common/base/plain_text.hpp"

namespace mpb::load {
namespace {

constexpr int kExitOk = 0;
constexpr int kExitFailed = 1;
constexpr int kExitUsage = 2;

}  // namespace

void say(const std::string& text) {
  std::fputs(plain_lines(text).c_str(), stderr);
}

int failure(std::string_view program, int status, std::string_view text) {
  say(fmt::format("{}: {}\n", program, text));
  return status;
}

int execute(std::string_view program, const std::string& print, const std::string& json_file,
            const std::function<Result<Outcome>()>& run) {
  if (!print.empty()) {
    fmt::print("{}", print);
    return kExitOk;
  }
  const auto json = open_json(json_file);
  if (!json) return failure(program, kExitUsage, json.error().text);
  const auto outcome = run();
  if (!outcome) return failure(program, kExitUsage, outcome.error().text);
  if (!write_reports(outcome->text, outcome->json, json->get())) {
    return failure(program, kExitFailed, "cannot write the report");
  }
  return outcome->passed ? kExitOk : kExitFailed;
}

}  // namespace mpb::load
