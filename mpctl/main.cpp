// mpctl: shows and steers a running mpbroker.
#include <fmt/format.h>

#include <cstdio>
#include <cstdlib>
#include <exception>
#include <vector>

#include "common/base/plain_text.hpp"
#include "common/config/problems.hpp"
#include "common/process/process.hpp"
#include "mpctl/commands.hpp"
#include "mpctl/options.hpp"

namespace {

using namespace mpb;

constexpr int kExitOk = 0;
constexpr int kExitFailed = 1;
constexpr int kExitUsage = 2;

int failure(const std::string& text, int code) {
  for (const std::string& line : lines_of(text)) {
    std::fprintf(stderr, "mpctl: %s\n", plain_text(line).c_str());
  }
  return code;
}

int run(const std::vector<std::string>& arguments) {
  const auto options = ctl::read_options(arguments, std::getenv(ctl::kSocketVariable));
  if (!options) return failure(options.error().text, kExitUsage);
  if (!options->print.empty()) {
    fmt::print("{}", options->print);
    return kExitOk;
  }
  const auto done = ctl::run_command(*options);
  return done ? *done : failure(done.error().text, kExitFailed);
}

}  // namespace

int main(int argc, char** argv) {
  secure_standard_descriptors();
  try {
    return run({argv + 1, argv + argc});
  } catch (const std::exception& error) {
    return failure(error.what(), kExitFailed);
  }
}
