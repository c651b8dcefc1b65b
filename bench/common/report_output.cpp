#include "bench/common/report_output.hpp"

#include <fmt/format.h>

namespace mpb::load {

Result<File> open_json(const std::string& name) {
  if (name.empty()) return File();
  if (name == "-") return File(stdout);
  File file(std::fopen(name.c_str(), "we"));
  if (!file) return system_error(fmt::format("--json: cannot write '{}'", name));
  return file;
}

bool write_reports(const std::string& text, const std::string& object, std::FILE* json) {
  std::FILE* people = json == stdout ? stderr : stdout;
  std::fwrite(text.data(), 1, text.size(), people);
  if (json == nullptr) return std::fflush(stdout) == 0;
  return std::fwrite(object.data(), 1, object.size(), json) == object.size() &&
         std::fflush(json) == 0;
}

}  // namespace mpb::load
