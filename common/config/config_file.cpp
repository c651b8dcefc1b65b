#include "common/config/config_file.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "common/base/unique_fd.hpp"
#include "common/config/option_line.hpp"
#include "common/config/option_values.hpp"
#include "common/config/options.hpp"

namespace mpb {
namespace {

/// What follows `kind` and a blank in a section's brackets; empty: it is no such section.
std::string_view name_behind(OptionScope scope, std::string_view section) {
  const std::string_view kind = section_kind(scope);
  if (!section.starts_with(kind)) return {};
  section.remove_prefix(kind.size());
  const bool separate = section.starts_with(' ') || section.starts_with('\t');
  return separate ? trimmed(section) : std::string_view{};
}

/// Where the options of a section belong.
struct Place {
  OptionScope scope = OptionScope::kGlobal;
  std::string name;  // empty: kGlobal

  [[nodiscard]] std::string to_string() const {
    if (name.empty()) return {};
    return fmt::format("[{} {}] ", section_kind(scope), name);
  }
};

/// Makes the listener, the vhost or the settings of keys.
Result<Place> add_place(SettingsBuilder& builder, const IniSection& section,
                        std::string_view file) {
  if (section.line == 0) return Place{};
  // With '=' in it it was to be another line, perhaps with a secret.
  const bool is_assignment = section.name.find('=') != std::string::npos;
  const std::string where = fmt::format("{}:{}: [{}]", file, section.line,
                                        is_assignment ? "..." : printable(section.name));
  if (const auto name = name_behind(OptionScope::kVhost, section.name); !name.empty()) {
    auto vhost = builder.add_vhost(name, where);
    if (!vhost) return vhost.error();
    return Place{OptionScope::kVhost, *std::move(vhost)};
  }
  if (const auto pattern = name_behind(OptionScope::kKey, section.name); !pattern.empty()) {
    const Status added = builder.add_key(std::string(pattern), where);
    if (!added) return added.error();
    return Place{OptionScope::kKey, std::string(pattern)};
  }
  const std::string listener(name_behind(OptionScope::kListener, section.name));
  if (!is_name(listener)) {
    return usage_error(fmt::format(
        "{}: unknown section: expected [listener NAME] or [vhost NAME], NAME of letters, digits, "
        "'_', '.' or '-', or [key PATTERN]",
        where));
  }
  const Status added = builder.add_listener(listener, where);
  if (!added) return added.error();
  return Place{OptionScope::kListener, listener};
}

/// A key that cannot be here is told without its value: the key may be a mistyped one of a secret.
void add_entry(SettingsBuilder& builder, const IniEntry& entry, const Place& place,
               std::string_view file) {
  const auto spec = find_key(entry.key, place.scope);
  if (!spec) {
    builder.problems().add(fmt::format("{}:{}: {}{}: {}", file, entry.line, place.to_string(),
                                       shown_key(entry.key), spec.error().text),
                           entry.line);
    return;
  }
  builder.set({*spec, place.name, entry.value, std::string(file), entry.line});
}

/// Empty: it is one.
std::string_view why_no_regular_file(mode_t mode) {
  switch (mode & S_IFMT) {
    case S_IFREG:
      return {};
    case S_IFDIR:
      return "a directory";
    case S_IFIFO:
      return "a pipe";
    case S_IFSOCK:
      return "a socket";
    default:
      return "a device";
  }
}

/// What may be over in a moment; all else is the operator's to mend.
bool is_passing(int error) {
  return error == EMFILE || error == ENFILE || error == ENOMEM || error == EIO;
}

Error file_error(std::string_view what, int code) {
  return {is_passing(code) ? ErrorKind::kSystem : ErrorKind::kUsage,
          fmt::format("{}: {}", what, std::strerror(code)), code};
}

Error too_large(std::string_view file) {
  return usage_error(
      fmt::format("{}: larger than {} bytes: expected a configuration file", file, kMaxConfigSize));
}

/// From its beginning, wherever other reads of it have come to.
Result<std::string> read_whole(int file, std::string_view what, const std::string& path) {
  struct stat status {};
  if (::fstat(file, &status) != 0) return file_error(what, errno);
  const std::string_view other = why_no_regular_file(status.st_mode);
  if (!other.empty()) {
    return usage_error(fmt::format(
        "{}: it is {}: expected a regular file, which a reload can read again", what, other));
  }
  if (status.st_size > static_cast<off_t>(kMaxConfigSize)) return too_large(printable(path));
  std::string text;
  std::array<char, 64 * 1024> chunk{};
  while (true) {
    const ssize_t size = ::pread(file, chunk.data(), chunk.size(), static_cast<off_t>(text.size()));
    if (size < 0 && errno == EINTR) continue;
    if (size < 0) return file_error(what, errno);
    if (size == 0) return text;
    text.append(chunk.data(), static_cast<std::size_t>(size));
    if (text.size() > kMaxConfigSize) return too_large(printable(path));
  }
}

}  // namespace

Result<std::string> read_config_file(const std::string& path, const KeptFile* kept) {
  const std::string what = fmt::format("cannot read configuration file {}", printable(path));
  const UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  if (file) return read_whole(file.get(), what, path);
  const int code = errno;
  if (code != EACCES || kept == nullptr) return file_error(what, code);
  if (kept->is_current()) return read_whole(kept->descriptor(), what, path);
  return usage_error(fmt::format(
      "{}: another file has taken its place, which the user that this process became may not read: "
      "let that user read it (chgrp, chmod g+r), write into the file instead, or restart",
      what));
}

void add_config(SettingsBuilder& builder, std::string_view text, std::string_view file) {
  if (text.size() > kMaxConfigSize) return builder.problems().add(too_large(file).text, 0);
  for (const IniSection& section : read_ini(text, file, builder.problems())) {
    add_section(builder, section, file);
  }
}

void add_section(SettingsBuilder& builder, const IniSection& section, std::string_view file) {
  const bool unreadable = section.line != 0 && section.name.empty();
  if (unreadable) return;  // told already
  const auto place = add_place(builder, section, file);
  if (!place) return builder.problems().add(place.error().text, section.line);
  for (const IniEntry& entry : section.entries) add_entry(builder, entry, *place, file);
}

Result<const OptionSpec*> find_key(std::string_view key, OptionScope scope) {
  if (const OptionSpec* own = find_option(key, scope)) return own;
  const OptionSpec* spec = find_option(key);
  if (spec == nullptr) {
    const std::string_view nearest = nearest_option(options_of({scope}), key);
    if (nearest.empty()) return usage_error("unknown key; --help lists the known ones");
    return usage_error(fmt::format("unknown key; did you mean {}?", nearest));
  }
  switch (spec->scope) {
    case OptionScope::kListener:
      return usage_error("belongs to a listener: expected in a [listener NAME] section");
    case OptionScope::kGlobal:
      return usage_error("belongs to no section: expected before the first one");
    case OptionScope::kVhost:
      return usage_error("belongs to a vhost: expected in a [vhost NAME] section");
    case OptionScope::kKey:
      return usage_error("belongs to keys: expected in a [key PATTERN] section");
    case OptionScope::kCommandLine:
      break;
  }
  return usage_error("can be given on the command line only");
}

}  // namespace mpb
