#include "common/process/program.hpp"

#include <fmt/format.h>
#include <sys/auxv.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <optional>
#include <string_view>
#include <vector>

namespace mpb {
namespace {

/// 0, or the errno that says why it cannot be executed.
int check_executable(const std::string& path) {
  struct stat info {};
  if (::stat(path.c_str(), &info) != 0) return errno;
  if (!S_ISREG(info.st_mode)) return EACCES;
  return ::access(path.c_str(), X_OK) == 0 ? 0 : errno;
}

/// What execvp(3) does without PATH.
std::string_view search_path() {
  const char* variable = std::getenv("PATH");
  return variable == nullptr ? "/bin:/usr/bin" : variable;
}

std::optional<std::string> find_in_path(std::string_view name) {
  std::string_view rest = search_path();
  while (!rest.empty()) {
    const auto colon = rest.find(':');
    std::string path = fmt::format("{}/{}", rest.substr(0, colon), name);
    if (check_executable(path) == 0) return path;
    rest.remove_prefix(colon == std::string_view::npos ? rest.size() : colon + 1);
  }
  return std::nullopt;
}

/// Where the running program is, as the kernel and whoever started it say: /proc may be missing.
/// The latter two may be relative, to the folder in which this process was started and still is.
std::vector<std::filesystem::path> folders_of_this_program() {
  std::vector<std::filesystem::path> folders;
  const auto add = [&folders](const std::filesystem::path& program) {
    std::error_code ignored;
    const auto folder = std::filesystem::absolute(program, ignored).parent_path();
    if (folder.empty() || std::find(folders.begin(), folders.end(), folder) != folders.end()) {
      return;
    }
    folders.push_back(folder);
  };
  std::error_code error;
  if (const auto self = std::filesystem::read_symlink("/proc/self/exe", error); !error) add(self);
  const auto* given = reinterpret_cast<const char*>(::getauxval(AT_EXECFN));
  for (const char* started_as : {given, static_cast<const char*>(::program_invocation_name)}) {
    // Without a slash it was found in PATH, as the program looked for may be.
    if (started_as == nullptr || std::strchr(started_as, '/') == nullptr) continue;
    const auto resolved = std::filesystem::canonical(started_as, error);
    if (!error) add(resolved);
    add(started_as);
  }
  return folders;
}

}  // namespace

std::string why_not_executable(const std::string& program) {
  if (program.find('/') == std::string::npos) {
    return find_in_path(program) ? "" : "there is none of this name in PATH";
  }
  const int code = check_executable(program);
  return code == 0 ? "" : std::strerror(code);
}

Result<std::string> find_program(const std::string& name) {
  std::string looked;
  for (const std::filesystem::path& folder : folders_of_this_program()) {
    std::string path = folder / name;
    const int code = check_executable(path);
    if (code == 0) return path;
    looked += fmt::format("{} ({}), ", path, std::strerror(code));
  }
  if (auto path = find_in_path(name)) return *std::move(path);
  return Error{ErrorKind::kUnavailable,
               fmt::format("the program {} is not to be found: tried {}and PATH ({}); install it "
                           "beside this one, or name one with --worker-program",
                           name, looked, search_path()),
               0};
}

}  // namespace mpb
