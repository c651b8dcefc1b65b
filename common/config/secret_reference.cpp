#include "common/config/secret_reference.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>

#include "common/base/unique_fd.hpp"
#include "common/config/option_values.hpp"

namespace mpb {
namespace {

constexpr std::string_view kCredential = "credential:";
constexpr std::string_view kFile = "file:";

/// Nothing: the value is no reference.
Result<std::string> path_of(std::string_view value) {
  if (value.starts_with(kFile)) {
    const std::string_view path = value.substr(kFile.size());
    if (path.starts_with('/')) return std::string(path);
    return usage_error("expected file:/PATH, a path from / on");
  }
  if (!value.starts_with(kCredential)) return std::string();
  const std::string_view name = value.substr(kCredential.size());
  if (!is_name(name) || name == "." || name == "..") {
    return usage_error("expected credential:NAME, NAME of letters, digits, '_', '.' or '-'");
  }
  const char* folder = std::getenv("CREDENTIALS_DIRECTORY");
  if (folder == nullptr || *folder != '/') {
    return usage_error(
        "there are no credentials: expected $CREDENTIALS_DIRECTORY, which systemd sets for a unit "
        "with LoadCredential=");
  }
  return fmt::format("{}/{}", folder, name);
}

Result<std::string> read_file(const std::string& path, std::size_t most) {
  const UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  if (!file) return system_error(fmt::format("cannot read {}", printable(path)));
  struct stat status {};
  if (::fstat(file.get(), &status) != 0 || !S_ISREG(status.st_mode)) {
    return usage_error(fmt::format("{}: expected a regular file", printable(path)));
  }
  std::string text(most + 3, '\0');  // a line's end, and one byte too many
  const ssize_t size = ::read(file.get(), text.data(), text.size());
  if (size < 0) return system_error(fmt::format("cannot read {}", printable(path)));
  text.resize(static_cast<std::size_t>(size));
  if (text.ends_with('\n')) text.pop_back();
  if (text.ends_with('\r')) text.pop_back();
  return text;
}

}  // namespace

bool is_secret_reference(std::string_view value) {
  return value.starts_with(kCredential) || value.starts_with(kFile);
}

Result<std::string> read_secret_reference(std::string_view value, std::size_t most) {
  const auto path = path_of(value);
  if (!path) return path.error();
  if (path->empty()) return std::string(value);
  auto secret = read_file(*path, most);
  if (!secret) return secret;
  // Workers are sent it as a value.
  if (is_secret_reference(*secret)) {
    return usage_error(
        fmt::format("{}: expected a secret, and not where one is", printable(*path)));
  }
  return secret;
}

}  // namespace mpb
