// The files of the source tree that tell of options.
#pragma once

#include <array>
#include <string>
#include <string_view>

#include "packaging/documents/option_documents.hpp"

namespace mpb::documents {

struct DocumentFile {
  std::string_view path;
  /// The text it should have, from the one that it has; empty when it has no place for options.
  std::string (*written)(std::string_view text);
};

inline std::array<DocumentFile, 3> document_files() {
  return {{{"packaging/man/mpbroker.8",
            [](std::string_view text) {
              const std::string some = with_region(text, "options", manual_entries(false));
              return with_region(some, "vhost keys", manual_entries(true));
            }},
           {"examples/mpbroker.ini", [](std::string_view) { return example_file(); }},
           {"docs/operations.md",
            [](std::string_view text) { return with_region(text, "options", option_tables()); }}}};
}

}  // namespace mpb::documents
