// What documents say of options, made from the option table: the manual page's entries, the example
// of a configuration file, the tables of docs/operations.md.
#pragma once

#include <string>
#include <string_view>

#include "common/config/option_table.hpp"

namespace mpb::documents {

/// roff, with a subsection for each group: of vhosts' keys, or of all others.
std::string manual_entries(bool of_sections);
/// Every key with its default and its meaning: examples/mpbroker.ini.
std::string example_file();
/// Markdown: a table of each group.
std::string option_tables();

/// `text` with `body` between the lines that contain `name` and "begin" or "end"; empty when they
/// are not there.
std::string with_region(std::string_view text, std::string_view name, std::string_view body);

}  // namespace mpb::documents
