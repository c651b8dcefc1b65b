// INI text as sections of keys, with the lines they stand in.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "common/error.hpp"

namespace mpb {

struct IniEntry {
  std::size_t line = 0;  // from 1
  std::string key;
  std::string value;
};

struct IniSection {
  std::size_t line = 0;
  std::string name;  // what stands between the brackets; empty: the text before the first section
  std::vector<IniEntry> entries;
};

/// Reads `[section]` and `key = value` lines; '#' begins a comment. The first section is always the
/// one without a name. Errors begin with `file` and the line.
Result<std::vector<IniSection>> read_ini(std::string_view text, std::string_view file);

}  // namespace mpb
