// INI text as sections of keys, with the lines they stand in.
//
//   # a comment, or ; a comment: on a line of its own
//   key = value
//   [section]
//
// A value is the rest of its line without the blanks around it, as common/config/ini_value.hpp
// reads it. Text is UTF-8, perhaps with a byte order mark; lines end with LF or CRLF.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "common/config/problems.hpp"

namespace mpb {

struct IniEntry {
  std::size_t line = 0;  // from 1
  std::string key;       // letters, digits, '_', '.' and '-'
  std::string value;     // as written
};

struct IniSection {
  std::size_t line = 0;
  std::string name;  // what stands between the brackets; empty: the text before the first section
  std::vector<IniEntry> entries;
};

/// The first section is always the one without a name. Lines that are none of these are told to
/// `problems`, each with `file` and its line, and left out. None is shown: it may have a secret.
std::vector<IniSection> read_ini(std::string_view text, std::string_view file, Problems& problems);

}  // namespace mpb
