#include "common/config_file.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <array>

#include "common/option_values.hpp"
#include "common/options.hpp"
#include "common/unique_fd.hpp"

namespace mpb {
namespace {

constexpr std::string_view kListener = "listener";
constexpr std::string_view kVhost = "vhost";

/// What follows `kind` and a blank in a section's brackets; empty: it is no such section.
std::string_view name_behind(std::string_view kind, std::string_view section) {
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
    return fmt::format("[{} {}] ", scope == OptionScope::kVhost ? kVhost : kListener, name);
  }
};

/// Makes the listener or vhost.
Result<Place> add_place(SettingsBuilder& builder, const IniSection& section,
                        std::string_view file) {
  if (section.line == 0) return Place{};
  const std::string where = fmt::format("{}:{}: [{}]", file, section.line, printable(section.name));
  if (const auto name = name_behind(kVhost, section.name); !name.empty()) {
    auto vhost = builder.add_vhost(name, where);
    if (!vhost) return vhost.error();
    return Place{OptionScope::kVhost, *std::move(vhost)};
  }
  const std::string listener(name_behind(kListener, section.name));
  if (!is_name(listener)) {
    return usage_error(fmt::format(
        "{}: unknown section: expected [listener NAME] or [vhost NAME], NAME of letters, digits, "
        "'_', '.' or '-'",
        where));
  }
  const Status added = builder.add_listener(listener, where);
  if (!added) return added.error();
  return Place{OptionScope::kListener, listener};
}

Status add_entry(SettingsBuilder& builder, const IniEntry& entry, const Place& place,
                 std::string_view file) {
  const auto spec = find_key(entry.key, place.scope);
  if (!spec) {
    return usage_error(fmt::format("{}:{}: {}{} = {}: {}", file, entry.line, place.to_string(),
                                   printable(entry.key), printable(entry.value),
                                   spec.error().text));
  }
  return builder.set({*spec, place.name, entry.value, std::string(file), entry.line});
}

}  // namespace

Result<std::string> read_config_file(const std::string& path) {
  const std::string what = fmt::format("cannot read configuration file {}", printable(path));
  const UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file) return system_error(what);
  std::string text;
  std::array<char, 64 * 1024> chunk{};
  while (true) {
    const ssize_t size = ::read(file.get(), chunk.data(), chunk.size());
    if (size < 0 && errno == EINTR) continue;
    if (size < 0) return system_error(what);
    if (size == 0) return text;
    text.append(chunk.data(), static_cast<std::size_t>(size));
    if (text.size() > kMaxConfigSize) return text;  // add_config refuses it
  }
}

Status add_config(SettingsBuilder& builder, std::string_view text, std::string_view file) {
  if (text.size() > kMaxConfigSize) {
    return usage_error(fmt::format("{}: larger than {} bytes: expected a configuration file", file,
                                   kMaxConfigSize));
  }
  const auto sections = read_ini(text, file);
  if (!sections) return sections.error();
  for (const IniSection& section : *sections) {
    const Status added = add_section(builder, section, file);
    if (!added) return added;
  }
  return {};
}

Status add_section(SettingsBuilder& builder, const IniSection& section, std::string_view file) {
  const auto place = add_place(builder, section, file);
  if (!place) return place.error();
  for (const IniEntry& entry : section.entries) {
    const Status added = add_entry(builder, entry, *place, file);
    if (!added) return added;
  }
  return {};
}

Result<const OptionSpec*> find_key(std::string_view key, OptionScope scope) {
  const OptionSpec* spec = find_option(key);
  if (spec == nullptr) {
    const std::string_view nearest = nearest_option(key, std::array{scope});
    if (nearest.empty()) return usage_error("unknown key; --help lists the known ones");
    return usage_error(fmt::format("unknown key; did you mean {}?", nearest));
  }
  if (spec->scope == scope) return spec;
  switch (spec->scope) {
    case OptionScope::kListener:
      return usage_error("belongs to a listener: expected in a [listener NAME] section");
    case OptionScope::kGlobal:
      return usage_error("belongs to no section: expected before the first one");
    case OptionScope::kVhost:
      return usage_error("belongs to a vhost: expected in a [vhost NAME] section");
    case OptionScope::kCommandLine:
      break;
  }
  return usage_error("can be given on the command line only");
}

}  // namespace mpb
