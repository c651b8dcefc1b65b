// The sections of a configuration file, and what may stand in each.
#pragma once

#include <string>
#include <string_view>

#include "common/base/error.hpp"
#include "common/config/ini.hpp"
#include "common/config/kept_file.hpp"
#include "common/config/option_table.hpp"
#include "common/config/settings_builder.hpp"

namespace mpb {

/// All of a regular file. Its errors are of kind kUsage, unless the system cannot do it just now.
/// Never waits for a pipe or a device. What this process may not open any more is read from `kept`
/// (null: nothing is kept), while that is still the file of this path.
Result<std::string> read_config_file(const std::string& path, const KeptFile* kept = nullptr);

/// `file` is its name in messages. What is wrong goes to the builder's problems.
void add_config(SettingsBuilder& builder, std::string_view text, std::string_view file);
void add_section(SettingsBuilder& builder, const IniSection& section, std::string_view file);

/// The key, if it can stand where options of `scope` do. The error says only why it cannot.
Result<const OptionSpec*> find_key(std::string_view key, OptionScope scope);

}  // namespace mpb
